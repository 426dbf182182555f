/** A short call does not wait behind a long one as long as there is room for another connection. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/index.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";

const options = { poolSize: 3, connectTimeoutMs: 10_000, log: { debug: () => {}, warn: () => {} } };
const engines = {
  PostgreSQL: {
    open: (url: string) => postgresKind.open(postgresKind.parseSource(url, {}), options),
    create: createPostgresDatabase,
    long: "SELECT pg_sleep(60)",
  },
  MariaDB: {
    open: (url: string) => mysqlKind.open(mysqlKind.parseSource(url, {}), options),
    create: createMysqlDatabase,
    long: "WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 900) SELECT count(*) FROM s a, s b, s c, s d",
  },
} as const;

describe.each(Object.entries(engines))("%s", (_, { open, create, long }) => {
  let database: TestDatabase;
  let source: Database;
  beforeAll(async () => {
    database = await create();
    source = open(database.url);
  });
  afterAll(async () => {
    await source?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  const read = (sql: string, signal = new AbortController().signal) =>
    source.read(
      { sql, params: [] },
      { columns: () => {}, row: () => true },
      { maxRows: 10, maxWireBytes: 1_000_000, timeoutMs: 50_000, signal },
    );

  test("one call after the other finds a connection while earlier ones are busy", async () => {
    await read("SELECT 1"); // one connection is open and idle
    const stop = new AbortController();
    const busy: Promise<string>[] = [];
    for (let count = 1; count <= 2; count++) {
      busy.push(read(long, stop.signal).then(() => "long", () => "long")); // biome-ignore format: one line
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(await Promise.race([read("SELECT 2").then(() => "short"), ...busy])).toBe("short");
    }
    stop.abort();
    await Promise.all(busy);
  });
});
