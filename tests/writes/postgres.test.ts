/** What may be written on PostgreSQL, what is refused, and that a dry run leaves nothing. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { callJson } from "../sql/connect.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { openClient, openWriter, type Writer } from "./serve.js";

let database: TestDatabase;
let writer: Writer;

beforeAll(async () => {
  database = await createPostgresDatabase();
  writer = openWriter(postgresKind, { shop: database.url }, { mode: "write" });
});

afterAll(async () => {
  await writer[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await database.run(`
    DROP SCHEMA public CASCADE; CREATE SCHEMA public;
    CREATE TABLE orders (id int PRIMARY KEY, total numeric(10,2) NOT NULL, note text);
    CREATE TABLE lines (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
    CREATE VIEW dear AS SELECT * FROM orders WHERE total > 10;
    CREATE SEQUENCE numbers;
    CREATE FUNCTION touch() RETURNS int LANGUAGE sql VOLATILE AS 'UPDATE orders SET note = ''touched''; SELECT 1';
    INSERT INTO orders SELECT n, n * 10, 'n' || n FROM generate_series(1, 8) AS n;
    INSERT INTO lines VALUES (1, 1)`);
});

async function execute(args: Record<string, unknown>) {
  const client = await openClient(writer.server, "legacy");
  try {
    return await callJson(client, "execute", args);
  } finally {
    await client.close();
  }
}

/** Everything a write could have changed: rows, and the catalogue's own words for what there is. */
async function checksum(): Promise<unknown> {
  // After a drop there is nothing to sum up.
  const [row] = await database
    .run(`
    SELECT (SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM orders AS o) AS orders,
      (SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM lines AS l) AS lines,
      (SELECT md5(string_agg(c.oid || relname || relkind::text || relnatts || coalesce(obj_description(c.oid), ''), ',' ORDER BY c.oid))
        FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace) AS relations,
      (SELECT md5(string_agg(typname, ',' ORDER BY oid)) FROM pg_type WHERE typnamespace = 'public'::regnamespace) AS types,
      (SELECT string_agg(nspname, ',' ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_') AS schemas`)
    .catch(() => ["changed"]);
  return row;
}

const writes: readonly (readonly [sql: string, kind: string, rows: number, targets: readonly string[]])[] = [
  ["INSERT INTO orders VALUES (9, 90, 'n9'), (10, 100, NULL)", "insert", 2, ["orders"]],
  ["INSERT INTO orders (id, total) VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET total = 5", "insert", 1, ["orders"]],
  ["INSERT INTO orders VALUES (nextval('numbers') + 100, 1)", "insert", 1, ["orders"]],
  ["UPDATE public.orders AS o SET total = total + 1 WHERE id <= 3 -- some", "update", 3, ["public.orders"]],
  ["DELETE FROM orders WHERE id > 6", "delete", 2, ["orders"]],
  ["DELETE FROM orders USING lines WHERE order_id = orders.id", "delete", 1, ["orders"]],
  ["UPDATE dear SET note = 'x'", "update", 7, ["dear"]],
  [
    "WITH gone AS (DELETE FROM lines RETURNING order_id) UPDATE orders SET note = 'x' FROM gone WHERE id = order_id",
    "update",
    1,
    ["orders", "lines"],
  ],
  [
    "MERGE INTO orders USING lines ON orders.id = order_id WHEN MATCHED THEN UPDATE SET total = 0",
    "merge",
    1,
    ["orders"],
  ],
  ["TRUNCATE orders, lines", "truncate", 0, ["orders", "lines"]],
  ["CREATE TABLE fresh (id serial PRIMARY KEY, made timestamptz DEFAULT now())", "create table", 0, ["fresh"]],
  ["CREATE TABLE copied AS SELECT * FROM orders", "create table", 8, ["copied"]],
  ["ALTER TABLE orders ADD COLUMN extra int DEFAULT 3, DROP COLUMN note CASCADE", "alter table", 0, ["orders"]],
  ["ALTER TABLE orders RENAME TO purchases", "rename", 0, ["orders"]],
  ["CREATE INDEX by_total ON orders (total)", "create index", 0, ["orders"]],
  ["CREATE OR REPLACE VIEW cheap AS SELECT * FROM orders WHERE total < 10", "create view", 0, ["cheap"]],
  ["CREATE SEQUENCE counter", "create sequence", 0, ["counter"]],
  ["CREATE TYPE mood AS ENUM ('good', 'bad')", "create type", 0, ["mood"]],
  ["CREATE SCHEMA other", "create schema", 0, ["other.other"]],
  ["DROP TABLE lines", "drop table", 0, ["lines"]],
  ["DROP VIEW public.dear", "drop view", 0, ["public.dear"]],
  ["COMMENT ON COLUMN orders.note IS 'words'", "comment", 0, ["orders.note"]],
];

