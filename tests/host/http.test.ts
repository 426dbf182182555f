/** The door and the limits, route by route, over raw HTTP. */
import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createLog, type Route, type Served, type ServeOptions, serve } from "../../mcp-core/src/host/index.js";
import { createFixture, createWitness } from "./fixture.js";

const log = createLog({ name: "fixture", level: "silent", stream: new PassThrough() });
const token = "a-token-of-good-length-1234";
const secretInput = "echo-me-if-you-dare";

const routes: Route[] = [
  { method: "GET", path: "/metrics", handle: async () => new Response("up 1\n") },
  {
    method: "POST",
    path: "/v1/*",
    handle: async (request) => new Response(`${new URL(request.url).pathname} ${await request.text()}`),
  },
  {
    method: "GET",
    path: "/open",
    access: "public",
    handle: async (_request, { remoteAddress }) => new Response(remoteAddress),
  },
  { method: "GET", path: "/broken", handle: () => Promise.reject(new Error(secretInput)) },
];

const start = (http: Partial<ServeOptions["http"]>, more: Partial<ServeOptions> = {}): Promise<Served> =>
  serve({
    name: "fixture",
    version: "1.2.3",
    factory: createFixture(createWitness()),
    transport: "http",
    http: { host: "127.0.0.1", port: 0, maxBodyBytes: 10_000, drainMs: 200, ...http },
    routes,
    log,
    signal: new AbortController().signal,
    ...more,
  });

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** node:http, as fetch may set neither Host nor Origin. */
function ask(
  served: Served,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
  agent: Agent | false = false,
): Promise<Answer> {
  const { hostname, port } = new URL(served.url ?? "");
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { host: hostname.replace(/^\[|\]$/g, ""), port, method, path, headers, agent },
      (incoming) => {
        let text = "";
        const done = () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text });
        if (incoming.headers["content-type"] === "text/event-stream") {
          outgoing.destroy();
          done();
          return;
        }
        incoming.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        incoming.once("end", done);
      },
    );
    outgoing.once("error", reject).end(body);
  });
}

const rpc = (method: string, params = {}) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const initialize = rpc("initialize", {
  protocolVersion: "2025-06-18",
  capabilities: {},
  clientInfo: { name: "t", version: "1" },
});

const everyRoute: [method: string, path: string, body?: string][] = [
  ["POST", "/mcp", initialize],
  ["GET", "/mcp"],
  ["DELETE", "/mcp"],
  ["GET", "/sse"],
  ["POST", "/messages?sessionId=x", rpc("ping")],
  ["GET", "/healthz"],
  ["GET", "/readyz"],
  ["GET", "/metrics"],
  ["POST", "/v1/things", "{}"],
  ["GET", "/nowhere"],
];
const publicPaths = new Set(["/healthz", "/readyz", "/open"]);

