/** Sessions through a gateway with real databases: opened, filled, used and closed, by tools and by REST. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAlive, startGateway, type TestGateway, until } from "../gateway/gateways.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { createMysqlUser, createPostgresUser, type DatabaseUser, person, testTemplates } from "./people.js";

let pg: TestDatabase;
let my: TestDatabase;
let pgUsers: readonly [DatabaseUser, DatabaseUser];
let myUsers: readonly [DatabaseUser, DatabaseUser];
beforeAll(async () => {
  [pg, my] = await Promise.all([createPostgresDatabase(), createMysqlDatabase()]);
  pgUsers = [await createPostgresUser(), await createPostgresUser()];
  myUsers = [await createMysqlUser(my.name), await createMysqlUser(my.name)];
});
afterAll(async () => {
  for (const one of [...(pgUsers ?? []), ...(myUsers ?? []), pg, my]) await one?.[Symbol.asyncDispose]();
});

const start = (settings: object = {}): Promise<TestGateway> =>
  startGateway(() => ({ templates: testTemplates() }), { sessions: settings });

const pgAs = ({ user, password }: DatabaseUser) => ({ template: "pg", database: pg.name, user, password });
const myAs = ({ user, password }: DatabaseUser) => ({ template: "my", database: my.name, user, password });
const firstCell = ({ rows }: Record<string, unknown>): unknown => (rows as unknown[][] | undefined)?.[0]?.[0];

/** The process ids of the session servers of the moment. */
async function pids(gateway: TestGateway): Promise<number[]> {
  const { body } = await person(gateway.gateway, "admin", ["admin"]).rest("GET", "/v1/servers");
  const servers = body.servers as { id: string; pid?: number }[];
  return servers.flatMap(({ id, pid }) => (id.startsWith("session:") && pid !== undefined ? [pid] : []));
}

test("a session holds databases of both kinds, chosen by source; the only one needs no name", async () => {
  await using gateway = await start();
  const ada = person(gateway.gateway, "ada");
  const session = await ada.openSession();
  const path = `/v1/sessions/${session}`;
  expect(await ada.tool("query", { session, sql: "SELECT 1" })).toMatchObject({ code: "source_required" });
  expect(await ada.rest("POST", `${path}/connections`, pgAs(pgUsers[0]))).toMatchObject({ status: 201 });
  const whoIs = { session, sql: "SELECT current_user" };
  expect(firstCell(await ada.tool("query", whoIs))).toBe(pgUsers[0].user);
  const added = await ada.rest("POST", `${path}/connections`, { ...myAs(myUsers[0]), name: "archive" });
  expect(added).toMatchObject({ status: 201, body: { name: "archive", server: "mysql", user: myUsers[0].user } });
  expect(await ada.tool("query", whoIs)).toMatchObject({ code: "source_required", hint: "Pass source: pg, archive." });
  expect(firstCell(await ada.tool("query", { ...whoIs, source: "archive" }))).toBe(`${myUsers[0].user}@%`);
  expect(firstCell(await ada.tool("query", { ...whoIs, source: "pg" }))).toBe(pgUsers[0].user);
  expect(await ada.tool("query", { ...whoIs, source: "archiv" })).toMatchObject({ hint: "Did you mean archive?" });
  const { connections } = await ada.tool("list_connections", { session });
  expect((connections as { name: string }[]).map(({ name }) => name)).toEqual(["pg", "archive"]);
  expect(await ada.rest("POST", `${path}/connections`, pgAs(pgUsers[0]))).toMatchObject({ status: 409 });
  expect(await ada.tool("disconnect_database", { session, name: "pg" })).toEqual({ disconnected: true });
  expect(firstCell(await ada.tool("query", whoIs))).toBe(`${myUsers[0].user}@%`);
  expect(await ada.tool("close_session", { session })).toEqual({ closed: true });
  expect(await ada.tool("query", whoIs)).toMatchObject({ code: "session_not_found" });
  await until(async () => (await pids(gateway)).length === 0);
});

describe("server processes", () => {
  test("equal credentials of one principal share one, different principals never do", async () => {
    await using gateway = await start();
    const [ada, bob] = [person(gateway.gateway, "ada"), person(gateway.gateway, "bob")];
    const first = await ada.openSession();
    await ada.rest("POST", `/v1/sessions/${first}/connections`, { ...myAs(myUsers[0]), name: "one" });
    await ada.rest("POST", `/v1/sessions/${first}/connections`, { ...myAs(myUsers[0]), name: "two" });
    const second = await ada.openSession();
    await ada.rest("POST", `/v1/sessions/${second}/connections`, myAs(myUsers[0]));
    expect(await pids(gateway)).toHaveLength(1);
    const his = await bob.openSession();
    await bob.rest("POST", `/v1/sessions/${his}/connections`, myAs(myUsers[0]));
    const both = await pids(gateway);
    expect(both).toHaveLength(2);
    await ada.tool("close_session", { session: first });
    expect(await pids(gateway)).toEqual(both);
    await ada.tool("close_session", { session: second });
    await until(async () => (await pids(gateway)).length === 1);
    expect(await isAlive(both[1] ?? 0)).toBe(true);
    await until(async () => !(await isAlive(both[0] ?? 0)));
  });

  test("no more than the limit run: those that rest make room and come back when they are needed", async () => {
    await using gateway = await start({ maxSessionServers: 1 });
    const ada = person(gateway.gateway, "ada");
    const session = await ada.openSession();
    await ada.rest("POST", `/v1/sessions/${session}/connections`, { ...pgAs(pgUsers[0]), name: "one" });
    const before = await pids(gateway);
    await ada.rest("POST", `/v1/sessions/${session}/connections`, { ...pgAs(pgUsers[1]), name: "two" });
    await until(async () => !(await isAlive(before[0] ?? 0)));
    const sql = "SELECT current_user";
    for (const [source, user] of [
      ["one", pgUsers[0]],
      ["two", pgUsers[1]],
      ["one", pgUsers[0]],
    ] as const)
      expect(firstCell(await ada.tool("query", { session, source, sql }))).toBe(user.user);
    expect(await pids(gateway)).toHaveLength(1);
  });
});

