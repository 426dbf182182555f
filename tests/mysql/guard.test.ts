/** What the guard lets through: ordinary SQL of every kind, and nothing that only looks like it. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { answerOf, failureOf, openSource } from "./open.js";

let database: TestDatabase;
let source: Database;
beforeAll(async () => {
  database = await createMysqlDatabase();
  await database.run(`
    CREATE TABLE t (id INT PRIMARY KEY, \`into\` TEXT, \`sleep\` INT); INSERT INTO t VALUES (1, 'a', 2);
    CREATE TABLE canary (v VARCHAR(10)) ENGINE=MyISAM; INSERT INTO canary VALUES ('untouched');
    CREATE SEQUENCE s;
    CREATE FUNCTION good(i INT) RETURNS INT DETERMINISTIC RETURN i * 2;
    CREATE FUNCTION nested(i INT) RETURNS INT DETERMINISTIC RETURN good(i) + (SELECT COUNT(*) FROM t);
    CREATE FUNCTION napping(i INT) RETURNS INT RETURN SLEEP(i);
    CREATE FUNCTION hiding(i INT) RETURNS INT RETURN napping(i);
    CREATE VIEW fine AS SELECT good(id) AS g FROM t;
    CREATE VIEW nap AS SELECT SLEEP(9) AS z; CREATE VIEW over_nap AS SELECT * FROM nap;
    CREATE VIEW calls AS SELECT hiding(9) AS z; CREATE VIEW counts AS SELECT NEXTVAL(s) AS n`);
  source = openSource(database.url);
});
afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("ordinary SQL runs", () => {
  test.each([
    "SELECT `into`, `sleep` FROM t",
    "SELECT t.`into` AS `update` FROM t",
    "(SELECT 1) UNION (SELECT 2) ORDER BY 1",
    "((SELECT 1))",
    "WITH c (a, b) AS (SELECT 1, 2), d AS (SELECT a FROM c) SELECT * FROM d",
    "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT * FROM c",
    "VALUES (1, 2), (3, 4)",
    "SELECT good(2), nested(3)",
    "SELECT * FROM fine",
    "SELECT UPPER ('a'), ABS /* x */ (1)",
    "SELECT INSERT('abc', 1, 1, 'x'), REPLACE('a', 'a', 'b')",
    "SELECT 'a;b' AS x -- ; DELETE",
    "SELECT 1 --1",
    "SELECT * FROM t USE INDEX (PRIMARY) WHERE id IN (1)",
    "SELECT CAST('1' AS DECIMAL(10, 2)), CONVERT('1', CHAR(3))",
    "SELECT id FROM t",
    "SELECT SUM(id) OVER (PARTITION BY id ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
    "SELECT { d '2024-01-01' }, @@version, @nothing",
    "SELECT /*+ NO_ICP(t) */ id FROM t",
    "DESCRIBE t",
    "DESC t id",
    "SHOW CREATE TABLE t",
    "SHOW COLUMNS FROM t LIKE 'i%'",
    "SHOW COLUMNS FROM t WHERE Field = 'into' OR Type LIKE '%int%'",
    "EXPLAIN SELECT * FROM t",
    "ANALYZE SELECT 1",
    "EXPLAIN FORMAT=JSON (SELECT 1)",
    "ANALYZE FORMAT = JSON (SELECT id FROM t) UNION (SELECT 2)",
  ])("%s", async (sql) => {
    expect((await answerOf(source, sql)).rows.length).toBeGreaterThan(0);
  });
});

describe("what only looks harmless is refused before it is sent", () => {
  test.each([
    "SELECT sleep (1)",
    "SELECT `sleep`(1)",
    "SELECT sleep/**/(1)",
    "SELECT SLEEP -- \n (1)",
    "SELECT 1 /*! , SLEEP(1) */",
    "SELECT 1 /*M! , SLEEP(1) */",
    "SELECT 1 /*!99999 ; */",
    "SELECT load_file 1.e('/etc/passwd')",
    "SELECT 1.e(ascii 1.e(1))",
    "SELECT * FROM nap",
    "SELECT * FROM over_nap AS x",
    "SELECT * FROM calls",
    "SELECT * FROM counts",
    "SELECT n FROM `COUNTS`",
    "SELECT napping(0)",
    "SELECT hiding(0)",
    "SELECT NEXT VALUE FOR s",
    "SELECT PREVIOUS VALUE FOR s",
    "SELECT NEXTVAL(s)",
    "SELECT @a := 1",
    "SELECT 1 INTO @a",
    "SELECT 1 INTO OUTFILE '/tmp/x'",
    "SELECT * FROM t PROCEDURE ANALYSE()",
    "SELECT * FROM t LOCK IN SHARE MODE",
    "SELECT * FROM t FOR SHARE",
    "SELECT * FROM (SELECT * FROM t FOR UPDATE) x",
    "WITH x AS (SELECT 1) UPDATE canary SET v = 'HIT'",
    "WITH x AS (SELECT 1) REPLACE INTO canary VALUES ('HIT')",
    "EXPLAIN UPDATE canary SET v = 'HIT'",
    "EXPLAIN ANALYZE DELETE FROM canary",
    "EXPLAIN FOR CONNECTION 1",
    "EXPLAIN FORMAT=JSON UPDATE canary SET v = 'HIT'",
    "EXPLAIN FORMAT=JSON (SELECT sleep(1))",
    "ANALYZE FORMAT=sleep (SELECT nap(1))",
    "ANALYZE TABLE t",
    "ANALYZE DELETE FROM canary",
    "DESCRIBE UPDATE canary SET v = 1",
    "SHOW CREATE USER root",
    "SHOW DATABASES WHERE (SELECT 1 FROM canary FOR UPDATE)",
    "SHOW TABLES WHERE (SELECT 1 FROM canary LOCK IN SHARE MODE)",
    "SHOW TABLES LIKE 'x' INTO OUTFILE '/tmp/x'",
    "SHOW TABLES WHERE @a := 1",
    "SHOW GRANTS FOR root@localhost",
    "SELECT * FROM mysql.user",
    "SELECT * FROM `mysql`.`global_priv`",
    "SELECT /*+ SET_VAR(max_statement_time=0) */ 1",
    "DO SLEEP(1)",
    "CALL p()",
    "HANDLER t OPEN",
    "BEGIN NOT ATOMIC SELECT 1; END",
    "SET STATEMENT max_statement_time = 0 FOR SELECT 1",
    "EXECUTE IMMEDIATE 'SELECT 1'",
    "SELECT 1 \\G",
    "SELECT unknown_native(1)",
    "USE mysql",
    "KILL 1",
  ])("%s", async (sql) => {
    const { code, errno } = await failureOf(answerOf(source, sql));
    expect(["not_allowed", "read_only", "multiple_statements", "syntax_error", "function_not_found"]).toContain(code);
    // No number: the server never saw it.
    expect(errno).toBeUndefined();
  });
});

