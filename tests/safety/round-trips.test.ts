/**
 * What being safe costs on the way: a read waits for the server once, as a bare query does, and twice where names or
 * types are met for the first time (once more for a view's own names). The parser is no part of starting up.
 */
import { connect, createServer } from "node:net";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database, Parameter } from "../../mcp-core/src/sql/database.js";
import { answerOf, openSource as openMysql } from "../mysql/open.js";
import { collect, openSource as openPostgres } from "../postgres/open.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable } from "../support/processes.js";

/** A way to the server that counts how often the client, having heard from it, spoke again: so often it had waited. */
async function countTrips(url: string, defaultPort: number) {
  let trips = 0;
  let isServersTurn = true;
  const { hostname, port } = new URL(url);
  const listener = createServer((client) => {
    const upstream = connect(Number(port || defaultPort), hostname).on("error", () => client.destroy());
    client.on("error", () => upstream.destroy()).on("close", () => upstream.destroy());
    client.on("data", (chunk) => {
      if (isServersTurn) trips++;
      isServersTurn = false;
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      isServersTurn = true;
      client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  const own = new URL(url);
  own.host = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  return {
    url: own.href,
    /** What one call costs. */
    async of(call: () => Promise<unknown>): Promise<number> {
      trips = 0;
      isServersTurn = true;
      await call();
      return trips;
    },
    [Symbol.dispose]: () => void listener.close(),
  };
}

type Read = (sql: string, params: readonly Parameter[], maxRows: number) => Promise<unknown>;
type Call = readonly [title: string, sql: string, params: readonly Parameter[], maxRows: number];

const engines = {
  postgres: {
    create: createPostgresDatabase,
    port: 5432,
    open: (url: string) => openPostgres(url, 1),
    read:
      (source: Database): Read =>
      (sql, params, maxRows) =>
        collect(source, sql, params, { maxRows }),
    calls: [
      ["a read", "SELECT id, name FROM things", [], 1_000],
      ["with parameters", "SELECT id FROM things WHERE name = $1 AND id > $2", ["a", 0], 1_000],
      ["with a cap on its rows", "SELECT id FROM things", [], 2],
      ["of a view", "SELECT * FROM shown", [], 1_000],
      ["with a CTE", "WITH c AS (SELECT count(*) AS n FROM things) SELECT n FROM c", [], 1_000],
      ["a setting", "SHOW search_path", [], 1_000],
      ["a plan", "EXPLAIN SELECT * FROM things", [], 1_000],
    ] satisfies readonly Call[],
  },
  mysql: {
    create: createMysqlDatabase,
    port: 3306,
    open: (url: string) => openMysql(url, { poolSize: 1 }),
    read:
      (source: Database): Read =>
      (sql, params, maxRows) =>
        answerOf(source, sql, params, { maxRows }),
    calls: [
      ["a read", "SELECT id, name FROM things", [], 1_000],
      ["with parameters", "SELECT id FROM things WHERE name = ? AND id > ?", ["a", 0], 1_000],
      ["with a cap on its rows", "SELECT id FROM things", [], 2],
      ["of a view", "SELECT * FROM shown", [], 1_000],
      ["with a CTE", "WITH c AS (SELECT count(*) AS n FROM things) SELECT n FROM c", [], 1_000],
      ["a setting", "SHOW VARIABLES LIKE 'sql_mode'", [], 1_000],
      ["a plan", "EXPLAIN SELECT * FROM things", [], 1_000],
    ] satisfies readonly Call[],
  },
};

describe.each(["postgres", "mysql"] as const)("%s", (name) => {
  const engine = engines[name];
  let database: TestDatabase;
  let counter: Awaited<ReturnType<typeof countTrips>>;
  let source: Database;
  beforeAll(async () => {
    database = await engine.create();
    await database.run(`CREATE TABLE things (id int, name varchar(9)); INSERT INTO things VALUES (1, 'a'), (2, 'b'), (3, 'c');
      CREATE VIEW shown AS SELECT count(*) AS n FROM things`);
    counter = await countTrips(database.url, engine.port);
    source = engine.open(counter.url);
    await engine.read(source)("SELECT 1", [], 1);
  });
  afterAll(async () => {
    await source?.[Symbol.asyncDispose]();
    counter?.[Symbol.dispose]();
    await database?.[Symbol.asyncDispose]();
  });

  test.each(engine.calls)("%s: two round trips at first, one after", async (_title, sql, params, maxRows) => {
    const read = engine.read(source);
    // What a view reads is known once the view is: one more, at most every half minute.
    const most = sql.includes("shown") && name === "postgres" ? 3 : 2;
    expect(await counter.of(() => read(sql, params, maxRows))).toBeLessThanOrEqual(most);
    expect(await counter.of(() => read(sql, params, maxRows))).toBe(1);
    expect(await counter.of(() => read(sql, params, maxRows))).toBe(1);
  });

  test("what is refused before it is sent costs none", async () => {
    const read = engine.read(source);
    expect(await counter.of(() => read("DELETE FROM things", [], 1).catch(() => {}))).toBe(0);
    expect(await counter.of(() => read("SELECT 1; SELECT 2", [], 1).catch(() => {}))).toBe(0);
  });
});

test("tools are listed before the parser is loaded, and the first query loads it", async () => {
  await using database = await createPostgresDatabase();
  // Says so when a WebAssembly module of the parser's size is compiled.
  const probe = `for (const name of ["compile", "instantiate"]) {
    const own = WebAssembly[name];
    WebAssembly[name] = (code, ...more) => {
      if ((code.byteLength ?? 0) > 500_000) process.stderr.write("PARSER LOADED\\n");
      return own.call(WebAssembly, code, ...more);
    };
  }`;
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: ["--import", `data:text/javascript,${encodeURIComponent(probe)}`, executable("mcp-postgres"), database.url],
    stderr: "pipe",
    env: { PATH: process.env.PATH ?? "" },
  });
  let log = "";
  transport.stderr?.on("data", (chunk) => {
    log += chunk;
  });
  const client = new Client({ name: "start", version: "1.0.0" });
  await client.connect(transport);
  try {
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("query");
    expect(log).not.toContain("PARSER LOADED");
    expect((await client.callTool({ name: "query", arguments: { sql: "SELECT 1" } })).isError ?? false).toBe(false);
    expect(log).toContain("PARSER LOADED");
  } finally {
    await client.close();
  }
});
