/** Writes of PostgreSQL: which run, which are warned of, which are refused. */
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { createPostgresDatabase } from "../support/databases.js";
import type { WriteEngine } from "./engine.js";

export const postgresEngine: WriteEngine<ReturnType<typeof postgresKind.parseSource>> = {
  title: "PostgreSQL",
  kind: postgresKind,
  createDatabase: createPostgresDatabase,
  mark: "$1",
  commit: "COMMIT\0",
  fixture: () => `
    DROP SCHEMA public CASCADE; CREATE SCHEMA public;
    CREATE TABLE orders (id int PRIMARY KEY, total numeric(10,2) NOT NULL, note text);
    CREATE TABLE lines (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
    CREATE VIEW dear AS SELECT * FROM orders WHERE total > 10;
    CREATE SEQUENCE numbers;
    CREATE FUNCTION touch() RETURNS int LANGUAGE sql VOLATILE AS 'UPDATE orders SET note = ''touched''; SELECT 1';
    INSERT INTO orders SELECT n, n * 10, 'n' || n FROM generate_series(1, 8) AS n;
    INSERT INTO lines VALUES (1, 1)`,
  checksum: `
    SELECT (SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM orders AS o) AS orders,
      (SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM lines AS l) AS lines,
      (SELECT md5(string_agg(c.oid || relname || relkind::text || relnatts || coalesce(obj_description(c.oid), ''), ',' ORDER BY c.oid))
        FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace) AS relations,
      (SELECT md5(string_agg(typname, ',' ORDER BY oid)) FROM pg_type WHERE typnamespace = 'public'::regnamespace) AS types,
      (SELECT md5(string_agg(attrelid || attname || coalesce(col_description(attrelid, attnum), ''), ',' ORDER BY attrelid, attnum))
        FROM pg_attribute WHERE attrelid IN ('orders'::regclass, 'lines'::regclass)) AS columns,
      (SELECT string_agg(nspname, ',' ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_') AS schemas`,
  writes: [
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
  ],
  committed: [],
  warnings: [
    ["UPDATE orders SET note = NULL", /UPDATE without WHERE/],
    ["DELETE FROM lines", /DELETE without WHERE/],
    ["TRUNCATE lines", /every row/],
    ["DROP TABLE orders CASCADE", /CASCADE/],
    ["DELETE FROM orders WHERE id = 1", /lines follow/],
    ["WITH gone AS (DELETE FROM lines RETURNING 1) DELETE FROM orders WHERE id = 2", /several tables/],
  ],
  refusals: [
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
  ],
  failures: [
    ["INSERT INTO orders VALUES (9, 1, 'secret'), (1, 1, 'secret')", "constraint_violated", /orders_pkey/],
    ["UPDATE orders SET total = NULL", "constraint_violated", /column total/],
    ["INSERT INTO lines VALUES (9, 9000)", "constraint_violated", /lines_order_id_fkey/],
    ["INSERT INTO orders VALUES (9, 1e12)", "type_mismatch", /overflow/],
    ["CREATE TABLE orders (id int)", "already_exists", /orders/],
  ],
  async killRunning(database, beginning) {
    // Inside of a transaction the server shows what it has shown before.
    await database.run("SELECT pg_stat_clear_snapshot()");
    const rows = await database.run(`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() AND query LIKE '${beginning}%'`);
    return rows.length;
  },
  readOnly: [
    "SELECT current_setting('transaction_read_only'), current_setting('default_transaction_read_only')",
    [["on", "on"]],
  ],
};
