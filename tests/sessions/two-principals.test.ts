/** Two people with database users of their own, on both engines: what one does, knows or loses is nothing to the other. */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Instance } from "../../mcp-postgres/src/instance.js";
import { startGateway, type TestGateway } from "../gateway/gateways.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { startPostgres } from "../support/postgres-standby.js";
import {
  createMysqlUser,
  createPostgresUser,
  type DatabaseUser,
  type Person,
  person,
  testTemplates,
} from "./people.js";

vi.setConfig({ testTimeout: 120_000 }); // each person has a server that starts

let server: Instance; // of its own: it asks everybody for a password
let databases: Readonly<Record<"pg" | "my", TestDatabase>>;
let gateway: TestGateway;
beforeAll(async () => {
  server = await startPostgres();
  databases = { pg: await createPostgresDatabase(server.url("postgres")), my: await createMysqlDatabase() };
  gateway = await startGateway(() => ({ templates: testTemplates({ pg: databases.pg.url }) }));
}, 120_000);
afterAll(async () => {
  for (const one of [gateway, databases?.pg, databases?.my, server]) await one?.[Symbol.asyncDispose]();
});

const engines = {
  pg: { createUser: () => createPostgresUser(server.url("postgres")), shown: (user: string) => user },
  my: { createUser: () => createMysqlUser(databases.my.name), shown: (user: string) => `${user}@%` },
};

/** A person with a session in which their database is. */
async function settle(engine: "pg" | "my", name: string, { user, password }: DatabaseUser) {
  const self = person(gateway.gateway, name);
  const session = await self.openSession();
  const given = { template: engine, database: databases[engine].name, user, password };
  const connect = (more: object = {}) =>
    self.rest("POST", `/v1/sessions/${session}/connections`, { ...given, ...more });
  expect(await connect()).toMatchObject({ status: 201 });
  const { id } = (await self.rest("GET", `/v1/sessions/${session}`)).body;
  return {
    self,
    session,
    id: String(id),
    connect,
    whoAmI: (source = engine as string) => whoIs(self, session, source),
  };
}

async function whoIs(self: Person, session: string, source: string): Promise<unknown> {
  const { rows, code } = await self.tool("query", { session, source, sql: "SELECT current_user" });
  return (rows as string[][] | undefined)?.[0]?.[0] ?? code;
}

/** A server as it is shown, and when the system started its process. */
interface Running {
  readonly pid: number;
  readonly shown: object;
  readonly startedAt: string | undefined;
}

async function running(): Promise<Running[]> {
  const { body } = await person(gateway.gateway, "root", ["admin"]).rest("GET", "/v1/servers");
  const servers = body.servers as { id: string; pid?: number; active: number }[];
  const own = servers.filter(({ id, pid }) => id.startsWith("session:") && pid !== undefined);
  return Promise.all(
    own.map(async ({ pid = 0, ...shown }) => {
      const stat = await readFile(`/proc/${pid}/stat`, "utf8");
      return { pid, shown, startedAt: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] };
    }),
  );
}

/** References that differ from one by little, and other things that are not it. */
function nearly(reference: string, id: string): unknown[] {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const other = (at: number, by: number): string => {
    const letter = alphabet[(alphabet.indexOf(reference.charAt(at)) + by) % 64];
    return reference.slice(0, at) + letter + reference.slice(at + 1);
  };
  return [
    ...[0, 7, 14, 20].map((at) => other(at, 1)),
    ...[1, 2, 4, 8, 15].map((by) => other(21, by)), // the last letter's low bits stand for nothing
    ...[reference.slice(0, -1), `${reference}A`, `${reference}=`, `${reference}==`, ` ${reference}`, `${reference}\n`],
    ...[reference.toLowerCase(), reference.toUpperCase(), [...reference].reverse().join(""), `${reference}\0`],
    ...[encodeURIComponent(`${reference}/`), Buffer.from(reference, "base64url").toString("hex")],
    ...[
      Buffer.from(reference, "base64url").toString("base64"),
      id.toUpperCase(),
      `${id} `,
      "",
      "*",
      "%",
      "x".repeat(200),
    ],
  ];
}

