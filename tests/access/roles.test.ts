/** What a role lets a principal do with tools, at a database server and behind the gateway, in both eras. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Role, serve } from "../../mcp-core/src/host/index.js";
import { createDatabaseServer } from "../../mcp-core/src/sql/server.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { fixtureServer, startGateway, textOf } from "../gateway/gateways.js";
import { defaultSettings, eras, openSources, silentLog } from "../sql/connect.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { openLog } from "./serving.js";

/** The token is the role; who may write may use. */
const authenticators = [
  {
    authenticate: (token: string) => ({ principal: { id: `${token}r`, roles: new Set<Role>(["use", token as Role]) } }),
  },
];

let database: TestDatabase;
beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run("CREATE TABLE t (a int)");
});
afterAll(() => database?.[Symbol.asyncDispose]());

async function connect(url: string, era: string, token: Role) {
  const client = new Client(
    { name: "t", version: "1" },
    { versionNegotiation: { mode: era === "legacy" ? "legacy" : "auto" } },
  );
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit }));
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

const namesOf = async (client: Client) => (await client.listTools()).tools.map(({ name }) => name);
const insert = { name: "execute", arguments: { sql: "INSERT INTO t VALUES (1)" } };

describe.each(eras)("at a database server, %s", (era) => {
  async function open() {
    const sources = openSources(postgresKind, { t: database.url });
    const settings = { ...defaultSettings, mode: "write" as const };
    const server = createDatabaseServer({ kind: postgresKind, sources: sources.list, settings, log: silentLog });
    const served = await serve({
      name: "t",
      version: "1",
      factory: server,
      transport: "http",
      http: { host: "127.0.0.1", port: 0, drainMs: 100, authenticators },
      log: openLog().log,
      signal: new AbortController().signal,
    });
    return {
      url: served.url ?? "",
      async [Symbol.asyncDispose]() {
        await served[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
        await sources[Symbol.asyncDispose]();
      },
    };
  }

  test("use sees and calls what reads", async () => {
    await using server = await open();
    await using client = await connect(server.url, era, "use");
    expect(await namesOf(client)).not.toContain("execute");
    expect(textOf(await client.callTool({ name: "query", arguments: { sql: "SELECT 1 AS one" } }))).toContain("one");
    const refused = await client.callTool(insert);
    expect([refused.isError, JSON.parse(textOf(refused)).code]).toEqual([true, "role_required"]);
    expect(await database.run("SELECT count(*)::int AS n FROM t")).toEqual([{ n: 0 }]);
  });

  test("write does both", async () => {
    await using server = await open();
    await using client = await connect(server.url, era, "write");
    expect(await namesOf(client)).toContain("execute");
    expect((await client.callTool(insert)).isError ?? false).toBe(false);
    await database.run("TRUNCATE t");
  });
});

describe.each(eras)("behind the gateway, %s", (era) => {
  test("use sees and calls what says that it only reads; write everything", async () => {
    await using gateway = await startGateway(
      () => ({
        databases: { t: { url: database.url, settings: { mode: "write" } } },
        mcpServers: { odd: fixtureServer("odd-server") },
      }),
      {},
      { authenticators },
    );
    await using reader = await connect(gateway.url, era, "use");
    const seen = await namesOf(reader);
    expect([seen.includes("query"), seen.includes("execute"), seen.some((name) => name.startsWith("odd__"))]).toEqual([
      true,
      false,
      false,
    ]);
    for (const call of [insert, { name: "odd__echo", arguments: {} }]) {
      expect(JSON.parse(textOf(await reader.callTool(call))).code).toBe("role_required");
    }
    expect(textOf(await reader.callTool({ name: "query", arguments: { sql: "SELECT 1 AS one" } }))).toContain("one");
    await using writer = await connect(gateway.url, era, "write");
    expect(await namesOf(writer)).toEqual(expect.arrayContaining(["query", "execute", "odd__echo"]));
    expect((await writer.callTool({ name: "odd__echo", arguments: {} })).isError ?? false).toBe(false);
  });
});
