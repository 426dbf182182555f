/** The floor of safety: nothing changes, one statement at a time, nothing left behind for the next call. */
import assert from "node:assert/strict";
import { failureOf, openTarget, readAll, readOptions } from "../fixture.js";
import type { ConformanceTarget, TargetCase } from "../target.js";

const writes: readonly string[] = [
  "INSERT INTO conformance_parents VALUES (3, 'new')",
  "UPDATE conformance_parents SET full_name = 'changed'",
  "DELETE FROM conformance_children",
  "CREATE TABLE conformance_new (id int)",
  "ALTER TABLE conformance_parents ADD COLUMN extra int",
  "DROP TABLE conformance_rows",
  "TRUNCATE TABLE conformance_rows",
  "DROP VIEW conformance_view",
];

const refusals = ["read_only", "not_allowed", "permission_denied", "multiple_statements", "syntax_error"];

async function fingerprint({ run }: ConformanceTarget): Promise<string> {
  const rows = await run(
    "SELECT (SELECT count(*) FROM conformance_rows) AS a, (SELECT count(*) FROM conformance_view) AS b, " +
      "(SELECT min(full_name) FROM conformance_parents) AS c, " +
      "(SELECT count(*) FROM information_schema.columns WHERE table_name LIKE 'conformance%') AS d",
  );
  return Object.values(rows[0] ?? {}).join("|");
}

export const safetyCases: readonly TargetCase[] = [
  [
    "statements that write are refused, by read, cursor and explain alike, and change nothing",
    async (target) => {
      await using database = openTarget(target);
      const before = await fingerprint(target);
      for (const sql of [...writes, ...target.writes]) {
        const statement = { sql, params: [] };
        const outcomes = [
          await failureOf(readAll(database, sql)),
          await failureOf(
            database.openCursor(statement, readOptions()).then((cursor) => cursor[Symbol.asyncDispose]()),
          ),
          await failureOf(database.explain(statement, { ...readOptions(), analyze: true })),
        ];
        for (const { code } of outcomes) assert.ok(refusals.includes(code), `${sql}: ${code}`);
      }
      assert.equal(await fingerprint(target), before);
    },
  ],
  [
    "two statements in one text are refused, and the second does not run",
    async (target) => {
      await using database = openTarget(target);
      const before = await fingerprint(target);
      for (const second of [
        "SELECT 2",
        "DELETE FROM conformance_rows",
        "COMMIT",
        "COMMIT; DELETE FROM conformance_rows",
      ]) {
        assert.equal((await failureOf(readAll(database, `SELECT 1; ${second}`))).code, "multiple_statements", second);
      }
      assert.equal(await fingerprint(target), before);
    },
  ],
  [
    "a statement cannot leave the transaction or turn read-only off",
    async (target) => {
      await using database = openTarget(target, { poolSize: 1 });
      const before = await fingerprint(target);
      const attempts = ["COMMIT", "ROLLBACK", "BEGIN", "START TRANSACTION READ WRITE", "SET TRANSACTION READ WRITE"];
      for (const sql of attempts) {
        await failureOf(readAll(database, sql));
        const { code } = await failureOf(readAll(database, "INSERT INTO conformance_parents VALUES (9, 'after')"));
        assert.ok(refusals.includes(code), `after ${sql}: ${code}`);
      }
      assert.equal(await fingerprint(target), before);
    },
  ],
  [
    "explain with analyze of a read works and says something",
    async (target) => {
      await using database = openTarget(target);
      const statement = { sql: "SELECT * FROM conformance_rows WHERE label = 'row 7'", params: [] };
      for (const analyze of [false, true]) {
        const { plan } = await database.explain(statement, { ...readOptions(), analyze });
        assert.match(plan, /conformance_rows/);
      }
    },
  ],
];
