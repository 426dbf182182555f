/** What may be written, what is refused, and that a dry run leaves nothing: the same on every database. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DatabaseKind, SourceConfig } from "../../mcp-core/src/sql/database.js";
import { callJson } from "../sql/connect.js";
import type { TestDatabase } from "../support/databases.js";
import { openFaultProxy } from "../support/fault-proxy.js";
import type { WriteEngine } from "./engine.js";
import { mysqlEngine } from "./mysql-engine.js";
import { postgresEngine } from "./postgres-engine.js";
import { execute as executeOn, openClient, openWriter, type Writer } from "./serve.js";

describe(postgresEngine.title, () => testWrites(postgresEngine));
describe(mysqlEngine.title, () => testWrites(mysqlEngine));

function testWrites<Config extends SourceConfig>(engine: WriteEngine<Config>): void {
  const kind: DatabaseKind<Config> = engine.kind;
  let database: TestDatabase;
  let writer: Writer;

  beforeAll(async () => {
    database = await engine.createDatabase();
    writer = openWriter(kind, { shop: database.url }, { mode: "write" });
  });

  afterAll(async () => {
    await writer[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    await database.run(engine.fixture(database.name));
  });

  const execute = (args: Record<string, unknown>) => executeOn(writer.server, args);
  const checksum = async (): Promise<unknown> => (await database.run(engine.checksum))[0];
  /** After a drop there is nothing to sum up. */
  const checksumAfter = (): Promise<unknown> => checksum().catch(() => "changed");

  describe.each(engine.writes)("%s", (sql, kindOfWrite, rows, targets) => {
    test("is tried without a trace", async () => {
      const before = await checksum();
      const tried = await execute({ sql, dry_run: true });
      expect(tried).toMatchObject({ isError: false, dry_run: true, class: kindOfWrite, targets, rows_affected: rows });
      expect(await checksum()).toEqual(before);
    });

    test("runs once", async () => {
      const before = await checksum();
      const done = await execute({ sql });
      expect(done).toMatchObject({ isError: false, dry_run: false, class: kindOfWrite, targets, rows_affected: rows });
      expect(await checksumAfter()).not.toEqual(before);
    });
  });

  describe.each(engine.committed)("%s", (sql, kindOfWrite, rows, targets) => {
    test("cannot be tried, which is said; runs once", async () => {
      const before = await checksum();
      const tried = await execute({ sql, dry_run: true });
      expect(tried).toMatchObject({ isError: true, code: "dry_run_unavailable" });
      expect(tried.message).toMatch(/commits/);
      expect(await checksum()).toEqual(before);
      const done = await execute({ sql });
      expect(done).toMatchObject({ isError: false, dry_run: false, class: kindOfWrite, targets, rows_affected: rows });
      expect(await checksumAfter()).not.toEqual(before);
    });
  });

  test("a dry run shows some rows before and after, a run what it returns", async () => {
    const sql = `UPDATE orders SET total = ${engine.mark} WHERE id = 2`;
    const tried = await execute({ sql, params: [7.5], dry_run: true });
    expect(tried.before.rows).toEqual([[2, "20.00", "n2"]]);
    expect(tried.after.rows).toEqual([[2, "7.50", "n2"]]);
    const inserted = await execute({
      sql: "INSERT INTO orders SELECT id + 10, total, note FROM orders",
      dry_run: true,
    });
    expect(inserted).toMatchObject({ rows_affected: 8, after: { columns: ["id", "total", "note"] } });
    expect(inserted.after.rows).toContainEqual([12, "20.00", "n2"]);
    const gone = await execute({ sql: "DELETE FROM orders WHERE id = 3", dry_run: true });
    expect(gone.before.rows).toEqual([[3, "30.00", "n3"]]);
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

  test.each(engine.warnings)("%s comes with a warning", async (sql, warning) => {
    expect((await execute({ sql, dry_run: true })).warnings.join(" ")).toMatch(warning);
  });

  test.each(engine.refusals)("%s is refused", async (sql, code) => {
    const before = await checksum();
    for (const dry of [true, false]) {
      expect(await execute({ sql, dry_run: dry })).toMatchObject({ isError: true, code });
    }
    expect(await checksum()).toEqual(before);
  });

  test.each(engine.failures)(
    "%s is undone as a whole, and what is said of it names no value",
    async (sql, code, message) => {
      const before = await checksum();
      const failed = await execute({ sql });
      expect(failed).toMatchObject({ isError: true, code });
      expect(failed.message).toMatch(message);
      expect(JSON.stringify(failed)).not.toContain("secret");
      expect(await checksum()).toEqual(before);
    },
  );

  test("a session killed during the write undoes it; the next call works", async () => {
    const before = await checksum();
    await database.run("BEGIN; UPDATE orders SET note = note WHERE id = 8");
    const running = execute({ sql: "UPDATE orders SET note = 'slow'" });
    while ((await engine.killRunning(database, "UPDATE orders SET note = ''slow")) === 0);
    expect(await running).toMatchObject({ isError: true, code: "connection_lost" });
    await database.run("ROLLBACK");
    expect(await checksum()).toEqual(before);
    expect(await execute({ sql: "UPDATE orders SET note = 'next' WHERE id = 1" })).toMatchObject({ rows_affected: 1 });
  });

  test.each([
    ["before it reaches the server", 0, 0],
    ["on the way of its answer", 300, 1],
  ])(
    "a network cut during COMMIT, %s, leaves the outcome unknown; a retry under the same key writes nothing",
    async (_name, waitMs, written) => {
      const { hostname, port } = new URL(database.url);
      await using proxy = await openFaultProxy({
        host: hostname,
        port: Number(port || (kind.name === "mysql" ? 3306 : 5432)),
      });
      await using cut = openWriter(kind, { shop: proxy.through(database.url) }, { mode: "write" });
      const client = await openClient(cut.server, "legacy");
      await callJson(client, "execute", { sql: "UPDATE orders SET note = 'first' WHERE id = 1" });
      const args = { sql: "UPDATE orders SET note = CONCAT(note, '+') WHERE id = 1", idempotency_key: "late" };
      const commits = proxy.countSent(engine.commit);
      proxy.slow(200);
      const running = callJson(client, "execute", args);
      while (proxy.countSent(engine.commit) === commits) await sleep(5);
      await sleep(waitMs);
      proxy.cut();
      expect(await running).toMatchObject({ isError: true, code: "outcome_unknown", retryable: false });
      proxy.heal();
      expect(await callJson(client, "execute", args)).toMatchObject({ isError: true, code: "outcome_unknown" });
      await client.close();
      const [row] = await database.run("SELECT note FROM orders WHERE id = 1");
      expect(row?.note).toBe(`first${"+".repeat(written)}`);
    },
  );

  test("nothing of a write stays on the session: reads are read-only afterwards", async () => {
    const client = await openClient(writer.server, "legacy");
    await callJson(client, "execute", { sql: "UPDATE orders SET note = 'x' WHERE id = 1" });
    await callJson(client, "execute", { sql: "CREATE TABLE fresh (id int)" });
    const [sql, rows] = engine.readOnly;
    expect((await callJson(client, "query", { sql })).rows).toEqual(rows);
    const { code } = await callJson(client, "query", { sql: "UPDATE orders SET note = 'y'" });
    expect(code).toBe("read_only");
    await client.close();
  });
}

test("PostgreSQL: a constraint that is checked at commit undoes the write and says so", async () => {
  await using database = await postgresEngine.createDatabase();
  await database.run(postgresEngine.fixture(database.name));
  await using writer = openWriter(postgresEngine.kind, { shop: database.url }, { mode: "write" });
  const client = await openClient(writer.server, "legacy");
  const refused = await callJson(client, "execute", { sql: "INSERT INTO lines VALUES (5, 999)" });
  expect(refused).toMatchObject({ isError: true, sqlstate: "23503" });
  expect(await database.run("SELECT id FROM lines")).toEqual([{ id: 1 }]);
  await client.close();
});
