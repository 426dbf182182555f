/** What the conformance suite has to know of PostgreSQL. */
import type { ConformanceTarget } from "@database-interface/mcp-core/testing";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import type { TestDatabase } from "../support/databases.js";

/** The suite's target on this database, reached through `url`: its own, or a pooler's before it. */
export function postgresTarget(database: TestDatabase, url = database.url) {
  const own = `datname = '${database.name}' AND pid <> pg_backend_pid() AND application_name <> 'postgres.js'`;
  const target: ConformanceTarget<ReturnType<typeof postgresKind.parseSource>> = {
    kind: postgresKind,
    url,
    unreachableUrl: "postgres://nobody@127.0.0.1:1/nothing",
    schema: "public",
    run: database.run,
    parameter: (index) => `$${index}`,
    async running(marker) {
      // of a page only its FETCH is to be seen, in a database that is the test's own
      const ours = `query LIKE '%${marker}%' OR (datname = current_database() AND query LIKE 'FETCH FORWARD %')`;
      const sql = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND (${ours})`;
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
