/** What the gateway's trail tells besides calls: the lives of sessions, what administrators do, whom the door turned away. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HttpOptions } from "../../mcp-core/src/host/http-options.js";
import { runCommand } from "../../mcp-gateway/src/command.js";
import type { GatewayOptions } from "../../mcp-gateway/src/index.js";
import { fixtureServer, startGateway, type TestGateway, temporaryFolder, until } from "../gateway/gateways.js";
import { createMysqlUser, type DatabaseUser, person, testTemplates } from "../sessions/people.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { filesIn, openFolder, openTrail, recordsIn } from "./folders.js";

let database: TestDatabase;
let user: DatabaseUser;
beforeAll(async () => {
  database = await createMysqlDatabase();
  user = await createMysqlUser(database.name);
});
afterAll(async () => {
  for (const one of [user, database]) await one?.[Symbol.asyncDispose]();
});

/** The records of what happened, without their place in the chain, and all text of the trail. */
async function eventsOf(
  work: (gateway: TestGateway, folder: string) => Promise<void>,
  options: Partial<GatewayOptions> = {},
  http: Partial<HttpOptions> = {},
) {
  await using folder = await openFolder();
  {
    await using trail = await openTrail(folder.path, { isRequired: true });
    const config = () => ({ templates: testTemplates() });
    await using gateway = await startGateway(config, { audit: trail, ...options }, http);
    await work(gateway, folder.path);
  }
  const texts = await Promise.all(
    (await filesIn(folder.path)).map((name) => readFile(join(folder.path, name), "utf8")),
  );
  const records = (await recordsIn(folder.path)).map(
    ({ time: _, sequence: __, previous: ___, hash: ____, ...one }) => one,
  );
  return { text: texts.join(""), of: (event: string) => records.filter((one) => one.event === event) };
}

const connectionOf = (password: string, name = "mine") => ({
  template: "my", name, database: database.name, user: user.user, password,
}); // biome-ignore format: one value

test("a session's life is told by its public id: opened, connected, refused, disconnected, closed, expired", async () => {
  const told: Record<string, string> = {};
  const secrets: string[] = ["wrong-canary-password", user.password];
  const events = await eventsOf(
    async (gateway) => {
      const ada = person(gateway.gateway, "ada");
      for (const name of ["first", "second"]) {
        const { body } = await ada.rest("POST", "/v1/sessions", {});
        told[name] = String(body.id);
        secrets.push(String(body.session));
      }
      const [, , first] = secrets;
      const path = `/v1/sessions/${first}`;
      expect((await ada.rest("POST", `${path}/connections`, connectionOf("wrong-canary-password"))).status).toBe(422);
      expect((await ada.rest("POST", `${path}/connections`, connectionOf(user.password))).status).toBe(201);
      expect((await ada.rest("POST", `${path}/connections`, connectionOf(user.password))).status).toBe(409);
      expect((await ada.rest("DELETE", `${path}/connections/mine`)).status).toBe(204);
      const root = person(gateway.gateway, "root", ["admin"]);
      expect((await root.rest("DELETE", `/v1/admin/sessions/${told.first}`)).status).toBe(204);
      expect((await ada.rest("DELETE", path)).status).toBe(404);
      await until(() => gateway.log().includes("session_expired"), 40_000);
    },
    { sessions: { sessionTimeout: 10_000 } },
  );
  const about = { event: "session", principal: "ada", session: told.first };
  const connection = { ...about, source: "mine", template: "my" };
  const expired = { ...about, action: "expired", session: told.second };
  expect(events.of("session").filter(({ action }) => action === "expired")).toEqual([expired]);
  expect(events.of("session").filter(({ action }) => action !== "expired")).toEqual([
    { ...about, action: "opened" },
    { ...about, action: "opened", session: told.second },
    { ...connection, action: "refused", outcome: "authentication_failed" },
    { ...connection, action: "connected" },
    { ...connection, action: "refused", outcome: "conflict" },
    { ...about, source: "mine", action: "disconnected" },
    { ...about, action: "closed", by: "root" },
  ]);
  const rest = { event: "request", principal: "ada" };
  expect(events.of("request")).toEqual([
    { ...rest, operation: "openSession", outcome: "ok" },
    { ...rest, operation: "openSession", outcome: "ok" },
    { ...rest, operation: "connectDatabase", outcome: "authentication_failed" },
    { ...rest, operation: "connectDatabase", outcome: "ok" },
    { ...rest, operation: "connectDatabase", outcome: "conflict" },
    { ...rest, operation: "disconnectDatabase", outcome: "ok" },
    { ...rest, operation: "closeSession", outcome: "session_not_found" },
  ]);
  for (const secret of secrets) expect(events.text).not.toContain(secret);
});

