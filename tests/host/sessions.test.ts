/** Legacy sessions by the clock: idle ones end, their number is capped, streams keep them. */
import { PassThrough } from "node:stream";
import { beforeEach, expect, test } from "vitest";
import { createAudience } from "../../mcp-core/src/host/audience.js";
import { createLog, type Principal } from "../../mcp-core/src/host/index.js";
import { createSessions, type Sessions } from "../../mcp-core/src/host/sessions.js";
import { createFixture, createWitness } from "./fixture.js";

const log = createLog({ name: "t", level: "silent", stream: new PassThrough() });
const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const never = new AbortController().signal;
const witness = createWitness();
let time = 0;
let sessions: Sessions;

beforeEach(() => {
  time = 1_000;
  const audience = createAudience(log);
  sessions = createSessions({
    factory: createFixture(witness),
    audience,
    log,
    idleMs: 100,
    maxSessions: 2,
    now: () => time,
  });
});

const ada: Principal = { id: "ada", roles: new Set(["use"]) };
const bob: Principal = { id: "bob", roles: new Set(["use", "write", "admin"]) };

function ask(message: object | undefined, id?: string, signal = never, principal = ada): Promise<Response> {
  const withId = id === undefined ? headers : { ...headers, "mcp-session-id": id };
  const method = message === undefined ? "GET" : "POST";
  const body = message === undefined ? undefined : { jsonrpc: "2.0", ...message };
  return sessions.handle(new Request("http://localhost/mcp", { method, headers: withId }), body, { signal, principal });
}

const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } };

async function open(principal = ada): Promise<string> {
  const response = await ask({ id: 1, method: "initialize", params }, undefined, never, principal);
  expect(response.status).toBe(200);
  await response.text();
  return response.headers.get("mcp-session-id") ?? "";
}

async function ping(id: string, principal = ada): Promise<number> {
  const response = await ask({ id: 2, method: "ping" }, id, never, principal);
  await response.text();
  return response.status;
}

test("ids cannot be guessed and are all different", async () => {
  const [first, second] = [await open(), await open()];
  expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  expect(first).not.toBe(second);
});

test("a session exists for its principal and nobody else, whatever their roles", async () => {
  const id = await open();
  for (const message of [{ id: 3, method: "ping" }, undefined]) {
    const [theirs, unknown] = await Promise.all([ask(message, id, never, bob), ask(message, "unknown", never, bob)]);
    expect([theirs.status, await theirs.text()]).toEqual([404, await unknown.text()]);
  }
  expect(await ping(id)).toBe(200);
});

test("an idle session ends, a used one stays", async () => {
  const [idle, used] = [await open(), await open()];
  time += 60;
  await ping(used);
  time += 60;
  await sessions.sweep();
  expect([await ping(idle), await ping(used), sessions.count()]).toEqual([404, 200, 1]);
});

test("an open stream keeps its session, until it is closed", async () => {
  const id = await open();
  const stream = await ask(undefined, id);
  expect(stream.status).toBe(200);
  time += 1_000;
  await sessions.sweep();
  expect(sessions.count()).toBe(1);
  await stream.body?.cancel();
  time += 1_000;
  await sessions.sweep();
  expect(sessions.count()).toBe(0);
});

test("at the cap the session idle for longest gives way", async () => {
  const first = await open();
  time += 1;
  const second = await open();
  time += 1;
  await ping(first);
  const third = await open();
  expect([await ping(first), await ping(second), await ping(third)]).toEqual([200, 404, 200]);
});

test("at the cap with none idle a new one is refused", async () => {
  const streams = [await ask(undefined, await open()), await ask(undefined, await open())];
  const response = await ask({ id: 1, method: "initialize", params });
  expect(response.status).toBe(503);
  expect(response.headers.get("retry-after")).not.toBeNull();
  await Promise.all(streams.map((stream) => stream.body?.cancel()));
  await open();
});

test("at the cap nobody pushes out a principal who has no more than they", async () => {
  const hers = await open();
  for (let round = 0; round < 4; round++) {
    time += 1;
    await open(bob);
  }
  expect([await ping(hers), sessions.count()]).toEqual([200, 2]);
});

test("at the cap whoever has many more makes room, also with a session that only listens, never with one at work", async () => {
  const [first, second] = [await open(), await open()];
  const working = await ask({ id: 7, method: "tools/call", params: { name: "wait", arguments: {} } }, first);
  const listening = await ask(undefined, second);
  expect(listening.status).toBe(200);
  const his = await open(bob);
  expect([await ping(first), await ping(second), await ping(his, bob)]).toEqual([200, 404, 200]);
  await working.body?.cancel();
});

test("many at once stay within the cap", async () => {
  const responses = await Promise.all(Array.from({ length: 10 }, () => ask({ id: 1, method: "initialize", params })));
  expect(responses.filter(({ status }) => status === 200)).toHaveLength(2);
  expect(sessions.count()).toBe(2);
});

test("what cannot be initialized leaves no session", async () => {
  const bad = new Request("http://localhost/mcp", { method: "POST", headers: { "content-type": "application/json" } });
  const response = await sessions.handle(
    bad,
    { jsonrpc: "2.0", id: 1, method: "initialize", params },
    {
      signal: never,
      principal: ada,
    },
  );
  expect(response.status).toBe(406);
  expect(sessions.count()).toBe(0);
});

test("a cancelled call ends its stream, and the session is idle again", async () => {
  const id = await open();
  const before = witness.aborted;
  const call = await ask({ id: 7, method: "tools/call", params: { name: "wait", arguments: {} } }, id);
  const reader = call.body?.getReader();
  await ask({ method: "notifications/cancelled", params: { requestId: 7 } }, id);
  for (let done = false; !done; ) done = (await reader?.read())?.done ?? true;
  expect(witness.aborted).toBe(before + 1);
  time += 1_000;
  await sessions.sweep();
  expect(sessions.count()).toBe(0);
});

test("disposing ends all, twice is once", async () => {
  const id = await open();
  await sessions[Symbol.asyncDispose]();
  await sessions[Symbol.asyncDispose]();
  expect(await ping(id)).toBe(404);
});
