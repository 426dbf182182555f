/** Writes that only MariaDB and MySQL know: engines that take nothing back, triggers nobody sees, numbers that are used up. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { callJson } from "../sql/connect.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { execute as executeOn, openClient, openWriter, type Writer } from "./serve.js";

let database: TestDatabase;
let writer: Writer;

beforeAll(async () => {
  database = await createMysqlDatabase();
  writer = openWriter(mysqlKind, { shop: database.url }, { mode: "write" });
});

afterAll(async () => {
  await writer[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await database.run(`
    DROP TABLE IF EXISTS good, behind, kept, aria_kept, mixed; DROP VIEW IF EXISTS shown;
    CREATE TABLE good (id int PRIMARY KEY AUTO_INCREMENT, a int) ENGINE = InnoDB;
    CREATE TABLE behind (id int PRIMARY KEY AUTO_INCREMENT, a int) ENGINE = InnoDB;
    CREATE TABLE kept (id int PRIMARY KEY AUTO_INCREMENT, a int UNIQUE) ENGINE = MyISAM;
    CREATE TABLE aria_kept (id int, a int) ENGINE = Aria TRANSACTIONAL = 1;
    CREATE VIEW shown AS SELECT * FROM kept;
    INSERT INTO good VALUES (1, 1), (2, 2); INSERT INTO kept VALUES (1, 1), (2, 2), (3, 9)`);
});

const execute = (args: Record<string, unknown>, server = writer.server) => executeOn(server, args);
const rowsOf = async (table: string) => (await database.run(`SELECT a FROM ${table} ORDER BY id`)).map(({ a }) => a);

test.each([
  ["INSERT INTO kept (a) VALUES (7)", /MyISAM/],
  ["DELETE FROM shown WHERE id = 1", /MyISAM/],
  ["INSERT INTO aria_kept VALUES (1, 1)", /Aria/],
  ["UPDATE good JOIN kept ON good.id = kept.id SET good.a = 0, kept.a = 0", /MyISAM/],
])("%s cannot be tried, and runs when it is allowed", async (sql, reason) => {
  const before = [await rowsOf("kept"), await rowsOf("good"), await rowsOf("aria_kept")];
  const tried = await execute({ sql, dry_run: true });
  expect(tried).toMatchObject({ isError: true, code: "dry_run_unavailable" });
  expect(tried.message).toMatch(reason);
  expect([await rowsOf("kept"), await rowsOf("good"), await rowsOf("aria_kept")]).toEqual(before);
});

test("a write that only reads such a table can be tried", async () => {
  const sql = "INSERT INTO good (a) SELECT a FROM kept";
  expect(await execute({ sql, dry_run: true })).toMatchObject({ isError: false, rows_affected: 3 });
  expect(await rowsOf("good")).toEqual([1, 2]);
});

test("an error in the middle of such a write is no clean failure, and its key is not free again", async () => {
  const client = await openClient(writer.server, "legacy");
  const args = { sql: "UPDATE kept SET a = a + 7 ORDER BY id", idempotency_key: "middle" };
  const failed = await callJson(client, "execute", args);
  expect(failed).toMatchObject({ isError: true, code: "outcome_unknown" });
  expect(failed.hint).toMatch(/MyISAM/);
  // The first row was changed before the second met the third.
  expect(await rowsOf("kept")).toEqual([8, 2, 9]);
  expect(await callJson(client, "execute", args)).toMatchObject({ code: "outcome_unknown" });
  expect(await rowsOf("kept")).toEqual([8, 2, 9]);
  await client.close();
});

test("tables are dropped one by one: an error in the middle leaves the outcome open", async () => {
  const failed = await execute({ sql: "DROP TABLE behind, missing" });
  expect(failed).toMatchObject({ isError: true, code: "outcome_unknown" });
  await expect(rowsOf("behind")).rejects.toThrow();
});

test("a dry run uses up numbers of AUTO_INCREMENT, and nothing else", async () => {
  const tried = await execute({ sql: "INSERT INTO good (a) VALUES (3)", dry_run: true });
  expect(tried).toMatchObject({ rows_affected: 1, after: { columns: ["id", "a"] } });
  expect(await rowsOf("good")).toEqual([1, 2]);
  await execute({ sql: "INSERT INTO good (a) VALUES (3)" });
  const [row] = await database.run("SELECT id FROM good WHERE a = 3");
  expect(Number(row?.id)).toBeGreaterThan(3);
});

test.each([
  ["writes to a table without transactions", "INSERT INTO kept (a) VALUES (NEW.a)", /names kept/],
  ["sets off another that does", "INSERT INTO behind (a) VALUES (NEW.a)", /names kept/],
  ["calls a procedure", "CALL fill_kept()", /calls a procedure/],
])("a trigger that %s forbids the dry run", async (_name, body, reason) => {
  await database.run(`
    CREATE PROCEDURE IF NOT EXISTS fill_kept() INSERT INTO kept (a) VALUES (77);
    CREATE TRIGGER further AFTER INSERT ON behind FOR EACH ROW INSERT INTO kept (a) VALUES (NEW.a);
    CREATE TRIGGER first AFTER UPDATE ON good FOR EACH ROW ${body}`);
  const sql = "UPDATE good SET a = a + 20 WHERE id = 1";
  const tried = await execute({ sql, dry_run: true });
  expect(tried).toMatchObject({ code: "dry_run_unavailable" });
  expect(tried.message).toMatch(reason);
  expect(await rowsOf("kept")).toEqual([1, 2, 9]);
  expect((await execute({ sql })).warnings.join(" ")).toMatch(/triggers, which run too: first/);
});

test("a trigger that can be taken back is tried with the rest", async () => {
  await database.run(`CREATE TRIGGER first AFTER UPDATE ON good FOR EACH ROW INSERT INTO behind (a) VALUES (NEW.a)`);
  const tried = await execute({ sql: "UPDATE good SET a = 5 WHERE id = 1", dry_run: true });
  expect(tried).toMatchObject({ isError: false, rows_affected: 1 });
  expect(tried.warnings.join(" ")).toMatch(/first/);
  expect(await rowsOf("behind")).toEqual([]);
});

test("a trigger that the user cannot see, and that takes nothing back, is found out by the rollback", async () => {
  await database.run(`
    CREATE TRIGGER unseen AFTER UPDATE ON good FOR EACH ROW INSERT INTO kept (a) VALUES (NEW.a);
    CREATE OR REPLACE USER '${database.name}'@'%' IDENTIFIED BY 'x';
    GRANT SELECT, INSERT, UPDATE, DELETE ON ${database.name}.* TO '${database.name}'@'%'`);
  try {
    const url = new URL(database.url);
    url.username = database.name;
    url.password = "x";
    await using limited = openWriter(mysqlKind, { shop: url.href }, { mode: "write" });
    const tried = await execute({ sql: "UPDATE good SET a = 55 WHERE id = 1", dry_run: true }, limited.server);
    expect(tried).toMatchObject({ isError: true, code: "outcome_unknown" });
    expect(tried.hint).toMatch(/trigger/);
    expect(await rowsOf("good")).toEqual([1, 2]);
  } finally {
    await database.run(`DROP USER '${database.name}'@'%'`);
  }
});

test("what cannot be tried is shown to the human as that, and runs only with their yes", async () => {
  await using asking = openWriter(mysqlKind, { shop: database.url }, { mode: "approve" });
  const asked = { answers: [{ action: "accept", content: { allow: true } } as const], shown: [] as string[] };
  const client = await openClient(asking.server, "modern", asked);
  const done = await callJson(client, "execute", { sql: "ALTER TABLE good ADD COLUMN b int" });
  expect(done).toMatchObject({ isError: false, class: "alter table" });
  expect(asked.shown[0]).toMatch(
    /ALTER TABLE on good[\s\S]*changes the schema[\s\S]*Not tried before: The engine commits/,
  );
  await client.close();
});

test("a write that is cancelled or takes too long is undone, and nothing of it is left running", async () => {
  await using hurried = openWriter(mysqlKind, { shop: database.url }, { mode: "write", timeoutMs: 1_000 });
  await database.run("START TRANSACTION; UPDATE good SET a = a WHERE id = 2");
  try {
    const late = await execute({ sql: "UPDATE good SET a = 70" }, hurried.server);
    expect(late).toMatchObject({ isError: true, code: "timeout" });
    const client = await openClient(writer.server, "legacy");
    const cancel = new AbortController();
    const running = client.callTool(
      { name: "execute", arguments: { sql: "UPDATE good SET a = 71" } },
      { signal: cancel.signal },
    );
    await untilRunning("UPDATE good SET a = 71", 1);
    cancel.abort();
    await expect(running).rejects.toThrow();
    await untilRunning("UPDATE good", 0);
    await client.close();
  } finally {
    await database.run("ROLLBACK");
  }
  expect(await rowsOf("good")).toEqual([1, 2]);
});

/** Waits until so many sessions run a statement with this beginning. */
async function untilRunning(beginning: string, count: number): Promise<void> {
  const sql = `SELECT id FROM information_schema.processlist WHERE db = '${database.name}' AND info LIKE '${beginning}%' AND id <> CONNECTION_ID()`;
  while ((await database.run(sql)).length !== count) await sleep(20);
}
