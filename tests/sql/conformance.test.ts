/** Every database passes the same suite. A further one is a row in the table of targets. */
import { type ConformanceTarget, databaseConformance } from "@database-interface/mcp-core/testing";
import { afterAll, describe, test } from "vitest";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { postgresTarget } from "./postgres-target.js";

const opened: TestDatabase[] = [];

async function keep(database: Promise<TestDatabase>): Promise<TestDatabase> {
  opened.push(await database);
  return database;
}

afterAll(async () => {
  await Promise.all(opened.map((database) => database[Symbol.asyncDispose]()));
});

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
  for (const { name, run } of databaseConformance(async () => postgresTarget(await keep(createPostgresDatabase()))))
    test(name, run, 90_000);
});

describe("mcp-mysql", () => {
  for (const { name, run } of databaseConformance(mysqlTarget)) test(name, run, 90_000);
});

/** A thread that ended by itself between the list and the KILL is gone all the same. */
function unlessGone(error: unknown): void {
  const unknownThread = 1094;
  if (!(error instanceof Error && "errno" in error && error.errno === unknownThread)) throw error;
}
