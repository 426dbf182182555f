/**
 * PgBouncer in transaction mode between us and the server: everything the suite asks of a database holds, what others
 * leave on the sessions it lends does not reach us, and what it cannot do is refused with a clear message.
 */
import { databaseConformance } from "@database-interface/mcp-core/testing";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPgbouncer } from "../../bin/pgbouncer-instance.mjs";
import { createConnector, sessionDefaults, watched } from "../../mcp-postgres/src/connect.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { createPool } from "../../mcp-postgres/src/pool.js";
import { inTransaction } from "../../mcp-postgres/src/transaction.js";
import { postgresTarget } from "../sql/postgres-target.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { openFaultProxy } from "../support/fault-proxy.js";
import { codeOf, collect, limits, openSource } from "./open.js";

let database: TestDatabase;
beforeAll(async () => {
  database = await createPostgresDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

const pooler = (settings: Record<string, string> = {}, url = database.url) =>
  startPgbouncer({ url, settings, signal: AbortSignal.timeout(50_000) });

/** Of what a call sees of its session. */
const stateSql = `SELECT current_user::text, current_setting('transaction_read_only'), current_setting('statement_timeout'),
  current_setting('standard_conforming_strings'), current_setting('client_encoding'), current_setting('app.tenant', true),
  current_setting('search_path')`;

describe("the conformance suite", () => {
  let running: AsyncDisposable & { readonly url: string };
  beforeAll(async () => {
    running = await pooler();
  });
  afterAll(() => running[Symbol.asyncDispose]());
  for (const { name, run } of databaseConformance(() => postgresTarget(database, running.url))) test(name, run, 90_000);
});

const ours = Object.keys({ ...sessionDefaults, ...watched }).join(", ");

test.each([
  ["that refuses our start-up settings", {}, ""],
  ["that takes and forgets them", { ignore_startup_parameters: ours }, ""],
  ["that the URL names", {}, "?pooler=transaction"],
  ["in session mode", { pool_mode: "session" }, ""],
])("a pooler %s is known for one: no call leans on the session", async (_, settings, option) => {
  await using running = await pooler(settings);
  await using source = openSource(`${running.url}${option}`, 2);
  expect((await source.check(limits())).warnings.join()).toContain("A pooler lends its sessions");
  const { rows } = await collect(source, stateSql, [], { timeoutMs: 4_321 });
  expect(rows[0]?.slice(1, 5)).toEqual(["on", "4321ms", "on", "UTF8"]);
});

test("no pooler is seen where there is none", async () => {
  await using source = openSource(database.url);
  expect((await source.check(limits())).warnings.join()).not.toContain("pooler");
});

test("what another client left on a lent session does not reach us, and is there again afterwards", async () => {
  await using running = await pooler({ default_pool_size: "1" });
  await database.run("CREATE TABLE shadowed (a text); INSERT INTO shadowed VALUES ('real'); CREATE ROLE left_role");
  const other = postgres(running.url, { max: 1, prepare: false, onnotice: () => {} });
  try {
    await other.unsafe(`SET ROLE left_role; SET app.tenant = 'theirs'; SET search_path = pg_catalog;
      SET standard_conforming_strings = off; SET client_encoding = 'SQL_ASCII'; SET statement_timeout = 0`);
    await other.unsafe("RESET ROLE; CREATE TEMP TABLE shadowed (a text); SET ROLE left_role");
    await using source = openSource(running.url, 1);
    const { rows } = await collect(source, stateSql);
    expect(rows).toEqual([["postgres", "on", "20s", "on", "UTF8", "", '"$user", public, pg_temp']]);
    expect((await collect(source, "SELECT a FROM shadowed")).rows).toEqual([["real"]]);
    const [left] = await other`SELECT current_user::text AS role, current_setting('app.tenant') AS tenant`;
    expect(left).toEqual({ role: "left_role", tenant: "theirs" });
  } finally {
    await other.end({ timeout: 1 });
    await database.run("DROP TABLE shadowed; DROP ROLE left_role");
  }
});

test("a transaction that did not begin takes its statement with it: it is never sent", async () => {
  await using running = await pooler();
  await database.run("CREATE TABLE untouched (a int)");
  const { port } = new URL(running.url);
  await using proxy = await openFaultProxy({ host: "127.0.0.1", port: Number(port) });
  const config = postgresKind.parseSource(`${proxy.through(running.url)}?sslmode=disable&pooler=transaction`, {});
  const log = { debug: () => {}, warn: () => {} };
  const connect = createConnector(config, { poolSize: 1, connectTimeoutMs: 3_000, log });
  await using pool = createPool({ size: 1, waitMs: 1_000, connect, log });
  // As a call sends it, without the guard.
  const run = (sql: string) =>
    inTransaction(pool, config.tls, limits(), ({ session }) => session.send({ sql, params: [] }));
  await run("SELECT 1");
  proxy.rewrite("BEGIN ISOLATION", "BEGUN ISOLATION");
  expect(await codeOf(run("INSERT INTO untouched VALUES (1)"))).toBe("42601");
  expect(proxy.countSent("INSERT INTO untouched")).toBe(0);
  proxy.heal();
  expect(await codeOf(run("INSERT INTO untouched VALUES (1)"))).toBe("25006");
  expect(await database.run("SELECT * FROM untouched")).toEqual([]);
});

test("a client that vanishes takes its statement with it", async () => {
  await using running = await pooler();
  const { port } = new URL(running.url);
  await using proxy = await openFaultProxy({ host: "127.0.0.1", port: Number(port) });
  await using source = openSource(proxy.through(running.url));
  const call = codeOf(collect(source, "SELECT pg_sleep(30) /* vanished */"));
  const count = async () =>
    (await database.run("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%/* vanished *%' AND state = 'active'"))
      .length;
  const since = async (isTrue: (found: number) => boolean) => {
    const startedAt = performance.now();
    while (!isTrue(await count())) {
      if (performance.now() - startedAt > 5_000) throw new Error("did not happen in time");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return performance.now() - startedAt;
  };
  // The count's own statement is one of them.
  await since((found) => found === 2);
  proxy.reset();
  expect(await since((found) => found === 1)).toBeLessThan(2_500);
  expect(await call).toBe("connection_lost");
});

test("writes commit through it", async () => {
  await using running = await pooler();
  await database.run("CREATE TABLE written (a int)");
  await using source = openSource(running.url);
  const statement = { sql: "INSERT INTO written VALUES ($1)", params: [7] };
  expect(await source.writing?.dryRun(statement, limits())).toMatchObject({ rowsAffected: 1 });
  expect(await database.run("SELECT a FROM written")).toEqual([]);
  await source.writing?.run(statement, { columns() {}, row: () => true }, limits());
  expect(await database.run("SELECT a FROM written")).toEqual([{ a: 7 }]);
});

describe("what a pooler cannot or will not do is said in its own words", () => {
  test("statement mode allows no transaction", async () => {
    await using running = await pooler({ pool_mode: "statement" });
    await using source = openSource(running.url);
    await expect(source.check(limits())).rejects.toMatchObject({ code: "pooler_unsupported", retryable: false });
  });

  test("no server connection free in time", async () => {
    await using running = await pooler({ default_pool_size: "1", query_wait_timeout: "1" });
    await using source = openSource(running.url, 2);
    await using cursor = await source.openCursor({ sql: "SELECT 1", params: [] }, limits());
    await expect(collect(source, "SELECT 1")).rejects.toMatchObject({ code: "busy", retryable: true });
    await cursor[Symbol.asyncDispose]();
    expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
  });

  test("no more clients", async () => {
    await using running = await pooler({ max_client_conn: "1" });
    const only = postgres(running.url, { max: 1, prepare: false });
    await only`SELECT 1`;
    await using source = openSource(running.url);
    await expect(source.check(limits())).rejects.toMatchObject({ code: "too_many_connections", retryable: true });
    await only.end({ timeout: 1 });
  });

  test("a user it does not know", async () => {
    await using running = await pooler();
    const url = new URL(running.url);
    url.username = "nobody_here";
    await using source = openSource(url.href);
    await expect(source.check(limits())).rejects.toMatchObject({ code: "authentication_failed" });
  });

  test("a cursor it lets go of", async () => {
    await using running = await pooler({ idle_transaction_timeout: "1" });
    await using source = openSource(running.url);
    await using cursor = await source.openCursor({ sql: "SELECT generate_series(1, 9)", params: [] }, limits());
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await codeOf(cursor.fetch(1, limits()))).toBe("connection_lost");
    expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
  });
});