describe("without a token, on loopback", () => {
  let served: Served;
  beforeAll(async () => {
    served = await start({});
  });
  afterAll(() => served[Symbol.asyncDispose]());

  describe.each(everyRoute)("%s %s", (method, path, body) => {
    test.each([
      "evil.example",
      "evil.example:80",
      "127.0.0.1.evil.example",
      "localhost.evil.example",
      "10.0.0.1",
      "0.0.0.0",
      "[::2]",
      "a b",
      "user@localhost",
    ])("the Host %j is refused", async (host) => {
      const answer = await ask(served, method, path, { ...json, host }, body).catch((error: unknown) => String(error));
      if (typeof answer === "string") return expect(answer).toMatch(/Invalid character|ECONNRESET/);
      expect([400, 403]).toContain(answer.status);
    });
    test.each([
      "http://evil.example",
      "https://evil.example:8731",
      "null",
      "http://localhost.evil.example",
      "file://",
      "not a url",
    ])("the Origin %j is refused", async (origin) => {
      const { status, headers } = await ask(served, method, path, { ...json, origin }, body);
      expect(status).toBe(403);
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    });
    test.each([
      { host: "localhost" },
      { host: "127.0.0.1:1" },
      { host: "[::1]:99" },
      { host: "LOCALHOST", origin: "http://localhost:3000" },
      { host: "localhost", origin: "https://127.0.0.1" },
    ])("%j is served", async (headers) => {
      const { status } = await ask(served, method, path, { ...json, ...headers }, body);
      expect(status).not.toBe(403);
    });
  });

  test.each([
    ["a path nobody has", "GET", "/nowhere", {}, undefined, 404, "not_found"],
    ["dots that lead elsewhere", "POST", "/v1/../metrics", {}, "x", 405, "method_not_allowed"],
    ["a method the path lacks", "PUT", "/mcp", json, "{}", 405, "method_not_allowed"],
    ["a GET without a session", "GET", "/mcp", { accept: "text/event-stream" }, undefined, 405, "method_not_allowed"],
    ["a trace", "TRACE", "/mcp", {}, undefined, 405, "method_not_allowed"],
    ["another media type", "POST", "/mcp", { "content-type": "text/plain" }, initialize, 415, "unsupported_media_type"],
    ["no media type", "POST", "/mcp", {}, initialize, 415, "unsupported_media_type"],
    ["a body that is too large", "POST", "/mcp", json, `"${secretInput}${"x".repeat(20_000)}"`, 413, "body_too_large"],
    ["an unknown session", "POST", "/mcp", { ...json, "mcp-session-id": secretInput }, rpc("ping"), 404, "not_found"],
    ["a request without a session", "POST", "/mcp", json, rpc("tools/list"), 400, "session_required"],
    ["an unknown stream", "POST", `/messages?sessionId=${secretInput}`, json, rpc("ping"), 404, "not_found"],
    ["a route that throws", "GET", "/broken", {}, undefined, 500, "internal"],
  ])("%s: a problem that echoes nothing", async (_name, method, path, headers, body, status, code) => {
    const answer = await ask(served, method, path, headers as Record<string, string>, body);
    expect(answer).toMatchObject({ status, headers: { "content-type": "application/problem+json" } });
    expect(JSON.parse(answer.body)).toMatchObject({ status, code });
    expect(answer.body).not.toContain(secretInput);
  });

  test.each(["", "{", `{"${secretInput}`, "\u0000"])("the body %j is not JSON", async (body) => {
    const answer = await ask(served, "POST", "/mcp", json, body);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toEqual({
      jsonrpc: "2.0",
      id: null,
      error: { code: -32700, message: "The body is not valid JSON." },
    });
  });

  test("a body that is too large without saying so is cut off while it comes, and the reason arrives", async () => {
    const { hostname, port } = new URL(served.url ?? "");
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = httpRequest(
        { host: hostname, port, method: "POST", path: "/mcp", headers: json },
        (incoming) => {
          incoming.resume();
          resolve(incoming.statusCode);
        },
      );
      outgoing.once("error", reject);
      for (let part = 0; part < 20; part++) outgoing.write("x".repeat(2_000));
    });
    expect(answer).toBe(413);
  });

  test.each([
    "GET /healthz HTTP/1.1\r\nHost:\r\n",
    "GET /healthz HTTP/1.0\r\n",
    "GET http://evil.example/healthz HTTP/1.1\r\nHost: evil.example\r\n",
  ])("%j is refused", async (head) => {
    const { hostname, port } = new URL(served.url ?? "");
    const socket = connect(Number(port), hostname).setEncoding("utf8");
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.write(`${head}Connection: close\r\n\r\n`);
    await once(socket, "close");
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
  });

  test("headers that are too large are refused", async () => {
    expect((await ask(served, "GET", "/healthz", { "x-large": "x".repeat(20_000) })).status).toBe(431);
  });

  test("an allowed page may ask, and reads the answer", async () => {
    const origin = "http://localhost:6274";
    const preflight = await ask(served, "OPTIONS", "/mcp", { origin, "access-control-request-method": "POST" });
    expect(preflight).toMatchObject({ status: 204, headers: { "access-control-allow-origin": origin } });
    const answer = await ask(served, "POST", "/mcp", { ...json, origin }, initialize);
    expect(answer).toMatchObject({ status: 200, headers: { "access-control-allow-origin": origin } });
  });

  test("a route of one's own gets its body, its path and the client's address", async () => {
    expect((await ask(served, "POST", "/v1/a/b?c=d", { "content-type": "text/plain" }, "body")).body).toBe(
      "/v1/a/b body",
    );
    expect((await ask(served, "GET", "/open")).body).toMatch(/127\.0\.0\.1/);
    expect((await ask(served, "HEAD", "/metrics")).status).toBe(200);
  });

  test("sessions end by DELETE", async () => {
    const opened = await ask(served, "POST", "/mcp", json, initialize);
    const headers = { ...json, "mcp-session-id": String(opened.headers["mcp-session-id"]) };
    expect((await ask(served, "POST", "/mcp", headers, rpc("ping"))).status).toBe(200);
    expect((await ask(served, "DELETE", "/mcp", headers)).status).toBe(200);
    expect((await ask(served, "POST", "/mcp", headers, rpc("ping"))).status).toBe(404);
  });
});