describe.each(writes)("%s", (sql, kind, rows, targets) => {
  test("is tried without a trace", async () => {
    const before = await checksum();
    const tried = await execute({ sql, dry_run: true });
    expect(tried).toMatchObject({ isError: false, dry_run: true, class: kind, targets, rows_affected: rows });
    expect(await checksum()).toEqual(before);
  });

  test("runs once", async () => {
    const before = await checksum();
    expect(await execute({ sql })).toMatchObject({ isError: false, dry_run: false, class: kind, rows_affected: rows });
    if (kind !== "comment") expect(await checksum()).not.toEqual(before);
  });
});

test("a dry run shows some rows before and after, a run what it returns", async () => {
  const tried = await execute({ sql: "UPDATE orders SET total = $1 WHERE id = 2", params: [7.5], dry_run: true });
  expect(tried.before.rows).toEqual([[2, "20.00", "n2"]]);
  expect(tried.after.rows).toEqual([[2, "7.50", "n2"]]);
  const { returned } = await execute({ sql: "DELETE FROM orders WHERE id > 5 RETURNING id, note" });
  expect(returned).toMatchObject({
    columns: ["id", "note"],
    rows: [
      [6, "n6"],
      [7, "n7"],
      [8, "n8"],
    ],
  });
});

test.each([
  ["UPDATE orders SET note = NULL", /UPDATE without WHERE/],
  ["DELETE FROM lines", /DELETE without WHERE/],
  ["TRUNCATE lines", /every row/],
  ["DROP TABLE orders CASCADE", /CASCADE/],
  ["DELETE FROM orders WHERE id = 1", /lines follow/],
  ["WITH gone AS (DELETE FROM lines RETURNING 1) DELETE FROM orders WHERE id = 2", /several tables/],
])("%s comes with a warning", async (sql, warning) => {
  expect((await execute({ sql, dry_run: true })).warnings.join(" ")).toMatch(warning);
});

const refusals: readonly (readonly [sql: string, code: string])[] = [
  ["SELECT 1", "not_allowed"],
  ["SELECT * INTO stolen FROM orders", "not_allowed"],
  ["COPY orders TO '/tmp/x'", "not_allowed"],
  ["COPY orders FROM PROGRAM 'id'", "not_allowed"],
  ["DO $$ BEGIN DELETE FROM orders; END $$", "not_allowed"],
  ["CALL touch()", "not_allowed"],
  ["SET default_transaction_read_only = off", "not_allowed"],
  ["RESET ALL", "not_allowed"],
  ["GRANT ALL ON orders TO public", "not_allowed"],
  ["CREATE ROLE mallory SUPERUSER", "not_allowed"],
  ["ALTER SYSTEM SET work_mem = '1GB'", "not_allowed"],
  ["CREATE EXTENSION dblink", "not_allowed"],
  ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "not_allowed"],
  ["CREATE TRIGGER t AFTER INSERT ON orders EXECUTE FUNCTION touch()", "not_allowed"],
  ["NOTIFY x", "not_allowed"],
  ["LISTEN x", "not_allowed"],
  ["COMMIT", "not_allowed"],
  ["BEGIN", "not_allowed"],
  ["PREPARE TRANSACTION 'x'", "not_allowed"],
  ["LOCK TABLE orders", "not_allowed"],
  ["VACUUM orders", "not_allowed"],
  ["EXPLAIN ANALYZE DELETE FROM orders", "not_allowed"],
  ["CREATE INDEX CONCURRENTLY i ON orders (total)", "not_allowed"],
  ["ALTER TABLE orders OWNER TO postgres", "not_allowed"],
  ["ALTER TABLE orders DISABLE TRIGGER ALL", "not_allowed"],
  ["DROP DATABASE postgres", "not_allowed"],
  ["DROP FUNCTION touch()", "not_allowed"],
  ["CREATE TABLE x AS EXECUTE p", "not_allowed"],
  ["INSERT INTO orders SELECT touch(), 1", "not_allowed"],
  ["UPDATE orders SET note = pg_read_file('/etc/passwd')", "not_allowed"],
  ["INSERT INTO orders SELECT 99, lo_import('/etc/passwd')", "not_allowed"],
  ["UPDATE orders SET note = set_config('role', 'postgres', false)", "not_allowed"],
  ["INSERT INTO orders (id, total, note) SELECT 99, 1, rolpassword FROM pg_authid", "not_allowed"],
  ["UPDATE pg_catalog.pg_authid SET rolsuper = true", "not_allowed"],
  ["UPDATE pg_class SET relname = 'x'", "not_allowed"],
  ["CREATE TABLE t (x text DEFAULT pg_read_file('/etc/passwd'))", "not_allowed"],
  ["DELETE FROM orders; DELETE FROM lines", "multiple_statements"],
  ["DELETE FROM orders WHERE id = $1", "parameter_count"],
  ["DELETE FROM ordres", "table_not_found"],
  ["DELET FROM orders", "syntax_error"],
  ["", "sql_empty"],
];

