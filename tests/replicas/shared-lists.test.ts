/** What one replica learns, counts or hears, all know: lists, changes, requests of a principal. */
import { expect, test } from "vitest";
import { createLog } from "../../mcp-core/src/host/log.js";
import { createSharedRateLimiter } from "../../mcp-gateway/src/replicas/rate-limiter.js";
import { parseRedisUrl } from "../../mcp-gateway/src/store/redis-address.js";
import { openRedisConnection } from "../../mcp-gateway/src/store/redis-connection.js";
import { fixtureServer, textOf, until } from "../gateway/gateways.js";
import { startRedisServer } from "../support/redis-servers.js";
import { ask, begin, send, startReplicas } from "./replicas.js";

const config = (journal: string) => ({
  mcpServers: { s: fixtureServer("legacy-server", { env: { JOURNAL: journal } }) },
});

test("a server that one replica has asked is not started by the next to list it", async () => {
  await using replicas = await startReplicas(config);
  await until(async () => /list\//.test(await replicas.redis.command("KEYS", "*")));
  const c = await replicas.add();
  const names = await ask(c, await begin(c), "tools/list");
  expect(JSON.stringify(names.result)).toContain("s__echo");
  expect((await c.journal()).filter((line) => line.startsWith("start"))).toEqual([]);
  expect(c.gateway.report().servers[0]).toMatchObject({ state: "asleep", starts: 0 });
});

test("a change of a server's tools at one is told to the clients of the others, and listed there", async () => {
  await using replicas = await startReplicas(config);
  const { a, b } = replicas;
  const stream = await send(b, undefined, await begin(b));
  const id = await begin(a);
  await ask(a, id, "tools/call", { name: "s__grow", arguments: {} });
  await until(() => stream.messages.some(({ method }) => method === "notifications/tools/list_changed"));
  await until(async () => JSON.stringify((await ask(b, id, "tools/list")).result).includes("s__grown"));
  stream.close();
});

test("an update of a resource at one reaches who listens at another, in the newer era", async () => {
  await using replicas = await startReplicas(config);
  const { a, b } = replicas;
  await using client = await b.connect("modern");
  const heard: string[] = [];
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => void heard.push(params.uri));
  await client.listen({ resourceSubscriptions: ["legacy://notes/one"] });
  const id = await begin(a);
  await ask(a, id, "resources/subscribe", { uri: "legacy://notes/one" });
  const { result } = await ask(a, id, "tools/call", { name: "s__touch", arguments: {} });
  expect(textOf(result)).toBe("touched");
  await until(() => heard.includes("legacy://notes/one"));
});

test("requests are counted for all together, by Redis's clock, and nobody passes while they cannot be", async () => {
  await using redis = await startRedisServer();
  const log = createLog({ name: "t", level: "silent" });
  const open = () => openRedisConnection({ address: parseRedisUrl(`redis://${redis.address}`), log });
  await using one = open();
  await using other = open();
  await Promise.all([one.opened(), other.opened()]);
  const limiters = [one, other].map((connection) => createSharedRateLimiter(connection, { perMinute: 60, burst: 6 }));
  const taken = await Promise.all(Array.from({ length: 20 }, (_, n) => limiters[n % 2]?.take("ada")));
  const passed = taken.filter((wait) => wait === undefined).length;
  expect(passed).toBeGreaterThanOrEqual(6);
  expect(passed).toBeLessThanOrEqual(9); // one more each second that this takes
  expect(taken.find((wait) => wait !== undefined)).toBe(1);
  expect(await limiters[0]?.take("bob")).toBeUndefined();
  redis.freeze();
  await expect(limiters[0]?.take("eve")).rejects.toMatchObject({ code: "store_unavailable", retryable: true });
});
