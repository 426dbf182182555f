/** Access tokens of an authorization server: a real issuer on loopback, its keys, and every token that must not do. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessSettings, openAccess, resolveSettings } from "../../mcp-core/src/host/index.js";
import { codeOf, openLog, openServer } from "./serving.js";

const resource = "https://db.example.com/mcp";

/** An authorization server: its metadata and its keys, either of which can be away. */
async function startIssuer() {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const state = { keysStatus: 200, metadata: true, keyRequests: 0, kid: "one", publicKey, privateKey };
  const server = createServer(async (incoming, outgoing) => {
    const answer = (status: number, body: unknown) => {
      outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (incoming.url === "/keys") {
      state.keyRequests++;
      const key = { ...(await exportJWK(state.publicKey)), kid: state.kid, alg: "ES256", use: "sig" };
      return answer(state.keysStatus, { keys: [key] });
    }
    if (state.metadata && incoming.url === "/.well-known/oauth-authorization-server/realm")
      return answer(200, { issuer: `${url}/realm`, jwks_uri: `${url}/keys` });
    answer(404, {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    state,
    issuer: `${url}/realm`,
    keys: `${url}/keys`,
    sign: (claims: JWTPayload, { key = state.privateKey, alg = "ES256", header, ...given }: SignOptions = {}) => {
      const kid = "kid" in given ? given.kid : state.kid;
      return new SignJWT({ iss: `${url}/realm`, aud: resource, sub: "ada", scope: "mcp:use", ...claims })
        .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }), ...header })
        .setExpirationTime(claims.exp ?? "5m")
        .sign(key, { crit: { exp: true } });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

interface SignOptions {
  readonly key?: CryptoKey | Uint8Array;
  /** Undefined: the token names no key. */
  readonly kid?: string | undefined;
  readonly alg?: string;
  readonly header?: Record<string, unknown>;
}

const settingsOf = (file: Record<string, unknown>) =>
  resolveSettings(accessSettings, { flags: {}, environment: {}, file });

async function open(file: Record<string, unknown>) {
  const { log, text } = openLog();
  const access = await openAccess(await settingsOf({ oauthResource: resource, ...file }), { environment: {}, log });
  const server = await openServer({ authenticators: access.authenticators, routes: access.routes });
  return { ...server, log: text };
}

let issuer: Awaited<ReturnType<typeof startIssuer>>;
let server: Awaited<ReturnType<typeof open>>;
beforeAll(async () => {
  issuer = await startIssuer();
  server = await open({ oauthIssuer: issuer.issuer });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await issuer?.[Symbol.asyncDispose]();
});

test.each([
  ["mcp:use", [200, 403, 403]],
  ["mcp:use openid mcp:write", [200, 200, 403]],
  ["mcp:write", [200, 200, 403]],
  ["mcp:admin", [403, 403, 200]],
  ["openid", [403, 403, 403]],
])("the scope %s", async (scope, statuses) => {
  const token = await issuer.sign({ scope });
  const found = await Promise.all(
    ["/use", "/write", "/admin"].map(async (path) => (await server.get(path, token)).status),
  );
  expect(found).toEqual(statuses);
});

test("the only key needs no name", async () => {
  expect((await server.get("/use", await issuer.sign({}, { kid: undefined }))).status).toBe(200);
});

test("the subject is the principal", async () => {
  expect(await (await server.get("/use", await issuer.sign({ sub: "auth0|42" }))).text()).toBe("auth0|42");
});

describe("refused", () => {
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const rows: [string, () => Promise<string>][] = [
    ["another audience", () => issuer.sign({ aud: "https://other.example.com/mcp" })],
    ["no audience", () => issuer.sign({ aud: [] })],
    ["another issuer", () => issuer.sign({ iss: "https://elsewhere.example.com" })],
    ["expired", () => issuer.sign({ exp: Math.floor(Date.now() / 1_000) - 60 })],
    ["not yet", () => issuer.sign({ nbf: Math.floor(Date.now() / 1_000) + 600 })],
    ["no subject", () => issuer.sign({ sub: "" })],
    ["somebody of ours", () => issuer.sign({ sub: "local" })],
    ["another key", async () => issuer.sign({}, { key: (await generateKeyPair("ES256")).privateKey })],
    ["a key nobody knows", () => issuer.sign({}, { kid: "two" })],
    [
      "another key without a name",
      async () => issuer.sign({}, { key: (await generateKeyPair("ES256")).privateKey, kid: undefined }),
    ],
    ["a shared secret", () => issuer.sign({}, { key: new Uint8Array(32).fill(7), alg: "HS256" })],
    [
      "the public key as a shared secret",
      async () =>
        issuer.sign({}, { key: new TextEncoder().encode(await exportSPKI(issuer.state.publicKey)), alg: "HS256" }),
    ],
    [
      "the published key as a shared secret",
      async () =>
        issuer.sign({}, { key: new Uint8Array(await (await fetch(issuer.keys)).arrayBuffer()), alg: "HS256" }),
    ],
    [
      "a key that it brings itself",
      async () => {
        const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
        return issuer.sign(
          {},
          { key: privateKey, header: { jwk: await exportJWK(publicKey), jku: "https://evil.example/keys" } },
        );
      },
    ],
    ["an extension that must be understood", () => issuer.sign({}, { header: { crit: ["exp"], exp: 1 } })],
    [
      "alg none",
      async () => {
        const claims = {
          iss: issuer.issuer,
          aud: resource,
          sub: "ada",
          scope: "mcp:use",
          exp: Date.now() / 1_000 + 300,
        };
        return `${base64({ alg: "none" })}.${base64(claims)}.`;
      },
    ],
    [
      "an altered claim",
      async () => {
        const [head, , signature] = (await issuer.sign({})).split(".");
        return `${head}.${base64({ iss: issuer.issuer, aud: resource, sub: "eve", exp: 9_999_999_999 })}.${signature}`;
      },
    ],
    ["rubbish", async () => "a.b.c"],
    ["no JWT", async () => "opaque"],
  ];
  test.each(rows)("%s", async (_, make) => {
    const response = await server.get("/use", await make());
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(
      'Bearer error="invalid_token", resource_metadata="https://db.example.com/.well-known/oauth-protected-resource/mcp", scope="mcp:use"',
    );
  });
});

test("metadata leads to the issuer, without a token", async () => {
  const paths = ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"];
  for (const path of paths) {
    expect(await (await server.get(path)).json()).toMatchObject({
      resource,
      authorization_servers: [issuer.issuer],
      scopes_supported: ["mcp:use", "mcp:write", "mcp:admin"],
    });
  }
});

test("a token that runs out ends what is open", async () => {
  // 30 s are granted to clocks that differ
  const token = await issuer.sign({ exp: Math.floor(Date.now() / 1_000) - 28 });
  const stream = await server.get("/endless", token);
  expect(stream.status).toBe(200);
  await expect(stream.text()).rejects.toThrow();
  expect((await server.get("/use", token)).status).toBe(401);
});

test("also when so many others came since that it is forgotten", async () => {
  const token = await issuer.sign({ exp: Math.floor(Date.now() / 1_000) - 22 });
  const stream = await server.get("/endless", token);
  for (let index = 0; index < 1_000; index += 50) {
    const others = Array.from({ length: 51 }, async (_, at) =>
      server.get("/use", await issuer.sign({ jti: `${index} ${at}` })),
    );
    for (const response of await Promise.all(others)) expect(response.status).toBe(200);
  }
  await expect(stream.text()).rejects.toThrow();
});

test("without keys nobody comes in, and everybody is told to come again", async () => {
  await using other = await startIssuer();
  await using opened = await open({ oauthIssuer: other.issuer });
  const token = await other.sign({});
  other.state.metadata = false;
  const away = await opened.get("/use", token);
  expect([away.status, away.headers.get("retry-after"), await codeOf(away)]).toEqual([503, "5", "auth_unavailable"]);
  other.state.metadata = true;
  other.state.keysStatus = 500;
  expect((await opened.get("/use", token)).status).toBe(503);
  other.state.keysStatus = 200;
  expect((await opened.get("/use", token)).status).toBe(200);
  expect(opened.log()).toContain("oauth_keys_unavailable");
  expect(opened.log()).not.toContain(token);
});

test("tokens of unknown keys fetch the keys once, not each time", async () => {
  await using other = await startIssuer();
  await using opened = await open({ oauthIssuer: other.issuer, oauthJwks: other.keys });
  expect((await opened.get("/use", await other.sign({}))).status).toBe(200);
  const before = other.state.keyRequests;
  for (let index = 0; index < 20; index++)
    await opened.get("/use", await other.sign({ jti: String(index) }, { kid: "x" }));
  expect(other.state.keyRequests - before).toBeLessThanOrEqual(1);
});

test("other audiences and scopes", async () => {
  await using opened = await open({
    oauthIssuer: issuer.issuer,
    oauthAudience: "api://db",
    oauthRoles: ["db.read=use", "db.all=admin"],
  });
  const token = await issuer.sign({ aud: ["api://db"], scp: ["db.read"], scope: "mcp:write" });
  expect([(await opened.get("/use", token)).status, (await opened.get("/write", token)).status]).toEqual([200, 403]);
});

test.each([
  [{ oauthResource: resource }, /without its issuer/],
  [{ oauthIssuer: "https://id.example.com" }, /needs the URL/],
  [{ oauthIssuer: "nonsense" }, /must be a URL/],
  [{ oauthRoles: ["db.read=root"] }, /scope and a role/],
])("settings that cannot be meant: %j", async (file, message) => {
  const opening = async () => openAccess(await settingsOf(file), { environment: {}, log: openLog().log });
  await expect(opening()).rejects.toThrow(message);
});