test.each(refusals)("%s is refused", async (sql, code) => {
  const before = await checksum();
  for (const dry of [true, false]) expect(await execute({ sql, dry_run: dry })).toMatchObject({ isError: true, code });
  expect(await checksum()).toEqual(before);
});

test("a constraint that is checked at commit undoes the write and says so", async () => {
  const before = await checksum();
  const refused = await execute({ sql: "INSERT INTO lines VALUES (5, 999)" });
  expect(refused).toMatchObject({ isError: true, sqlstate: "23503" });
  expect(await checksum()).toEqual(before);
});

test("a backend killed during the write undoes it; the next call works", async () => {
  const before = await checksum();
  const running = execute({ sql: "UPDATE orders SET note = 'slow' WHERE pg_sleep(5) IS NOT NULL" });
  await killWriter();
  expect(await running).toMatchObject({ isError: true, code: "connection_lost" });
  expect(await checksum()).toEqual(before);
  expect(await execute({ sql: "UPDATE orders SET note = 'next' WHERE id = 1" })).toMatchObject({ rows_affected: 1 });
});

test("a backend killed during COMMIT leaves the outcome unknown, and a retry under the same key writes nothing", async () => {
  await database.run(`
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()`);
  const client = await openClient(writer.server, "legacy");
  const args = { sql: "UPDATE orders SET note = 'late' WHERE id = 1", idempotency_key: "late" };
  const running = callJson(client, "execute", args);
  await killWriter("COMMIT");
  expect(await running).toMatchObject({ isError: true, code: "outcome_unknown", retryable: false });
  expect(await callJson(client, "execute", args)).toMatchObject({ isError: true, code: "outcome_unknown" });
  await client.close();
  const [row] = await database.run("SELECT count(*)::int AS n FROM orders WHERE note = 'late'");
  expect(row?.n).toBeLessThanOrEqual(1);
});

/** Kills the backend that is writing, once it does. */
async function killWriter(sql = "UPDATE orders"): Promise<void> {
  for (let killed = 0; killed === 0; ) {
    const rows = await database.run(`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() AND query LIKE '${sql}%'`);
    killed = rows.length;
  }
}

test("nothing of a write stays on the session: reads are read-only afterwards", async () => {
  const client = await openClient(writer.server, "legacy");
  await callJson(client, "execute", { sql: "UPDATE orders SET note = 'x' WHERE id = 1" });
  const { rows } = await callJson(client, "query", {
    sql: "SELECT current_setting('transaction_read_only'), current_setting('default_transaction_read_only')",
  });
  expect(rows).toEqual([["on", "on"]]);
  const { code } = await callJson(client, "query", { sql: "UPDATE orders SET note = 'y'" });
  expect(code).toBe("read_only");
  await client.close();
});