test("a name means what it means in its own schema", async () => {
  await using other = await createMysqlDatabase();
  await other.run(`
    CREATE VIEW customers AS SELECT SLEEP(9) AS z;
    CREATE FUNCTION good(i INT) RETURNS INT RETURN SLEEP(i);
    CREATE FUNCTION fair(i INT) RETURNS INT RETURN good(i);
    CREATE VIEW asks AS SELECT good(9) AS z`);
  await using own = openSource(database.url);
  // No view of another schema is meant by an alias.
  expect((await answerOf(own, "SELECT customers.id AS asks FROM t AS customers")).rows).toEqual([["1"]]);
  expect((await answerOf(own, "SELECT good(2), fine.g FROM fine")).rows).toEqual([["4", "2"]]);
  for (const sql of [
    `SELECT * FROM ${other.name}.customers`,
    `SELECT * FROM ${other.name} . \`CUSTOMERS\``,
    `SELECT * FROM ${other.name}.asks`,
    `SELECT ${other.name}.fair(9)`,
    `SELECT ${other.name}.good(9)`,
    "SELECT * FROM .nap",
  ]) {
    expect(await failureOf(answerOf(own, sql)), sql).toMatchObject({ code: "not_allowed", errno: undefined });
  }
});

test("accounts are out of reach where their tables need no qualifier", async () => {
  await using own = openSource(database.url.replace(database.name, "mysql"));
  expect(await failureOf(answerOf(own, "SELECT * FROM user"))).toMatchObject({ code: "not_allowed" });
  expect((await answerOf(own, "SELECT COUNT(*) FROM help_topic")).rows).toHaveLength(1);
});

test("whatever random SQL the guard passes leaves everything as it was", async () => {
  const pieces = [
    ..."SELECT FROM t canary v id ( ) , ; ' \" ` * 1 1.e = := @a UPDATE SET DELETE INSERT INTO VALUES WITH AS UNION".split(
      " ",
    ),
    ..."/* */ /*! /*M! -- # \n \\ OUTFILE DUMPFILE SLEEP( NEXTVAL(s) FOR LOCK IN SHARE MODE good( EXPLAIN ANALYZE".split(
      " ",
    ),
    ..."BEGIN NOT ATOMIC END COMMIT TABLE SHOW CALL DO SET TRUNCATE RETURNING 'HIT' x'41' _gbk N'a' \u00a0 😀".split(
      " ",
    ),
    "INTO @a",
    "UPDATE canary SET v = 'HIT'",
    "DELETE FROM canary",
    "SELECT 1",
    "FROM t",
    "GET_LOCK('g', 0)",
    "\n",
  ];
  const soup = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 9 }).map((words) => words.join(" "));
  const grown = fc
    .tuple(fc.constantFrom("SELECT", "SELECT 1", "WITH x AS (SELECT 1)", "(SELECT 1)", "EXPLAIN", "TABLE t"), soup)
    .map((parts) => parts.join(" "));
  const state = async () =>
    JSON.stringify(
      await database.run(`SELECT (SELECT GROUP_CONCAT(v) FROM canary) AS canary, (SELECT COUNT(*) FROM t) AS t,
        (SELECT next_not_cached_value FROM s) AS sequence, IS_FREE_LOCK('g') AS is_free,
        (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()) AS tables`),
      (_, value) => (typeof value === "bigint" ? String(value) : value),
    );
  const before = await state();
  let passed = 0;
  await fc.assert(
    fc.asyncProperty(fc.oneof(soup, grown), async (sql) => {
      const outcome = await answerOf(source, sql, [], { timeoutMs: 1_000, maxRows: 10 }).then(
        () => undefined,
        (thrown: unknown) => Object(thrown),
      );
      if (outcome === undefined || outcome.errno !== undefined) {
        passed++;
        expect(await state()).toBe(before);
      }
    }),
    { numRuns: 3_000 },
  );
  expect(passed).toBeGreaterThan(50);
  expect(await state()).toBe(before);
}, 120_000);
