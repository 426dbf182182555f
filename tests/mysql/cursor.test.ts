/** A result held open: exact, in one snapshot, flat in memory, and gone when it is let go. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database, RowCursor } from "../../mcp-core/src/sql/database.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { answerOf, bounds, eventually, failureOf, openSource } from "./open.js";

let database: TestDatabase;
let source: Database;
beforeAll(async () => {
  database = await createMysqlDatabase();
  await database.run(`CREATE TABLE big (id INT PRIMARY KEY, v INT NOT NULL);
    INSERT INTO big SELECT seq, seq FROM seq_1_to_200000`);
  source = openSource(database.url);
}, 120_000);
afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const statement = (sql: string) => ({ sql, params: [] });
const isHeld = async () =>
  (
    await database.run(`SELECT id FROM information_schema.processlist WHERE db = '${database.name}' AND info LIKE '%big%'
    AND id <> CONNECTION_ID()`)
  ).length > 0;

async function* pages(cursor: RowCursor, count: number) {
  for (;;) {
    const rows = await cursor.fetch(count, bounds());
    yield rows;
    if (rows.length < count) return;
  }
}

test("the pages are the exact set of one moment while others write", async () => {
  await using cursor = await source.openCursor(statement("SELECT id, v FROM big ORDER BY id"), bounds());
  expect(cursor.columns.map(({ name, type }) => [name, type])).toEqual([
    ["id", "int"],
    ["v", "int"],
  ]);
  let next = 1;
  for await (const rows of pages(cursor, 20_000)) {
    if (next === 1) await database.run("UPDATE big SET v = -v; INSERT INTO big VALUES (0, 0), (200001, 1)");
    for (const row of rows) {
      if (row[0] !== String(next) || row[1] !== String(next)) throw new Error(`row ${next} is ${row}`);
      next++;
    }
  }
  expect(next).toBe(200_001);
  expect((await answerOf(source, "SELECT COUNT(*) FROM big")).rows).toEqual([["200002"]]);
}, 60_000);

test("memory stays flat over a million rows, whoever is slow", async () => {
  const sql = "SELECT seq, REPEAT('x', 200) FROM seq_1_to_1000000";
  await using cursor = await source.openCursor(statement(sql), bounds());
  let count = 0;
  let peak = 0;
  await cursor.fetch(1_000, bounds());
  const before = process.memoryUsage().rss;
  for await (const rows of pages(cursor, 1_000)) {
    count += rows.length;
    peak = Math.max(peak, process.memoryUsage().rss - before);
  }
  expect(count).toBe(999_000);
  expect(peak).toBeLessThan(100_000_000);
}, 60_000);

test("letting go in the middle stops the statement, and the session serves the next call", async () => {
  await using own = openSource(database.url, { poolSize: 1 });
  for (let round = 0; round < 10; round++) {
    const cursor = await own.openCursor(statement("SELECT a.id, b.v FROM big AS a, big AS b"), bounds());
    expect(await cursor.fetch(10, bounds())).toHaveLength(10);
    expect(await isHeld()).toBe(true);
    await cursor[Symbol.asyncDispose]();
    await cursor[Symbol.asyncDispose]();
    expect((await answerOf(own, "SELECT @@net_write_timeout, @@tx_read_only")).rows).toEqual([["60", "1"]]);
    expect(await failureOf(cursor.fetch(1, bounds()))).toMatchObject({ code: "cursor_expired" });
  }
  await eventually(async () => !(await isHeld()));
});

test("fewer rows than asked only at the end, then none", async () => {
  await using cursor = await source.openCursor(statement("SELECT seq FROM seq_1_to_5"), bounds());
  expect(await cursor.fetch(3, bounds())).toEqual([["1"], ["2"], ["3"]]);
  expect(await cursor.fetch(3, bounds())).toEqual([["4"], ["5"]]);
  expect(await cursor.fetch(3, bounds())).toEqual([]);
});

test("SHOW can be paged as well, and an empty result has its columns", async () => {
  await using shown = await source.openCursor(statement("SHOW TABLES"), bounds());
  expect(await shown.fetch(10, bounds())).toEqual([["big"]]);
  await using empty = await source.openCursor(statement("SELECT 1 AS x FROM DUAL WHERE FALSE"), bounds());
  expect([empty.columns.length, await empty.fetch(10, bounds())]).toEqual([1, []]);
});

test("a fetch can be cancelled and timed out; the statement is gone", async () => {
  await using own = openSource(database.url, { poolSize: 1 });
  const slow = statement(
    "SELECT a.id FROM big AS a, big AS b, big AS c WHERE a.id + b.id + c.id = -1 OR a.id = 0 AND b.id < 2 AND c.id = 0",
  );
  expect(
    await failureOf(own.openCursor(slow, bounds({ timeoutMs: 400 })).then((cursor) => cursor.fetch(100, bounds()))),
  ).toMatchObject({
    code: "timeout",
  });
  await eventually(async () => !(await isHeld()));
  const stop = new AbortController();
  const cursor = await own.openCursor(
    statement("SELECT a.id FROM big AS a, big AS b, big AS c WHERE a.id = 0"),
    bounds(),
  );
  const failed = failureOf(
    (async () => {
      for (;;) await cursor.fetch(1_000, bounds({ signal: stop.signal }));
    })(),
  );
  stop.abort();
  expect(await failed).toMatchObject({ code: "cancelled" });
  await eventually(async () => !(await isHeld()));
  expect((await answerOf(own, "SELECT 1")).rows).toEqual([["1"]]);
});

test("what the guard refuses is refused here too, and errors are those of a read", async () => {
  expect(await failureOf(source.openCursor(statement("DELETE FROM big"), bounds()))).toMatchObject({
    code: "read_only",
  });
  expect(await failureOf(source.openCursor(statement("SELECT nope FROM big"), bounds()))).toMatchObject({
    code: "column_not_found",
  });
});

test("a connection killed under an open result is lost, and the source goes on", async () => {
  await using own = openSource(database.url, { poolSize: 1 });
  const cursor = await own.openCursor(statement("SELECT a.id FROM big AS a, big AS b"), bounds());
  await cursor.fetch(1, bounds());
  for (const { id } of await database.run(`SELECT id FROM information_schema.processlist
    WHERE db = '${database.name}' AND info LIKE '%big AS b%' AND id <> CONNECTION_ID()`))
    await database.run(`KILL ${id}`);
  const drained = async () => {
    for (;;) await cursor.fetch(10_000, bounds());
  };
  expect(await failureOf(drained())).toMatchObject({ code: "connection_lost", retryable: true });
  expect((await answerOf(own, "SELECT 1")).rows).toEqual([["1"]]);
});
