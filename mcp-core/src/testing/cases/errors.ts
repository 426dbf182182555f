/** What goes wrong comes as the catalogue's codes, with what the tools need for a hint. */
import assert from "node:assert/strict";
import { CodedError } from "../../host/errors.js";
import { sqlErrors } from "../../sql/error-catalogue.js";
import { StatementError } from "../../sql/errors.js";
import { failureOf, openTarget, readAll } from "../fixture.js";
import type { TargetCase } from "../target.js";

/** Statement, the codes it may fail with. */
const failures: readonly (readonly [string, ...string[]])[] = [
  ["", "sql_empty"],
  [" \n ", "sql_empty"],
  ["-- only a comment", "sql_empty"],
  ["/* only a comment */", "sql_empty"],
  [";", "sql_empty"],
  ["SELEC 1", "syntax_error", "not_allowed", "read_only"],
  ["SELECT * FROM conformance_rows WHERE", "syntax_error"],
  ["SELECT * FROM conformance_missing", "table_not_found"],
  ["SELECT missing_column FROM conformance_rows", "column_not_found"],
  ["SELECT no_such_function(1)", "function_not_found", "not_allowed"],
  ["SELECT id FROM conformance_parents, conformance_children", "ambiguous_column"],
  ["SELECT * FROM no_such_schema.some_table", "table_not_found", "schema_not_found"],
  [`SELECT '${"x".repeat(100_001)}'`, "sql_too_long"],
];

export const errorCases: readonly TargetCase[] = [
  [
    "wrong statements fail with the catalogue's codes, a message and no internals",
    async (target) => {
      await using database = openTarget(target);
      for (const [sql, ...codes] of failures) {
        const { code, error } = await failureOf(readAll(database, sql));
        assert.ok(codes.includes(code), `${sql.slice(0, 60)}: ${code}`);
        assert.ok(error instanceof CodedError && error.message.length > 5 && code in sqlErrors, sql.slice(0, 60));
      }
    },
  ],
  [
    "the wrong number of parameters is parameter_count",
    async (target) => {
      await using database = openTarget(target);
      const sql = `SELECT id FROM conformance_rows WHERE id = ${target.parameter(1)} OR id = ${target.parameter(2)}`;
      for (const params of [[], [1], [1, 2, 3]]) {
        assert.equal(
          (await failureOf(readAll(database, sql, params))).code,
          "parameter_count",
          `${params.length} given`,
        );
      }
    },
  ],
  [
    "a missing table and a missing column are named as the caller wrote them",
    async (target) => {
      await using database = openTarget(target);
      for (const [sql, kind, name] of [
        ["SELECT * FROM conformance_missing", "table", "conformance_missing"],
        ["SELECT missing_column FROM conformance_rows", "column", "missing_column"],
        ["SELECT r.missing_column FROM conformance_rows r", "column", "missing_column"],
      ]) {
        const { error } = await failureOf(readAll(database, sql ?? ""));
        assert.ok(error instanceof StatementError, sql);
        assert.equal(error.missing?.kind, kind, sql);
        assert.equal(error.missing?.name.split(".").at(-1), name, sql);
      }
    },
  ],
  [
    "a position, where the server gives one, counts characters of the caller's own SQL from 1",
    async (target) => {
      await using database = openTarget(target);
      const sql = "SELECT '😀 ü' AS a,\n  id\nFROM conformance_rows WHERE id ~~~~ 1 ORDER BY id";
      const { error } = await failureOf(readAll(database, sql));
      assert.ok(error instanceof StatementError);
      if (error.position === undefined) return;
      const rest = Array.from(sql)
        .slice(error.position - 1)
        .join("");
      assert.match(rest, /^(?:~|1)/);
    },
  ],
  [
    "errors hold no value of a parameter and no secret",
    async (target) => {
      await using database = openTarget(target);
      const sql = `SELECT id FROM conformance_rows WHERE id = ${target.parameter(1)} AND`;
      const { error } = await failureOf(readAll(database, sql, ["hunter2"]));
      assert.ok(error instanceof CodedError);
      assert.ok(!`${error.message} ${error.hint}`.includes("hunter2"));
    },
  ],
  [
    "a failed statement leaves the connection good",
    async (target) => {
      await using database = openTarget(target, { poolSize: 1 });
      for (let turn = 0; turn < 5; turn++) {
        await failureOf(readAll(database, "SELECT * FROM conformance_missing"));
        assert.deepEqual((await readAll(database, "SELECT 1 AS n")).rows, [["1"]]);
      }
    },
  ],
];
