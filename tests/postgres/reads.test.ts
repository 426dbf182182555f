/** Reads: caps, errors and what one call may cost. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { codeOf, collect, limits, openSource } from "./open.js";

let database: TestDatabase;
let source: Database;
beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(`
    CREATE TABLE numbers AS SELECT g AS id, md5(g::text) AS hash FROM generate_series(1, 200000) AS g;
    ALTER TABLE numbers ADD PRIMARY KEY (id);
    CREATE TYPE color AS ENUM ('red');
    CREATE SCHEMA other;
    CREATE TABLE other.hidden (x int);
    CREATE FUNCTION boom(text) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE EXCEPTION 'value is %', $1; END $$;
    ANALYZE numbers;
  `);
  source = openSource(database.url);
});
afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

test.each([
  ["SELECT id FROM numbers ORDER BY id", 5, ["1", "2", "3", "4", "5"]],
  ["SELECT id FROM numbers ORDER BY id DESC LIMIT 2;", 5, ["200000", "199999"]],
  ["WITH n AS (SELECT 7 AS x) TABLE n", 5, ["7"]],
  ["VALUES (3), (4) -- end", 5, ["3", "4"]],
  ["(SELECT 1) UNION ALL (SELECT 2)", 5, ["1", "2"]],
  ["/* ; */ ; SELECT 1 AS a, 2 AS a ; -- ;", 5, ["1"]],
  ["SELECT id FROM numbers WHERE id < 3 FOR SHARE", 5, "read_only"],
  ["SHOW default_transaction_read_only", 5, ["on"]],
  ["SHOW transaction_read_only", 5, ["on"]],
])("%s, capped at %i", async (sql, maxRows, expected) => {
  const call = collect(source, sql, [], { maxRows });
  if (typeof expected === "string") expect(await codeOf(call)).toBe(expected);
  else expect((await call).rows.map(([first]) => first)).toEqual(expected);
});

test("columns come once and first, also when there are no rows, also for types met for the first time", async () => {
  for (const sql of ["SELECT 1 AS a WHERE false", "SELECT 'red'::color AS a WHERE false", "SELECT 'red'::color AS a"]) {
    const seen: string[] = [];
    await source.read(
      { sql, params: [] },
      {
        columns: (columns) => seen.push(`columns ${columns.map(({ name }) => name)}`),
        row: () => seen.push("row") > 0,
      },
      limits(),
    );
    expect(seen[0]).toBe("columns a");
    expect(seen.filter((entry) => entry.startsWith("columns"))).toHaveLength(1);
  }
});

test("one row more than the cap is asked for, so that the sink can prove there is more", async () => {
  let taken = 0;
  const sink = { columns: () => {}, row: () => ++taken > 0 };
  await source.read({ sql: "SELECT id FROM numbers", params: [] }, sink, limits({ maxRows: 10 }));
  expect(taken).toBe(11);
});

test("a sink that throws stops the read, and the source goes on", async () => {
  const sink = {
    columns: () => {},
    row: (): boolean => {
      throw new Error("full");
    },
  };
  await expect(source.read({ sql: "SELECT id FROM numbers", params: [] }, sink, limits())).rejects.toThrow("full");
  expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
});

test("a huge cell is cut at the socket, not buffered", async () => {
  const before = process.memoryUsage();
  let peak = 0;
  const watch = setInterval(() => {
    const { rss, external } = process.memoryUsage();
    peak = Math.max(peak, rss - before.rss, external - before.external);
  }, 1);
  const call = collect(source, "SELECT string_agg(repeat('x', 1000), '') FROM generate_series(1, 104800)", [], {
    maxWireBytes: 2_000_000,
  });
  expect(await codeOf(call)).toBe("result_too_large");
  clearInterval(watch);
  expect(peak).toBeLessThan(40_000_000);
  expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
});

