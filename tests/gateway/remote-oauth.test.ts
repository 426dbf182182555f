/** Remote servers that want access tokens: had by client credentials, renewed, asked for once, and never seen by anybody else. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseConfig } from "../../mcp-gateway/src/config.js";
import { startAuthorizationServer, startProtectedServer } from "./authorization-server.js";
import { startGateway, textOf, until } from "./gateways.js";

const secret = "s3cret-of-the-client";
let issuer: Awaited<ReturnType<typeof startAuthorizationServer>>;
let remote: Awaited<ReturnType<typeof startProtectedServer>>;
beforeEach(async () => {
  issuer = await startAuthorizationServer(secret);
  remote = await startProtectedServer(issuer);
});
afterEach(async () => {
  await remote[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

const start = (oauth: Record<string, unknown> = {}, more: Record<string, unknown> = {}) =>
  startGateway(() => ({
    mcpServers: {
      far: {
        url: remote.url,
        headers: { "x-team": "data" },
        oauth: { clientId: "gateway", clientSecret: secret, issuer: issuer.url, ...oauth },
        ...more,
      },
    },
  }));

type Gateway = Awaited<ReturnType<typeof start>>;

async function hello(gateway: Gateway): Promise<string> {
  await using client = await gateway.connect("modern");
  return textOf(await client.callTool({ name: "far__hello", arguments: {} }));
}

const lastError = (gateway: Gateway) => gateway.gateway.report().servers.find(({ id }) => id === "far")?.lastError;

test.each(["legacy", "modern"] as const)("a call has a token, for this server and scope, %s", async (era) => {
  await using gateway = await start({ scope: "tools:use" }, { era });
  expect(await hello(gateway)).toBe("hello");
  expect(issuer.state.asked).toHaveLength(1);
  expect(issuer.state.asked[0]).toMatchObject({
    grant_type: "client_credentials",
    credentials: `gateway:${secret}`,
    scope: "tools:use",
    resource: remote.url,
  });
  expect(issuer.state.asked[0]?.headers).not.toContain("x-team");
  const [token] = issuer.state.valid;
  expect(remote.received.every(({ authorization }) => authorization === `Bearer ${token}`)).toBe(true);
});

test("what a client sends of its own never reaches the server", async () => {
  await using gateway = await start();
  await hello(gateway);
  remote.received.length = 0;
  const answer = await fetch(`${gateway.url}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "far__hello",
      authorization: "Bearer of-the-client",
      cookie: "session=of-the-client",
      "x-team": "of-the-client",
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name: "far__hello",
        arguments: {},
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    }),
  });
  expect(await answer.text()).toContain("hello");
  expect(remote.received.length).toBeGreaterThan(0);
  expect(JSON.stringify(remote.received)).not.toContain("of-the-client");
  expect(remote.received.every((headers) => headers["x-team"] === "data")).toBe(true);
});

test("a token is renewed before it ends, and once when the server refuses it", async () => {
  issuer.state.lifeSeconds = 1;
  await using gateway = await start();
  await hello(gateway);
  await until(async () => {
    await hello(gateway);
    return issuer.state.asked.length >= 2;
  });
  issuer.state.lifeSeconds = 3_600;
  await until(() => new Promise((resolve) => setTimeout(() => resolve(true), 1_000)));
  await hello(gateway);
  const before = issuer.state.asked.length;
  await hello(gateway);
  expect(issuer.state.asked.length).toBe(before);
  issuer.state.valid.clear(); // revoked
  expect(await hello(gateway)).toBe("hello");
  expect(issuer.state.asked.length).toBe(before + 1);
});

test("many calls that need a token ask for one", async () => {
  await using gateway = await start();
  await hello(gateway);
  const before = issuer.state.asked.length;
  issuer.state.delayMs = 300;
  issuer.state.valid.clear();
  const answers = await Promise.all(Array.from({ length: 10 }, () => hello(gateway)));
  expect(new Set(answers)).toEqual(new Set(["hello"]));
  expect(issuer.state.asked.length).toBe(before + 1);
});

test.each([
  ["a wrong secret", { clientSecret: "wr0ng-secret" }, {}, "refused the client (invalid_client)"],
  ["a scope that is not given", { scope: "all" }, { refuseWith: "invalid_scope" }, "(invalid_scope)"],
  ["a code that is none", {}, { refuseWith: "hunter2" }, "gave no token"],
  ["an authorization server that is away", { issuer: "http://127.0.0.1:9" }, {}, "gave no token"],
  ["no metadata", {}, { hasMetadata: false }, "needs tokenUrl"],
] as const)("%s is said of the server, without a secret", async (_, oauth, changes, words) => {
  Object.assign(issuer.state, changes);
  await using gateway = await start(oauth);
  const answer = await hello(gateway).catch((error: unknown) => String(error));
  await until(() => lastError(gateway) !== undefined);
  const said = `${answer} ${lastError(gateway)} ${gateway.log()}`;
  expect(lastError(gateway)).toContain(words);
  expect(said).not.toMatch(/s3cret|wr0ng|hunter2|do not repeat/);
});

test("a token without the scope that is wanted is told as that, and not asked for again and again", async () => {
  await using gateway = await start();
  await hello(gateway);
  remote.state.scopeWanted = "tools:admin";
  const before = issuer.state.asked.length;
  const answer = await hello(gateway).catch((error: unknown) => String(error));
  expect(answer).toContain("lacks a scope (tools:admin)");
  expect(issuer.state.asked.length).toBe(before);
});

test("tokenUrl stands in for metadata", async () => {
  issuer.state.hasMetadata = false;
  await using gateway = await start({ tokenUrl: `${issuer.url}/token` });
  expect(await hello(gateway)).toBe("hello");
});

test.each([
  ["a secret that would leave in the clear", { issuer: "http://login.example.com" }, {}, "oauth.issuer"],
  ["a key that is not known", { clientsecret: "x" }, {}, "oauth.clientsecret"],
  ["an Authorization beside it", {}, { headers: { authorization: "Bearer x" } }, "mcpServers.far.headers"],
] as const)("%s is refused", (_, oauth, more, path) => {
  const far = {
    url: "https://far.example.com/mcp",
    oauth: { clientId: "gateway", clientSecret: secret, issuer: "https://login.example.com", ...oauth },
    ...more,
  };
  expect(() => parseConfig({ mcpServers: { far } })).toThrow(path);
});
