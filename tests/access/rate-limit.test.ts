/** How many requests a principal may make. */
import { expect, test } from "vitest";
import { createRateLimiter } from "../../mcp-core/src/host/index.js";
import { codeOf, openServer } from "./serving.js";

const token = (id: string) => ({ principal: { id, roles: new Set(["use"] as const) } });
const authenticators = [{ authenticate: (given: string) => token(given) }];

test("a burst, then one after the other as time goes by, each account by itself", () => {
  let now = 0;
  const limiter = createRateLimiter({ perMinute: 60, burst: 3, now: () => now });
  const takes = (account: string, times: number) => Array.from({ length: times }, () => limiter.take(account));
  expect(takes("ada", 4)).toEqual([undefined, undefined, undefined, 1]);
  expect(takes("bob", 1)).toEqual([undefined]);
  now = 999;
  expect(takes("ada", 1)).toEqual([1]);
  now = 1_000;
  expect(takes("ada", 2)).toEqual([undefined, 1]);
  now = 3_600_000;
  expect(takes("ada", 4)).toEqual([undefined, undefined, undefined, 1]);
});

test("a slow limit says how long; accounts that are quiet are forgotten", () => {
  let now = 0;
  const limiter = createRateLimiter({ perMinute: 1, now: () => now });
  expect([limiter.take("ada"), limiter.take("ada")]).toEqual([undefined, 60]);
  for (let index = 0; index < 30_000; index++) {
    now += 120_000;
    limiter.take(`account ${index}`);
  }
  expect(limiter.take("ada")).toBeUndefined();
});

test("over HTTP: 429 with the time to wait, the others' requests go on, what is public is not counted", async () => {
  await using server = await openServer({ authenticators, rateLimiter: createRateLimiter({ perMinute: 6, burst: 2 }) });
  const statuses = async (path: string, who: string) => (await server.get(path, who)).status;
  expect([await statuses("/use", "ada"), await statuses("/use", "ada")]).toEqual([200, 200]);
  const refused = await server.get("/use", "ada");
  expect([refused.status, Number(refused.headers.get("retry-after")) > 0, await codeOf(refused)]).toEqual([
    429,
    true,
    "rate_limited",
  ]);
  expect([await statuses("/use", "bob"), await statuses("/public", "ada")]).toEqual([200, 200]);
});