test("administration is told: sessions closed, drained, configs taken over and refused, pins approved", async () => {
  await using folder = await temporaryFolder();
  const described = (words: string) => ({
    mcpServers: { s: fixtureServer("odd-server", { args: ["described"], env: { DESCRIPTION: words } }) },
  });
  const cacheFolder = join(folder.path, "cache");
  const events = await eventsOf(
    async (gateway, audit) => {
      const root = person(gateway.gateway, "root", ["admin"]);
      await root.rest("POST", "/v1/admin/drain");
      await root.rest("DELETE", "/v1/admin/drain");
      await root.rest("DELETE", "/v1/admin/sessions/s-0123456789");
      await gateway.gateway.ready({ signal: AbortSignal.timeout(20_000) });
      gateway.gateway.reload(described("Once."));
      await gateway.gateway.ready({ signal: AbortSignal.timeout(20_000) });
      gateway.gateway.reload(described("Then."));
      await using client = await gateway.connect("modern");
      await client.callTool({ name: "s__two", arguments: {} }); // it is listed anew when it starts
      await until(() => gateway.gateway.report().problems.length > 0);
      expect(() => gateway.gateway.reload({ nonsense: true })).toThrow();
      const path = join(folder.path, "gateway.json");
      await writeFile(path, JSON.stringify({ ...described("Then."), settings: { cacheDir: cacheFolder, audit } }));
      const stdout = new PassThrough();
      stdout.resume();
      expect(
        await runCommand({ argv: ["approve", "s", "--config", path], stdout, stderr: stdout, environment: {} }),
      ).toBe(0);
    },
    { cacheFolder },
  );
  const admin = { event: "admin", principal: "root" };
  const reload = { event: "admin", operation: "reload" };
  expect(events.of("admin")).toEqual([
    { event: "admin", operation: "approve", principal: "local", server: "s", tools: ["one"], outcome: "ok" },
    { ...admin, operation: "drain", outcome: "ok" },
    { ...admin, operation: "endDrain", outcome: "ok" },
    { ...admin, operation: "closeAnySession", outcome: "session_not_found" },
    { ...reload, outcome: "ok", added: ["s"], removed: ["template:pg", "template:my"], changed: [] },
    { ...reload, outcome: "ok", added: [], removed: [], changed: ["s"] },
    { ...reload, outcome: "config_invalid" },
  ]);
});

test("who is turned away at the door is told without the token, and a flood of them as a number", async () => {
  const events = await eventsOf(
    async (gateway) => {
      const ask = (headers: Record<string, string>, path = "/v1/servers") =>
        fetch(`${gateway.url}${path}`, { headers }).then(({ status }) => status);
      expect(await ask({})).toBe(401);
      expect(await ask({ authorization: "Bearer canary-token" }, "/mcp?canary=1")).toBe(401);
      expect(await ask({ authorization: "Bearer canary-token" }, "/canary-path")).toBe(401);
      expect(await ask({ authorization: "Bearer right-token", origin: "https://evil.example" })).toBe(403);
      expect(await ask({ authorization: "Bearer right-token" })).toBe(200);
      for (let more = 0; more < 80; more++) await ask({});
    },
    {},
    { token: "right-token" },
  );
  const denied = events.of("denied");
  const about = { event: "denied", address: "127.0.0.1", method: "GET" };
  expect(denied.slice(0, 4)).toEqual([
    { ...about, path: "/v1/servers", status: 401, token: "missing", outcome: "unauthorized" },
    { ...about, path: "/mcp", status: 401, token: "refused", outcome: "unauthorized" },
    { ...about, status: 401, token: "refused", outcome: "unauthorized" },
    { ...about, path: "/v1/servers", status: 403, outcome: "forbidden_host" },
  ]);
  expect(denied).toHaveLength(60);
  expect(events.text).not.toMatch(/canary|right-token/);
});