describe.each(["pg", "my"] as const)("%s", (engine) => {
  test("each is their own user; a changed password ends nothing of the other's", async () => {
    const { createUser, shown } = engines[engine];
    await using adas = await createUser();
    await using bobs = await createUser();
    const bob = await settle(engine, "bob", bobs);
    const [his] = await running();
    const ada = await settle(engine, "ada", adas);
    expect([await ada.whoAmI(), await bob.whoAmI()]).toEqual([shown(adas.user), shown(bobs.user)]);
    const hers = (await running()).find(({ pid }) => pid !== his?.pid);

    await adas.setPassword("pw-another");
    await ada.self.rest("DELETE", `/v1/sessions/${ada.session}/connections/${engine}`);
    expect(await ada.connect()).toMatchObject({ status: 422, body: { code: "authentication_failed" } });
    expect(await ada.connect({ password: "pw-another" })).toMatchObject({ status: 201 });
    expect([await ada.whoAmI(), await bob.whoAmI()]).toEqual([shown(adas.user), shown(bobs.user)]);
    const after = await running();
    expect(after.find(({ pid }) => pid === his?.pid)).toEqual(his);
    expect(after.map(({ pid }) => pid)).not.toContain(hers?.pid);
    expect(after).toHaveLength(2);
    for (const { self, session } of [ada, bob]) await self.tool("close_session", { session });
    await expect.poll(running, { timeout: 20_000 }).toEqual([]);
  });

  test("neither can name, list, use, close or guess the other's session", async () => {
    const { createUser, shown } = engines[engine];
    await using adas = await createUser();
    await using bobs = await createUser();
    const ada = await settle(engine, "ada", adas);
    const bob = await settle(engine, "bob", bobs);
    const draft = { template: engine, database: "x", user: "x" };
    const guesses = ["BwcHBwcHBwcHBwcHBwcHBw", ada.session, ada.id, ...nearly(ada.session, ada.id)];

    const told = new Set<string>();
    for (const session of guesses) {
      for (const [name, given] of [
        ["query", { sql: "SELECT 1" }],
        ["list_connections", {}],
        ["connect_database", draft],
        ["disconnect_database", { name: engine }],
        ["close_session", {}],
      ] as const)
        told.add(JSON.stringify(await bob.self.tool(name, { session, ...given })));
    }
    expect([...told]).toEqual([expect.stringContaining('"code":"session_not_found"')]);

    const answered = new Set<string>();
    for (const session of guesses.map((one) => encodeURIComponent(String(one))).filter((one) => one !== "")) {
      const path = `/v1/sessions/${session}`;
      for (const [method, at, body] of [
        ["GET", path],
        ["GET", `${path}/connections`],
        ["POST", `${path}/connections`, { ...draft, password: "x" }],
        ["POST", `${path}/invitations`, draft],
        ["DELETE", `${path}/connections/${engine}`],
        ["DELETE", path],
      ] as const) {
        const { status, text } = await bob.self.rest(method, at, body);
        answered.add(`${status} ${text}`);
      }
    }
    expect([...answered]).toEqual([expect.stringMatching(/^404 .*"code":"session_not_found"/)]);

    for (const path of ["/v1/sessions", "/v1/templates", `/v1/sessions/${bob.session}`]) {
      const { text } = await bob.self.rest("GET", path);
      for (const hers of [ada.session, ada.id, adas.user]) expect(text).not.toContain(hers);
    }
    expect([await ada.whoAmI(), await bob.whoAmI()]).toEqual([shown(adas.user), shown(bobs.user)]);
    for (const { self, session } of [ada, bob]) await self.tool("close_session", { session });
  });
});
