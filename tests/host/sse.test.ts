/** The transport of 2024 at its edges: streams are capped, unread ones cut, closed ones forgotten. */
import { PassThrough } from "node:stream";
import { expect, test, vi } from "vitest";
import { createAudience } from "../../mcp-core/src/host/audience.js";
import { createLog, localPrincipal, type Principal } from "../../mcp-core/src/host/index.js";
import { createSseLeg } from "../../mcp-core/src/host/sse.js";
import { createFixture, createWitness } from "./fixture.js";

const log = createLog({ name: "t", level: "silent", stream: new PassThrough() });
const witness = createWitness();

const createLeg = (keepAliveMs?: number) =>
  createSseLeg({
    factory: createFixture(witness),
    audience: createAudience(log),
    log,
    maxSessions: 2,
    ...(keepAliveMs === undefined ? {} : { keepAliveMs }),
  });

type Leg = ReturnType<typeof createLeg>;

async function open(leg: Leg, signal = new AbortController().signal, principal: Principal = localPrincipal) {
  const response = await leg.open(new Request("http://localhost/sse"), { signal, principal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const first = (await reader?.read())?.value ?? "";
  return { status: response.status, path: /data: (\S+)/.exec(first)?.[1] ?? "", reader };
}

const post = (leg: Leg, path: string, message: object, principal: Principal = localPrincipal) =>
  leg.post(
    new Request(`http://localhost${path}`, { method: "POST" }),
    { jsonrpc: "2.0", ...message },
    { signal: new AbortController().signal, principal },
  );
const initialize = {
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2024-11-05", capabilities: {}, clientInfo: { name: "t", version: "1" } },
};

test("the first event names the endpoint, answers follow as messages", async () => {
  await using leg = createLeg();
  const { path, reader } = await open(leg);
  expect(path).toMatch(/^\/messages\?sessionId=[0-9a-f-]{36}$/);
  expect((await post(leg, path, initialize)).status).toBe(202);
  expect((await reader?.read())?.value).toMatch(/^event: message\ndata: \{.*"protocolVersion":"2024-11-05".*\}\n\n$/);
});

test("a stream takes the messages of its own principal and nobody else's", async () => {
  await using leg = createLeg();
  const { path } = await open(leg);
  expect((await post(leg, path, initialize, { id: "bob", roles: new Set(["use", "admin"]) })).status).toBe(404);
  expect((await post(leg, path, initialize)).status).toBe(202);
});

test("what is no message is refused without an echo", async () => {
  await using leg = createLeg();
  const { path } = await open(leg);
  const response = await post(leg, path, { oops: "echo" });
  expect(response.status).toBe(400);
  expect(await response.text()).not.toContain("echo");
});

test("streams are capped, a closed one makes room", async () => {
  await using leg = createLeg();
  const leaving = new AbortController();
  await open(leg, leaving.signal);
  await open(leg);
  expect((await open(leg)).status).toBe(503);
  leaving.abort();
  await vi.waitFor(async () => expect((await open(leg)).status).toBe(200));
});

test("at the cap whoever has many more makes room for another principal, once", async () => {
  await using leg = createLeg();
  const bob: Principal = { id: "bob", roles: new Set(["use"]) };
  const [first, second] = [await open(leg), await open(leg)];
  const his = await open(leg, undefined, bob);
  expect(his.status).toBe(200);
  expect((await first.reader?.read())?.done).toBe(true);
  expect([(await open(leg, undefined, bob)).status, (await open(leg)).status]).toEqual([503, 503]);
  expect((await post(leg, second.path, initialize)).status).toBe(202);
  expect((await post(leg, his.path, initialize, bob)).status).toBe(202);
});

test("a client that has gone aborts its calls and is forgotten", async () => {
  await using leg = createLeg();
  const leaving = new AbortController();
  const { path } = await open(leg, leaving.signal);
  await post(leg, path, initialize);
  const before = { ...witness };
  await post(leg, path, { id: 2, method: "tools/call", params: { name: "wait", arguments: {} } });
  await vi.waitFor(() => expect(witness.started).toBe(before.started + 1));
  leaving.abort();
  await vi.waitFor(() => expect(witness.aborted).toBe(before.aborted + 1));
  expect((await post(leg, path, initialize)).status).toBe(404);
});

test("a client that does not read is cut off before memory is", async () => {
  await using leg = createLeg();
  const { path } = await open(leg);
  await post(leg, path, initialize);
  const large = { name: "echo", arguments: { text: "x".repeat(1_000_000) } };
  let status = 202;
  for (let id = 2; id < 200 && status === 202; id++) {
    status = (await post(leg, path, { id, method: "tools/call", params: large })).status;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(status).toBe(404);
});

test("silence is kept alive with comments", async () => {
  await using leg = createLeg(5);
  const { reader } = await open(leg);
  expect((await reader?.read())?.value).toBe(": keep-alive\n\n");
});