describe("an error says what is wrong, where, and no value", () => {
  const secret = "hunter2";
  test.each<[string, readonly unknown[], object]>([
    ["", [], { code: "sql_empty" }],
    [" -- nothing\n/* at all */;", [], { code: "sql_empty" }],
    ["SELECT 1; SELECT 2", [], { code: "multiple_statements" }],
    ["SELECT ';' ; -- fine\n SELECT 2", [], { code: "multiple_statements" }],
    [`SELECT '${"x".repeat(100_001)}'`, [], { code: "sql_too_long" }],
    ["SELECT '\0'", [], { code: "syntax_error" }],
    ["SELEC 1", [], { code: "not_allowed" }],
    ["SELECT * FORM numbers", [], { code: "syntax_error", sqlstate: "42601", position: 10 }],
    ["SELECT (1", [], { code: "syntax_error", position: 10 }],
    ["SELECT 'open", [], { code: "syntax_error", position: 8 }],
    ["SELECT 1) AS x, (SELECT 2", [], { code: "syntax_error", position: 9 }],
    [
      "SELECT '😀', nope FROM numbers",
      [],
      { code: "column_not_found", position: 14, missing: { kind: "column", name: "nope" } },
    ],
    ["SELECT * FROM nope", [], { code: "table_not_found", position: 15, missing: { kind: "table", name: "nope" } }],
    ['SELECT * FROM other."No pe"', [], { code: "table_not_found", missing: { name: "No pe", schema: "other" } }],
    ["SELECT n.id FROM numbers", [], { code: "table_not_found", missing: { kind: "table", name: "n" } }],
    ["SELECT nope(1)", [], { code: "function_not_found", missing: { kind: "function", name: "nope" } }],
    ["SELECT nope.f(1)", [], { code: "schema_not_found", missing: { kind: "schema", name: "nope" } }],
    ["SELECT id FROM numbers a JOIN numbers b USING (hash)", [], { code: "ambiguous_column", position: 8 }],
    ["SELECT hash + 1 FROM numbers", [], { code: "type_mismatch" }],
    ["SELECT 'hunter2'::int", [], { code: "type_mismatch", sqlstate: "22P02" }],
    ["SELECT $1::int", [secret], { code: "parameter_invalid", sqlstate: "22P02" }],
    ["SELECT $1", [], { code: "parameter_count" }],
    ["SELECT 1", ["x"], { code: "parameter_count" }],
    ["SELECT $2::int", ["1"], { code: "parameter_count" }],
    ["SELECT $2::int", ["1", "2"], { code: "parameter_invalid", sqlstate: "42P18" }],
    ["SELECT boom('hunter2')", [], { code: "server_error", sqlstate: "P0001" }],
    ["SELECT 1/0", [], { code: "server_error", sqlstate: "22012" }],
    ["INSERT INTO numbers VALUES (1)", [], { code: "read_only" }],
    ["WITH x AS (DELETE FROM numbers RETURNING 1) SELECT * FROM x", [], { code: "read_only" }],
    ["SELECT * INTO copy FROM numbers", [], { code: "read_only" }],
    ["COPY numbers TO STDOUT", [], { code: "not_allowed" }],
    ["SET search_path = x", [], { code: "not_allowed" }],
    ["SELECT repeat('x', 1073741824)", [], { code: "not_allowed" }],
  ])("%s", async (sql, params, expected) => {
    try {
      await collect(source, sql, params as never);
      expect.unreachable();
    } catch (thrown) {
      expect(thrown).toMatchObject(expected);
      const { message, hint } = thrown as { message: string; hint: string };
      expect(`${message} ${hint}`).not.toContain(secret);
    }
  });
});

test("a statement whose transaction could not be opened meets the session's own read-only default", async () => {
  // BEGIN fails when its limits are refused; what was sent behind it runs outside of any transaction of ours.
  const broken = limits({ timeoutMs: -1 });
  await expect(
    source.read({ sql: "SELECT nextval('other.s')", params: [] }, { columns: () => {}, row: () => true }, broken),
  ).rejects.toMatchObject({ name: "CodedError" });
  expect((await collect(source, "SHOW default_transaction_read_only")).rows).toEqual([["on"]]);
});

