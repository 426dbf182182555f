/** Paged results: one snapshot, every row once, nothing held after the end. */
import assert from "node:assert/strict";
import { endlessRows, failureOf, openTarget, readAll, readOptions, rowCount, until, untilSettled } from "../fixture.js";
import type { TargetCase } from "../target.js";

const all = { sql: "SELECT id, label FROM conformance_rows ORDER BY id", params: [] };

export const cursorCases: readonly TargetCase[] = [
  [
    "pages of a cursor are one snapshot: every row once, whatever others change meanwhile",
    async (target) => {
      await using database = openTarget(target);
      await using cursor = await database.openCursor(all, readOptions());
      assert.deepEqual(
        cursor.columns.map(({ name }) => name),
        ["id", "label"],
      );
      const rows = [...(await cursor.fetch(100, readOptions()))];
      await target.run("UPDATE conformance_rows SET label = 'changed'; DELETE FROM conformance_rows WHERE id > 900;");
      try {
        for (let page = rows; page.length > 0; ) {
          page = [...(await cursor.fetch(250, readOptions()))];
          rows.push(...page);
        }
      } finally {
        const lost = Array.from({ length: 100 }, (_, index) => `(${901 + index}, '')`).join(",");
        await target.run(
          `INSERT INTO conformance_rows VALUES ${lost}; UPDATE conformance_rows SET label = concat('row ', id);`,
        );
      }
      assert.deepEqual(
        rows,
        Array.from({ length: rowCount }, (_, index) => [String(index + 1), `row ${index + 1}`]),
      );
    },
  ],
  [
    "a page is as long as asked for, the last one shorter, those after it empty",
    async (target) => {
      await using database = openTarget(target);
      const ten = { sql: "SELECT id FROM conformance_rows WHERE id <= 10 ORDER BY id", params: [] };
      await using cursor = await database.openCursor(ten, readOptions());
      const lengths: number[] = [];
      for (const count of [4, 4, 4, 4]) lengths.push((await cursor.fetch(count, readOptions())).length);
      assert.deepEqual(lengths, [4, 4, 2, 0]);
    },
  ],
  [
    "a cursor of an empty result has columns and no rows",
    async (target) => {
      await using database = openTarget(target);
      const none = { sql: "SELECT id FROM conformance_rows WHERE id < 0", params: [] };
      await using cursor = await database.openCursor(none, readOptions());
      assert.deepEqual(
        cursor.columns.map(({ name }) => name),
        ["id"],
      );
      assert.deepEqual(await cursor.fetch(10, readOptions()), []);
    },
  ],
  [
    "a cursor takes parameters",
    async (target) => {
      await using database = openTarget(target);
      const sql = `SELECT label FROM conformance_rows WHERE id = ${target.parameter(1)}`;
      await using cursor = await database.openCursor({ sql, params: [7] }, readOptions());
      assert.deepEqual(await cursor.fetch(10, readOptions()), [["row 7"]]);
    },
  ],
  [
    "an open cursor outlives the signal it was opened with",
    async (target) => {
      await using database = openTarget(target);
      const opening = new AbortController();
      await using cursor = await database.openCursor(all, readOptions({ signal: opening.signal }));
      opening.abort();
      assert.equal((await cursor.fetch(3, readOptions())).length, 3);
    },
  ],
  [
    "a closed cursor gives its connection back, closed at any point and twice",
    async (target) => {
      await using database = openTarget(target, { poolSize: 1 });
      for (const fetched of [0, 5, 5_000]) {
        const cursor = await database.openCursor(all, readOptions());
        if (fetched > 0) await cursor.fetch(fetched, readOptions());
        await cursor[Symbol.asyncDispose]();
        await cursor[Symbol.asyncDispose]();
        assert.deepEqual((await readAll(database, "SELECT 1 AS n")).rows, [["1"]]);
      }
    },
  ],
  [
    "while cursors hold every connection, a read fails as busy, and works once one is free",
    async (target) => {
      await using database = openTarget(target, { poolSize: 1, connectTimeoutMs: 500 });
      const cursor = await database.openCursor(all, readOptions());
      assert.equal((await failureOf(readAll(database, "SELECT 1 AS n"))).code, "busy");
      await cursor[Symbol.asyncDispose]();
      assert.deepEqual((await readAll(database, "SELECT 1 AS n")).rows, [["1"]]);
    },
  ],
  [
    "a cancelled page fails as cancelled and is gone from the server within a second",
    async (target) => {
      await using database = openTarget(target);
      const marker = "conformance_page";
      const abort = new AbortController();
      const sql = `SELECT count(*) AS ${marker} FROM ${endlessRows} WHERE a.id + b.id + c.id < 0`;
      const options = readOptions({ signal: abort.signal });
      const call = failureOf(
        (async () => {
          await using cursor = await database.openCursor({ sql, params: [] }, options);
          await cursor.fetch(1, options);
        })(),
      );
      await untilSettled(target, marker);
      abort.abort();
      await until(async () => (await target.running(marker)) === 0, 1_000, "the statement is gone");
      assert.equal((await call).code, "cancelled");
      assert.deepEqual((await readAll(database, "SELECT 1 AS n")).rows, [["1"]]);
    },
  ],
];