test("a connection is kept only if it works, and says what failed and why", async () => {
  await using gateway = await start();
  const ada = person(gateway.gateway, "ada");
  const session = await ada.openSession();
  const tried = (body: object) => ada.rest("POST", `/v1/sessions/${session}/connections`, body);
  const wrong = await tried({ ...myAs(myUsers[0]), password: "canary-wrong" });
  expect(wrong).toMatchObject({ status: 422, body: { code: "authentication_failed" } });
  expect(wrong.body.detail).toMatch(/password|user/i);
  const absent = await tried({ ...pgAs(pgUsers[0]), database: "canary_nowhere" });
  expect(absent).toMatchObject({ status: 422, body: { code: "database_not_found" } });
  for (const { text } of [wrong, absent]) expect(text).not.toMatch(/canary|u_[0-9a-f]{10}/);
  expect((await ada.rest("GET", `/v1/sessions/${session}`)).body.connections).toEqual([]);
  await until(async () => (await pids(gateway)).length === 0);
});

test("a session that rests ends by itself, its server with it; every call lets it live on", async () => {
  await using gateway = await start({ sessionTimeout: 4_000 }); // longer than a server takes to start
  const ada = person(gateway.gateway, "ada");
  const session = await ada.openSession();
  await ada.rest("POST", `/v1/sessions/${session}/connections`, pgAs(pgUsers[0]));
  const [pid = 0] = await pids(gateway);
  for (let round = 0; round < 6; round++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(firstCell(await ada.tool("query", { session, sql: "SELECT 1" }))).toBe(1);
  }
  await until(async () => (await ada.rest("GET", "/v1/sessions")).body.sessions?.toString() === "");
  await until(async () => !(await isAlive(pid)));
  expect(await ada.tool("query", { session, sql: "SELECT 1" })).toMatchObject({ code: "session_not_found" });
});

test("limits: sessions of a principal, databases of a session, a life in all", async () => {
  await using gateway = await start({ maxSessions: 2, maxConnections: 1, sessionTimeout: 8_000, sessionMaxAge: 8_100 });
  const [ada, bob] = [person(gateway.gateway, "ada"), person(gateway.gateway, "bob")];
  const session = await ada.openSession();
  await ada.openSession();
  expect(await ada.rest("POST", "/v1/sessions", {})).toMatchObject({ status: 429, body: { code: "session_limit" } });
  expect(await bob.rest("POST", "/v1/sessions", {})).toMatchObject({ status: 201 });
  await ada.rest("POST", `/v1/sessions/${session}/connections`, pgAs(pgUsers[0]));
  const more = await ada.rest("POST", `/v1/sessions/${session}/connections`, { ...pgAs(pgUsers[0]), name: "more" });
  expect(more).toMatchObject({ status: 409, body: { code: "connection_limit" } });
  await until(async () => {
    const { code } = await ada.tool("query", { session, sql: "SELECT 1" });
    return code === "session_not_found";
  });
  expect(await ada.rest("POST", "/v1/sessions", {})).toMatchObject({ status: 201 });
});

test("without templates there are no sessions, and no tool takes one", async () => {
  await using gateway = await startGateway(() => ({ databases: { shop: pg.url } }));
  await using client = await gateway.connect("modern");
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).not.toContain("open_session");
  expect(JSON.stringify(tools)).not.toContain("session");
  const ada = person(gateway.gateway, "ada");
  expect(await ada.rest("POST", "/v1/sessions", {})).toMatchObject({
    status: 404,
    body: { code: "sessions_disabled" },
  });
});

test("beside databases of the config a session is optional, and the config's sources keep their names", async () => {
  await using gateway = await startGateway(() => ({
    databases: { shop: pg.url, archive: my.url },
    templates: testTemplates(),
  }));
  await using client = await gateway.connect("legacy");
  const { tools } = await client.listTools();
  const query = tools.find(({ name }) => name === "query");
  expect(query?.inputSchema.required).toBeUndefined();
  expect(query?.inputSchema.properties?.source).toEqual({
    type: "string",
    description: "postgres: shop; mysql: archive; or a connection of the session",
  });
  const ada = person(gateway.gateway, "ada");
  expect(firstCell(await ada.tool("query", { sql: "SELECT 1", source: "shop" }))).toBe(1);
  expect(await ada.tool("query", { sql: "SELECT 1" })).toMatchObject({ code: "source_required" });
  const session = await ada.openSession();
  await ada.rest("POST", `/v1/sessions/${session}/connections`, { ...pgAs(pgUsers[0]), name: "shop" });
  const sql = "SELECT current_user";
  expect(firstCell(await ada.tool("query", { sql, session }))).toBe(pgUsers[0].user);
  expect(firstCell(await ada.tool("query", { sql, source: "shop" }))).not.toBe(pgUsers[0].user);
});
