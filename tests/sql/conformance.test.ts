/** Every database passes the same suite. A further one is a row in the table of targets. */
import { type ConformanceTarget, databaseConformance } from "@database-interface/mcp-core/testing";
import { afterAll, describe, test } from "vitest";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";

const opened: TestDatabase[] = [];

async function keep(database: Promise<TestDatabase>): Promise<TestDatabase> {
  opened.push(await database);
  return database;
}

afterAll(async () => {
  await Promise.all(opened.map((database) => database[Symbol.asyncDispose]()));
});

async function postgresTarget() {
  const database = await keep(createPostgresDatabase());
  const own = `datname = '${database.name}' AND pid <> pg_backend_pid() AND application_name <> 'postgres.js'`;
  const target: ConformanceTarget<ReturnType<typeof postgresKind.parseSource>> = {
    kind: postgresKind,
    url: database.url,
    unreachableUrl: "postgres://nobody@127.0.0.1:1/nothing",
    schema: "public",
    run: database.run,
    parameter: (index) => `$${index}`,
    async running(marker) {
      const sql = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%${marker}%'`;
      return Number((await database.run(sql))[0]?.n);
    },
    async disconnectAll() {
      await database.run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${own}`);
    },
    values: [
      { form: "integer", expression: "9223372036854775807::bigint", cell: "9223372036854775807" },
      { form: "decimal", expression: "1.50::numeric(10,2)", cell: "1.50" },
      { form: "float", expression: "'NaN'::float8", cell: "NaN" },
      { form: "float", expression: "0.1::float8", cell: "0.1" },
      { form: "boolean", expression: "true", cell: "true" },
      { form: "json", expression: `'{"a": [1, 2.50]}'::json`, cell: '{"a": [1, 2.50]}' },
      { form: "bytes", expression: "'\\x00ff'::bytea", cell: new Uint8Array([0, 255]) },
      { form: "text", expression: "timestamp '2024-02-29 12:34:56.789'", cell: "2024-02-29 12:34:56.789" },
      { form: "text", expression: "date '0044-03-15 BC'", cell: "0044-03-15 BC" },
    ],
    writes: [
      "WITH gone AS (DELETE FROM conformance_children RETURNING *) SELECT * FROM gone",
      "SELECT * INTO conformance_new FROM conformance_rows",
      "SELECT lo_create(0)",
      "COPY conformance_rows TO PROGRAM 'cat'",
      "VACUUM conformance_rows",
      "GRANT SELECT ON conformance_rows TO PUBLIC",
      "COMMENT ON TABLE conformance_rows IS 'changed'",
    ],
  };
  return target;
}

async function mysqlTarget() {
  const database = await keep(createMysqlDatabase());
  const threads = async (condition: string) =>
    database.run(
      `SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND db = '${database.name}' AND ${condition}`,
    );
  const target: ConformanceTarget<ReturnType<typeof mysqlKind.parseSource>> = {
    kind: mysqlKind,
    url: database.url,
    unreachableUrl: "mysql://nobody@127.0.0.1:1/nothing",
    schema: database.name,
    run: database.run,
    parameter: () => "?",
    running: async (marker) => (await threads(`info LIKE '%${marker}%'`)).length,
    async disconnectAll() {
      for (const { id } of await threads("true")) await database.run(`KILL CONNECTION ${id}`).catch(unlessGone);
    },
    values: [
      { form: "integer", expression: "18446744073709551615", cell: "18446744073709551615" },
      { form: "decimal", expression: "CAST(1.50 AS decimal(10,2))", cell: "1.50" },
      { form: "float", expression: "1.5e0", cell: "1.5" },
      { form: "bytes", expression: "x'00ff'", cell: new Uint8Array([0, 255]) },
      { form: "text", expression: "timestamp'2024-02-29 12:34:56.789'", cell: "2024-02-29 12:34:56.789" },
      { form: "text", expression: "'ü'", cell: "ü" },
    ],
    writes: [
      "REPLACE INTO conformance_parents VALUES (1, 'changed')",
      "RENAME TABLE conformance_rows TO conformance_new",
      "SELECT * FROM conformance_rows INTO OUTFILE 'conformance_out'",
      "SELECT 1 INTO @conformance",
      "CALL no_such_procedure()",
      "LOCK TABLES conformance_rows WRITE",
      "GRANT SELECT ON conformance_rows TO nobody",
      "BEGIN NOT ATOMIC COMMIT; DELETE FROM conformance_children; END",
    ],
  };
  return target;
}

describe("mcp-postgres", () => {
  for (const { name, run } of databaseConformance(postgresTarget)) test(name, run, 90_000);
});

describe("mcp-mysql", () => {
  for (const { name, run } of databaseConformance(mysqlTarget)) test(name, run, 90_000);
});

/** A thread that ended by itself between the list and the KILL is gone all the same. */
function unlessGone(error: unknown): void {
  const unknownThread = 1094;
  if (!(error instanceof Error && "errno" in error && error.errno === unknownThread)) throw error;
}