describe("with a token", () => {
  let served: Served;
  beforeAll(async () => {
    served = await start({ token });
  });
  afterAll(() => served[Symbol.asyncDispose]());

  describe.each([...everyRoute, ["GET", "/open"] as [string, string]])("%s %s", (method, path, body) => {
    test.each([undefined, "", "Bearer", "Bearer wrong", `Bearer ${token}x`, `Basic ${token}`, token])(
      "authorization %j opens only what is public",
      async (authorization) => {
        const headers = authorization === undefined ? json : { ...json, authorization };
        const answer = await ask(served, method, path, headers, body);
        // whoever showed a token is told that it is the token (RFC 6750, section 3.1)
        const challenge = /^Bearer ./.test(authorization ?? "") ? 'Bearer error="invalid_token"' : "Bearer";
        if (publicPaths.has(path)) expect(answer.status).toBe(200);
        else expect(answer).toMatchObject({ status: 401, headers: { "www-authenticate": challenge } });
        expect(answer.body).not.toContain(token);
      },
    );
    test("the token opens it", async () => {
      const { status } = await ask(served, method, path, { ...json, authorization: `Bearer ${token}` }, body);
      expect([401, 403]).not.toContain(status);
    });
  });
});

describe("off loopback", () => {
  test.each([undefined, "", "short"])("the token %j is refused before anything listens", async (weak) => {
    await expect(start({ host: "0.0.0.0", token: weak })).rejects.toMatchObject({ code: "config_invalid" });
  });
});

test("an address of the sixth version is served under its own name", async () => {
  await using served = await start({ host: "::1" });
  expect(served.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
  expect((await ask(served, "GET", "/healthz")).status).toBe(200);
});

test("names and origins can be allowed", async () => {
  await using served = await start({ allowedHosts: ["db.example"], allowedOrigins: ["https://app.example"] });
  expect((await ask(served, "GET", "/healthz", { host: "db.example:443" })).status).toBe(200);
  expect((await ask(served, "GET", "/healthz", { host: "other.example" })).status).toBe(403);
  expect((await ask(served, "GET", "/healthz", { origin: "https://app.example" })).status).toBe(200);
  expect((await ask(served, "GET", "/healthz", { origin: "http://app.example" })).status).toBe(403);
});

test("a busy port is named with its remedy", async () => {
  await using first = await start({});
  const port = Number(new URL(first.url ?? "").port);
  await expect(start({ port })).rejects.toMatchObject({ code: "port_in_use", hint: expect.stringContaining("--port") });
});

test("an address that is not ours is a configuration error", async () => {
  await expect(start({ host: "192.0.2.1", token })).rejects.toMatchObject({ code: "config_invalid" });
});

describe("readiness", () => {
  test.each([
    ["ready", async () => {}, 200],
    ["not ready", () => Promise.reject(new Error(secretInput)), 503],
  ])("%s", async (_name, ready, status) => {
    await using served = await start({}, { ready });
    const answer = await ask(served, "GET", "/readyz");
    expect(answer.status).toBe(status);
    expect(answer.body).not.toContain(secretInput);
  });
});

test("closing lets a call finish, refuses new ones, and leaves no socket", async () => {
  let finish: () => void = () => {};
  const slow: Route = {
    method: "GET",
    path: "/slow",
    handle: () => new Promise((resolve) => (finish = () => resolve(new Response("done")))),
  };
  const served = await start({ drainMs: 10_000 }, { routes: [slow] });
  const pending = ask(served, "GET", "/slow");
  const { port } = new URL(served.url ?? "");
  const idle = connect(Number(port), "127.0.0.1");
  await once(idle, "connect");
  await new Promise((resolve) => setTimeout(resolve, 50));
  const closed = served[Symbol.asyncDispose]();
  setTimeout(finish, 50);
  expect((await pending).body).toBe("done");
  await closed;
  if (!idle.destroyed) await once(idle, "close");
  await expect(ask(served, "GET", "/healthz")).rejects.toThrow();
});

test("a request that comes while closing is refused", async () => {
  const finish: (() => void)[] = [];
  const handle = () => new Promise<Response>((resolve) => finish.push(() => resolve(new Response("done"))));
  const served = await start({ drainMs: 10_000 }, { routes: [{ method: "GET", path: "/slow", handle }] });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const answers = [
    ask(served, "GET", "/slow", {}, undefined, agent),
    ask(served, "GET", "/slow", {}, undefined, agent),
  ];
  const other = ask(served, "GET", "/slow");
  await vi.waitFor(() => expect(finish).toHaveLength(2));
  const closed = served[Symbol.asyncDispose]();
  finish[0]?.();
  const [before, after] = await Promise.allSettled(answers);
  expect(before).toMatchObject({ value: { status: 200 } });
  expect(after).not.toMatchObject({ value: { status: 200 } });
  finish[1]?.();
  await Promise.all([other, closed]);
  agent.destroy();
});

test("closing doesn't wait for ever", async () => {
  const stuck: Route = { method: "GET", path: "/stuck", handle: () => new Promise(() => {}) };
  const served = await start({ drainMs: 100 }, { routes: [stuck] });
  const pending = ask(served, "GET", "/stuck").catch(() => "cut");
  await new Promise((resolve) => setTimeout(resolve, 50));
  await served[Symbol.asyncDispose]();
  expect(await pending).toBe("cut");
});
