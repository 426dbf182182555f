/** How results arrive. */
import assert from "node:assert/strict";
import { foreignText, openTarget, readAll, readOptions, rowCount } from "../fixture.js";
import type { TargetCase } from "../target.js";

export const readingCases: readonly TargetCase[] = [
  [
    "columns come once and before any row",
    async (target) => {
      await using database = openTarget(target);
      const events: string[] = [];
      const sink = {
        columns: () => void events.push("columns"),
        row: () => events.push("row") > 0,
      };
      await database.read(
        { sql: "SELECT id, label FROM conformance_rows WHERE id <= 3", params: [] },
        sink,
        readOptions(),
      );
      assert.deepEqual(events, ["columns", "row", "row", "row"]);
    },
  ],
  [
    "an empty result has its columns, with names and types",
    async (target) => {
      await using database = openTarget(target);
      const { columns, rows } = await readAll(database, "SELECT id, label FROM conformance_rows WHERE id < 0");
      assert.deepEqual(rows, []);
      assert.deepEqual(
        columns.map(({ name, form }) => [name, form]),
        [
          ["id", "integer"],
          ["label", "text"],
        ],
      );
      assert.ok(columns.every(({ type }) => type !== ""));
    },
  ],
  [
    "every value arrives as its exact text or bytes, in its form",
    async (target) => {
      await using database = openTarget(target);
      const list = target.values.map(({ expression }, index) => `${expression} AS v${index}`).join(", ");
      const { columns, rows } = await readAll(database, `SELECT ${list}`);
      assert.deepEqual(
        target.values.map(({ expression }, index) => [expression, columns[index]?.form, comparable(rows[0]?.[index])]),
        target.values.map(({ expression, form, cell }) => [expression, form, comparable(cell)]),
      );
    },
  ],
  [
    "columns of one name stay apart",
    async (target) => {
      await using database = openTarget(target);
      const { columns, rows } = await readAll(database, "SELECT 1 AS a, 2 AS a, 3 AS a");
      assert.deepEqual(
        columns.map(({ name }) => name),
        ["a", "a", "a"],
      );
      assert.deepEqual(rows, [["1", "2", "3"]]);
    },
  ],
  [
    "parameters are values, whatever they hold",
    async (target) => {
      await using database = openTarget(target);
      const sql = `SELECT id FROM conformance_parents WHERE full_name = ${target.parameter(1)} AND id = ${target.parameter(2)}`;
      assert.deepEqual((await readAll(database, sql, ["O'Brien", 2])).rows, [["2"]]);
      assert.deepEqual((await readAll(database, sql, ["' OR 1=1 -- ", 2])).rows, []);
      assert.deepEqual((await readAll(database, sql, [null, 2])).rows, []);
    },
  ],
  [
    "text of every script survives both ways",
    async (target) => {
      await using database = openTarget(target);
      const sql = `SELECT body FROM conformance_texts WHERE body = ${target.parameter(1)}`;
      assert.deepEqual((await readAll(database, sql, [foreignText])).rows, [[foreignText]]);
      assert.deepEqual((await readAll(database, `SELECT '${foreignText}' AS body`)).rows, [[foreignText]]);
    },
  ],
  [
    "many reads at once on a small pool each get their own rows",
    async (target) => {
      await using database = openTarget(target, { poolSize: 2 });
      const wanted = Array.from({ length: 40 }, (_, index) => index + 1);
      const reads = wanted.map((id) => readAll(database, `SELECT label FROM conformance_rows WHERE id = ${id}`));
      assert.deepEqual(
        (await Promise.all(reads)).map(({ rows }) => rows),
        wanted.map((id) => [[`row ${id}`]]),
      );
    },
  ],
  [
    "a whole table arrives complete and in order",
    async (target) => {
      await using database = openTarget(target);
      const { rows } = await readAll(database, "SELECT id FROM conformance_rows ORDER BY id");
      assert.deepEqual(
        rows,
        Array.from({ length: rowCount }, (_, index) => [String(index + 1)]),
      );
    },
  ],
  [
    "a comment, a trailing semicolon and a line break change nothing",
    async (target) => {
      await using database = openTarget(target);
      for (const sql of [
        "SELECT 1 AS n;",
        "SELECT 1 AS n -- the end",
        "/* first */ SELECT 1 AS n\n;\n",
        "(SELECT 1 AS n)",
      ]) {
        assert.deepEqual((await readAll(database, sql)).rows, [["1"]], sql);
      }
    },
  ],
];

function comparable(cell: unknown): unknown {
  return cell instanceof Uint8Array ? [...cell] : cell;
}