describe("cursors", () => {
  test("pages are one snapshot while the table changes, and concatenate to the whole", async () => {
    await using cursor = await source.openCursor(
      { sql: "SELECT id, hash FROM numbers ORDER BY id", params: [] },
      limits(),
    );
    expect(cursor.columns.map(({ type }) => type)).toEqual(["integer", "text"]);
    await database.run("UPDATE numbers SET hash = 'changed' WHERE id % 7 = 0");
    let count = 0;
    for (;;) {
      const page = await cursor.fetch(20_000, limits());
      for (const [id, hash] of page) {
        count++;
        if (id !== String(count) || hash === "changed") throw new Error(`row ${count} is wrong`);
      }
      if (page.length < 20_000) break;
    }
    expect(count).toBe(200_000);
    expect(await cursor.fetch(1, limits())).toEqual([]);
  });

  test("disposing frees the connection", async () => {
    await using own = openSource(database.url, 1);
    for (let round = 0; round < 5; round++) {
      const cursor = await own.openCursor({ sql: "SELECT id FROM numbers WHERE id > $1", params: [10] }, limits());
      await cursor.fetch(1, limits());
      await cursor[Symbol.asyncDispose]();
      await cursor[Symbol.asyncDispose]();
      expect(await codeOf(cursor.fetch(1, limits()))).toBe("cursor_expired");
    }
    expect((await collect(own, "SELECT 1")).rows).toEqual([["1"]]);
  });

  test("a type met for the first time needs no second connection", async () => {
    await using own = openSource(database.url, 1);
    await using cursor = await own.openCursor({ sql: "SELECT 'red'::color AS c", params: [] }, limits());
    expect(cursor.columns[0]?.type).toBe("color");
  });

  test("a wrong statement is told as read tells it, and nothing is held", async () => {
    await using own = openSource(database.url, 1);
    const call = own.openCursor({ sql: "SELECT nope FROM numbers", params: [] }, limits());
    await expect(call).rejects.toMatchObject({ code: "column_not_found", position: 8 });
    expect((await collect(own, "SELECT 1")).rows).toEqual([["1"]]);
  });

  test("a fetch can be cancelled, a killed one is a lost connection", async () => {
    await using own = openSource(database.url, 1);
    const sql = "SELECT pg_sleep(10), pg_backend_pid() FROM generate_series(1, 3)";
    const cancelled = await own.openCursor({ sql, params: [] }, limits());
    expect(await codeOf(cancelled.fetch(1, { signal: AbortSignal.timeout(100) }))).toBe("cancelled");
    expect((await collect(own, "SELECT 1")).rows).toEqual([["1"]]);
    const killed = await own.openCursor({ sql: "SELECT pg_backend_pid() FROM numbers", params: [] }, limits());
    const [[pid = ""] = []] = await killed.fetch(1, limits());
    await database.run(`SELECT pg_terminate_backend(${pid})`);
    expect(await codeOf(killed.fetch(1, limits()))).toBe("connection_lost");
    expect((await collect(own, "SELECT 1")).rows).toEqual([["1"]]);
  });

  test("small results that no cursor can hold are paged all the same", async () => {
    await using cursor = await source.openCursor({ sql: "SHOW ALL", params: [] }, limits({ maxRows: 10_000 }));
    expect(await cursor.fetch(2, limits())).toHaveLength(2);
    expect((await cursor.fetch(5_000, limits())).length).toBeGreaterThan(100);
  });
});

test("plans come with findings in words", async () => {
  const explain = (sql: string, analyze: boolean) => source.explain({ sql, params: [] }, { ...limits(), analyze });
  const planned = await explain("SELECT * FROM numbers WHERE hash = 'x'", false);
  expect(planned.plan).toContain("Seq Scan on numbers");
  expect(planned.findings.join()).toMatch(/Sequential scan over numbers .* index on hash/);
  const run = await explain("SELECT * FROM numbers WHERE id = 7", true);
  expect(run.plan).toMatch(/Index Scan using numbers_pkey .*actual rows 1/);
  expect(run.findings).toEqual([]);
  const estimated = await explain("SELECT * FROM numbers WHERE length(hash) > 3", true);
  expect(estimated.findings.join()).toMatch(/^$|estimate|Sequential/);
  expect(await codeOf(explain("SELECT nope", false))).toBe("column_not_found");
  expect(await codeOf(explain("DELETE FROM numbers", true))).toMatch(/read_only|not_allowed/);
});
