/** PostgreSQL's guard beyond the corpora: ways around it that its own code must close, and what it must let through. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { codeOf, collect } from "../postgres/open.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";

let database: TestDatabase;
let source: Database;
beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(`
    CREATE SCHEMA open; CREATE SCHEMA closed;
    CREATE TABLE open.things (id int, name text, "when" date);
    INSERT INTO open.things VALUES (1, 'a', '2024-01-01');
    CREATE TABLE closed.secrets (word text);
    CREATE VIEW open.shown AS SELECT count(*) AS n FROM closed.secrets;
    CREATE VIEW open.sleeps AS SELECT pg_advisory_lock(1)::text AS x;
    CREATE VIEW open.nested AS SELECT * FROM open.sleeps;
    CREATE FUNCTION open.unlabelled() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION open.pure(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
    CREATE FUNCTION open.of_row(open.things) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
    CREATE FUNCTION open.json_value(text, text) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
    CREATE FUNCTION open.random(text) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
    CREATE FUNCTION open.crosstab(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
    CREATE FUNCTION open.step(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
    CREATE AGGREGATE open.gather(int) (SFUNC = open.step, STYPE = int);
    CREATE OPERATOR open.<+> (LEFTARG = int, RIGHTARG = int, FUNCTION = open.step);
    CREATE FUNCTION open.locks(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_lock(1); RETURN true; END';
    CREATE DOMAIN open.trap AS int CHECK (open.locks(VALUE)); CREATE TYPE open.pair AS (a int, b open.trap);
    CREATE DOMAIN open.inner_trap AS open.trap; CREATE TABLE open.trapped (id open.trap); INSERT INTO open.trapped VALUES (1);
    CREATE DOMAIN open.builtin_trap AS int CHECK (pg_advisory_lock(VALUE) IS NULL);
    CREATE DOMAIN open.email AS text CHECK (VALUE ~ '@'); CREATE TYPE open.mood AS ENUM ('glad');
    CREATE TYPE open.odd AS (a int); CREATE FUNCTION open.to_odd(int) RETURNS open.odd LANGUAGE plpgsql AS 'BEGIN RETURN ROW($1); END';
    CREATE CAST (int AS open.odd) WITH FUNCTION open.to_odd(int);
    ALTER DATABASE ${database.name} SET search_path = open;
  `);
  source = postgresKind.open(postgresKind.parseSource(database.url, {}), {
    poolSize: 2,
    connectTimeoutMs: 5_000,
    schemas: ["open", "pg_catalog", "information_schema"],
    log: { debug: () => {}, warn: () => {} },
  });
});
afterAll(async () => {
  await source?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const bombs = Array.from({ length: 4_000 }, () => "(SELECT").join(" ");

describe("refused", () => {
  test.each<[string, string]>([
    ["SELECT unlabelled()", "not_allowed"],
    ["SELECT open . unlabelled ()", "not_allowed"],
    ['SELECT "unlabelled"()', "not_allowed"],
    ["SELECT t.of_row FROM things t", "not_allowed"],
    ["SELECT (t).of_row FROM things t", "not_allowed"],
    ["SELECT (SELECT x FROM things x LIMIT 1).of_row", "not_allowed"],
    ["SELECT id FROM things t WHERE t.of_row = 1", "not_allowed"],
    ["SELECT ('PG_VERSION'::text).pg_read_file", "not_allowed"],
    ["SELECT (1).pg_advisory_lock", "not_allowed"],
    ["SELECT f.pg_read_file FROM unnest(ARRAY['PG_VERSION'::text]) AS f", "not_allowed"],
    ["SELECT unnest.pg_read_file FROM unnest(ARRAY['PG_VERSION'::text])", "not_allowed"],
    ["SELECT (x.a).pg_ls_dir FROM (SELECT '.'::text AS a) AS x", "not_allowed"],
    ["SELECT (ARRAY['.'::text])[1].pg_ls_dir", "not_allowed"],
    ["SELECT ('SELECT ''a''::tsvector'::text).ts_stat", "not_allowed"],
    ["SELECT json_value('{}', '$')", "not_allowed"],
    ["SELECT random('x')", "not_allowed"],
    ["SELECT crosstab(1)", "not_allowed"],
    ["SELECT gather(id) FROM things", "not_allowed"],
    ["SELECT 1 <+> 2", "not_allowed"],
    ["SELECT 1 OPERATOR(open.<+>) 2", "not_allowed"],
    ["SELECT id FROM things WHERE id <+> ANY (ARRAY[1])", "not_allowed"],
    ["SELECT 1::trap", "not_allowed"],
    ["SELECT CAST(1 AS open.trap)", "not_allowed"],
    ["SELECT '{1}'::trap[]", "not_allowed"],
    ["SELECT 1::inner_trap", "not_allowed"],
    ["SELECT 1::builtin_trap", "not_allowed"],
    ["SELECT ROW(1, 2)::pair", "not_allowed"],
    ["SELECT json_populate_record(NULL::trapped, '{}')", "not_allowed"],
    ["SELECT * FROM jsonb_to_recordset('[]') AS t (a trap)", "not_allowed"],
    ["SELECT 1::odd", "not_allowed"],
    ["SELECT * FROM sleeps", "not_allowed"],
    ["SELECT * FROM nested", "not_allowed"],
    ["SELECT query_to_xml('SELECT unlabelled()', true, false, '')", "not_allowed"],
    ["SELECT query_to_xml('SELECT ' || 'pg_advisory_lock(1)', true, false, '')", "not_allowed"],
    ["SELECT query_to_xml(tableforest => true, query => 'SELECT 1', nulls => true, targetns => '')", "not_allowed"],
    [
      "SELECT query_to_xml('SELECT query_to_xml(''SELECT pg_advisory_lock(1)'', true, false, '''')', true, false, '')",
      "not_allowed",
    ],
    ["SELECT query_to_xml('SELECT * FROM closed.secrets', true, false, '')", "permission_denied"],
    ["SELECT ts_rewrite('a'::tsquery, 'SELECT pg_advisory_lock(1)')", "not_allowed"],
    ["SELECT word FROM closed.secrets", "permission_denied"],
    ["SELECT (SELECT word FROM closed.secrets)", "permission_denied"],
    ["TABLE closed.secrets", "permission_denied"],
    ["EXPLAIN SELECT * FROM closed.secrets", "permission_denied"],
    ["SELECT * FROM pg_authid", "not_allowed"],
    ["SELECT rolpassword FROM pg_catalog.pg_authid", "not_allowed"],
    ["SELECT passwd FROM pg_shadow", "not_allowed"],
    ["SELECT 1 FROM things FOR NO KEY UPDATE", "read_only"],
    ["WITH x AS (SELECT 1 FROM things FOR SHARE) SELECT 1 FROM x", "read_only"],
    ["SELECT 1 INTO t", "read_only"],
    ["EXPLAIN ANALYZE DELETE FROM things", "read_only"],
    ["EXPLAIN (ANALYZE false) DELETE FROM things", "read_only"],
    ["EXPLAIN CREATE TABLE t AS SELECT 1", "not_allowed"],
    ["EXPLAIN EXECUTE p", "not_allowed"],
    ["SELECT setseed(0.5)", "not_allowed"],
    ["SELECT pg_stat_file('x')", "not_allowed"],
    ["SELECT lpad('x', 1000 * 1000 * 1000)", "not_allowed"],
    ["SELECT repeat('x', 2000000000)", "not_allowed"],
    ["SELECT repeat('x', 1 << 29), repeat('x', (10 ^ 9)::int)", "not_allowed"],
    ["SELECT repeat('x', '900000000'::int)", "not_allowed"],
    ["SELECT repeat(repeat(repeat('x', 1000), 1000), 900)", "not_allowed"],
    ["SELECT array_fill(0, ARRAY[10000, 10000])", "not_allowed"],
    ["SELECT string_agg(repeat('x', 100000), '') FROM generate_series(1, 9000)", "not_allowed"],
    ["SELECT string_agg(x, x) FROM (SELECT repeat('a', 50000) AS x FROM generate_series(1, 9000)) AS t", "not_allowed"],
    ["SELECT replace(g, 'a', g) FROM (SELECT repeat('a', 30000) AS g) AS t", "not_allowed"],
    ["SELECT format('%2$*1$s', 900000000, 'x')", "not_allowed"],
    [`SELECT ${"replace(".repeat(4)}'a'${`, 'a', '${"a".repeat(200)}')`.repeat(4)}`, "not_allowed"],
    [`SELECT replace(string_agg(name, ''), 'a', '${"b".repeat(50)}') FROM things`, "not_allowed"],
    [`SELECT ${bombs}`, "statement_too_complex"],
    ["SELECT 'x' \uD800", "syntax_error"],
  ])("%s", async (sql, code) => {
    expect(await codeOf(collect(source, sql))).toBe(code);
  });
});

describe("let through", () => {
  test.each([
    "SELECT random(), clock_timestamp(), gen_random_uuid(), now()",
    "SELECT pure(1), t.name, (t).id, t.* FROM things t",
    "SELECT n FROM shown",
    "SELECT id FROM trapped",
    "SELECT 'a@b'::email, 'glad'::mood, ROW(1, 'a', NULL)::things, '{1,2}'::int[], 1::numeric(9, 2)",
    "SELECT ts_rewrite('a & b'::tsquery, 'a'::tsquery, 'c'::tsquery)",
    "SELECT query_to_xml('SELECT id FROM things', true, false, '')",
    "EXPLAIN UPDATE things SET id = 1",
    "SELECT pg_total_relation_size('things'), pg_size_pretty(pg_database_size(current_database()))",
    "SELECT repeat('#', id), lpad(name, 10), rpad(name, id + 3), format('%-10s|%I', name, 'a') FROM things",
    "SELECT repeat('#', (count(*) / 10)::int), repeat('=', 3 * 10), repeat('#', (sum(id) * 40 / 100000)::int) FROM things",
    "SELECT string_agg(repeat('#', id), ' '), concat('a', repeat('b', 10)), array_fill(0, ARRAY[3, 4]) FROM things",
    "SELECT (s).lower, e.value, g.g FROM (SELECT int4range(1, 2) AS s) AS t, jsonb_array_elements('[1]') AS e, generate_series(1, 2) AS g",
    "SELECT replace(name, 'a', 'b'), regexp_replace(name, 'a', 'b') FROM things",
    "SELECT replace(string_agg(name, ','), ',', ' | '), regexp_replace(repeat('a', 9), 'a', '&amp;', 'g') FROM things",
    "SELECT replace(replace(replace(replace(name, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '\"', '&quot;') FROM things",
    "SELECT 'update', $$delete from things$$ AS \"drop\", name AS insert FROM things -- truncate",
    "SELECT count(*) FROM information_schema.columns",
    "SELECT count(*) FROM pg_roles, pg_settings",
    "SELECT id FROM things ORDER BY id NULLS /* the parser's own lookahead */ LAST",
    "SELECT U&'!0061' /* as above */ UESCAPE '!' -- 😀",
    `SELECT ${"(".repeat(500)}1${")".repeat(500)}`,
    `SELECT ${Array.from({ length: 1_600 }, (_, index) => `${index} AS c${index}`).join(", ")}`,
  ])("%s", async (sql) => {
    expect((await collect(source, sql)).rows.length).toBeGreaterThan(0);
  });
});

test("names that are known cost no further round trip, and a function made volatile is noticed in time", async () => {
  await collect(source, "SELECT pure(2)");
  await database.run("DROP FUNCTION open.pure(int)");
  expect(await codeOf(collect(source, "SELECT pure(2)"))).toBe("function_not_found");
});
