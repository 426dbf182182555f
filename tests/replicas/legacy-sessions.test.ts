/** A session of the older protocol era belongs to no replica: whatever its client says to one, any other one knows. */
import { expect, test } from "vitest";
import { fixtureServer, textOf, until } from "../gateway/gateways.js";
import { ask, begin, freshKeys, send, startReplicas } from "./replicas.js";

const config = (journal: string) => ({
  mcpServers: { s: fixtureServer("legacy-server", { env: { JOURNAL: journal } }) },
});
const start = () => startReplicas(config);
const call = (name: string, given: object) => ({ name: `s__${name}`, arguments: given });

test("begun at one, it goes on at the other, and ends everywhere at once", async () => {
  await using replicas = await start();
  const { a, b } = replicas;
  const id = await begin(a);
  for (const gateway of [b, a, b]) {
    const { status, result } = await ask(gateway, id, "tools/call", call("echo", { text: "hello" }));
    expect([status, textOf(result)]).toEqual([200, "hello"]);
  }
  expect((await send(b, undefined, id, "DELETE")).status).toBe(200);
  for (const gateway of [a, b]) expect((await ask(gateway, id, "ping")).status).toBe(404);
  expect((await ask(a, crypto.randomUUID(), "ping")).status).toBe(404);
});

test("requests that reach a replica together make the session there once", async () => {
  await using replicas = await start();
  const { a, b } = replicas;
  const id = await begin(a);
  const answers = await Promise.all([1, 2, 3, 4, 5].map((n) => ask(b, id, "ping", {}, n)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  expect(b.log().match(/"session_rebuilt"/g)).toHaveLength(1);
});

test("a question asked at one is answered at the other", async () => {
  await using replicas = await start();
  const { a, b } = replicas;
  const id = await begin(a);
  for (const [here, there] of [
    [a, b],
    [b, a],
    [a, a],
  ] as const) {
    const body = { jsonrpc: "2.0", id: 7, method: "tools/call", params: call("ask", { what: "Who are you?" }) };
    const asked = await send(here, body, id);
    await until(() => asked.messages.some(({ method }) => method === "elicitation/create"));
    const question = asked.messages.find(({ method }) => method === "elicitation/create");
    const result = { action: "accept", content: { name: "Ada" } };
    expect((await send(there, { jsonrpc: "2.0", id: question?.id, result }, id)).status).toBe(202);
    await asked.ended;
    expect(textOf(asked.messages.at(-1)?.result)).toContain("Ada");
  }
});

test("a call at one is cancelled at the other, and its stream ends", async () => {
  await using replicas = await start();
  const { a, b } = replicas;
  const id = await begin(a);
  const body = { jsonrpc: "2.0", id: 9, method: "tools/call", params: call("slow", { ms: 60_000 }) };
  const slow = await send(a, body, id);
  await until(async () => (await a.journal()).includes("slow begins"));
  const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 9 } };
  expect((await send(b, cancel, id)).status).toBe(202);
  await slow.ended;
  await until(async () => (await a.journal()).includes("slow cancelled"));
});

test("a stream held by one tells what was subscribed to at the other", async () => {
  await using replicas = await start();
  const { a, b } = replicas;
  const id = await begin(a);
  const stream = await send(a, undefined, id);
  const uri = "legacy://notes/one";
  expect((await ask(b, id, "resources/subscribe", { uri })).status).toBe(200);
  await until(async () => (await a.journal()).includes(`subscribe ${uri}`));
  await ask(a, id, "tools/call", call("touch", {}));
  await until(() => stream.messages.some(({ method }) => method === "notifications/resources/updated"));
  stream.close();
  // a third replica learns of it from the store alone
  const c = await replicas.add();
  expect((await ask(c, id, "ping")).status).toBe(200);
  await until(async () => (await c.journal()).includes(`subscribe ${uri}`));
});

test("only its principal has it, on any replica", async () => {
  await using replicas = await start();
  const { b } = replicas;
  const keyed = (token: string) => ({ authorization: `Bearer ${token}` });
  const id = await begin(replicas.a);
  const guarded = await b.gateway.serve({ transport: "http", token: "another-door-0123456789abcdef" });
  await using _served = guarded;
  const response = await fetch(`${guarded.url}/mcp`, {
    method: "POST",
    headers: {
      ...keyed("another-door-0123456789abcdef"),
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-session-id": id,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
  });
  expect(response.status).toBe(404);
});

test("while Redis is away sessions are refused with the time to ask again, not served from memory; then they go on", async () => {
  await using replicas = await start();
  const { a, b, redis } = replicas;
  const id = await begin(a);
  redis.freeze();
  for (const gateway of [a, b]) {
    const began = performance.now();
    const answer = await ask(gateway, id, "ping");
    expect([answer.status, answer.retryAfter]).toEqual([503, "5"]);
    expect(answer.messages).toEqual([expect.objectContaining({ code: "store_unavailable" })]);
    expect(performance.now() - began).toBeLessThan(2_000);
  }
  redis.thaw();
  await until(async () => (await ask(b, id, "ping")).status === 200);
});

test("a replica with other keys says so at its start and is not ready, while those before it are", async () => {
  await using replicas = await start();
  const { a, b } = replicas;
  const stranger = await replicas.add({ sessions: { keys: freshKeys("k9") } });
  const ready = async (gateway: { url: string }) => {
    const response = await fetch(`${gateway.url}/readyz`);
    return [response.status, ((await response.json()) as { detail?: string }).detail];
  };
  expect(await ready(stranger)).toEqual([503, "The server cannot do its work yet (keys_differ)."]);
  expect(stranger.log()).toMatch(/"keys_differ".*seals with the key k1, which is not here/);
  const namesake = await replicas.add({ sessions: { keys: freshKeys("k1") } });
  expect((await ready(namesake))[0]).toBe(503);
  expect(namesake.log()).toContain("the key k1 is another one there");
  for (const gateway of [a, b]) expect((await ready(gateway))[0]).toBe(200);
});

test("a stream of the oldest transport takes what is posted to another replica", async () => {
  await using replicas = await start();
  const { a, b } = replicas;
  const response = await fetch(`${a.url}/sse`);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let heard = (await reader?.read())?.value ?? "";
  const path = /data: (\S+)/.exec(heard)?.[1] ?? "";
  const post = (message: object, gateway = b, to = path) =>
    fetch(gateway.url + to, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });
  const clientInfo = { name: "t", version: "1" };
  const params = { protocolVersion: "2024-11-05", capabilities: {}, clientInfo };
  expect((await post({ id: 1, method: "initialize", params })).status).toBe(202);
  await until(async () => {
    heard += (await reader?.read())?.value ?? "";
    return heard.includes('"protocolVersion":"2024-11-05"');
  });
  expect((await post({ id: 2, method: "ping" }, b, "/messages?sessionId=unknown")).status).toBe(404);
  await reader?.cancel();
  await until(async () => (await post({ id: 3, method: "ping" })).status === 404);
});
