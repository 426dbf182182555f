/** What goes wrong with a statement, as codes, positions and names; and what is never in a message. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { answerOf, failureOf, openSource } from "./open.js";

let database: TestDatabase;
let source: Database;
beforeAll(async () => {
  database = await createMysqlDatabase();
  await database.run("CREATE TABLE orders (id INT PRIMARY KEY, total DECIMAL(10,2), note TEXT)");
  source = openSource(database.url);
});
afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

test.each<[sql: string, expected: object]>([
  ["", { code: "sql_empty" }],
  [" -- only\n/* comments */ # here", { code: "sql_empty" }],
  [";;", { code: "sql_empty" }],
  ["SELECT 1; SELECT 2", { code: "multiple_statements" }],
  ["SELECT 1;; -- done", { code: undefined }],
  ["SELECT 'a", { code: "syntax_error", position: 8 }],
  ["SELECT 1 /* open", { code: "syntax_error", position: 10 }],
  ["SELECT `a", { code: "syntax_error", position: 8 }],
  ["SELECT 1 FRM orders x", { code: "syntax_error", errno: 1064, position: 14 }],
  ["SELECT '😀',\n  id,\nFROM orders", { code: "syntax_error", position: 19 }],
  ["SELECT * FROM orders WHERE", { code: "syntax_error", position: 27 }],
  [`SELECT 1 ${"+ 1 ".repeat(60)} ) + 2`, { code: "syntax_error", position: 251 }],
  ["SELECT * FROM ordes", { code: "table_not_found", missing: { kind: "table", name: "ordes" }, position: 15 }],
  ["SELECT * FROM nowhere.orders", { code: "table_not_found", missing: { schema: "nowhere", name: "orders" } }],
  ["SELECT totl FROM orders", { code: "column_not_found", missing: { kind: "column", name: "totl" }, position: 8 }],
  ["SELECT o.totl FROM orders o", { code: "column_not_found", missing: { name: "totl" }, position: 10 }],
  ["SELECT x.id FROM orders", { code: "column_not_found" }],
  ["SELECT frob(1)", { code: "function_not_found", missing: { kind: "function", name: "frob" }, position: 8 }],
  ["SELECT id FROM orders a, orders b", { code: "ambiguous_column", position: 8 }],
  ["SELECT ABS(1, 2)", { code: "syntax_error", errno: 1582 }],
  ["SELECT (SELECT 1 UNION SELECT 2)", { code: "server_error", errno: 1242 }],
  ["SELECT (SELECT 1, 2)", { code: "type_mismatch", errno: 1241 }],
  ["SELECT 18446744073709551615 + 1", { code: "type_mismatch", errno: 1690 }],
  ["SELECT DATE'nonsense'", { code: "type_mismatch", errno: 1525 }],
  ["SELECT * FROM (SELECT 1)", { code: "syntax_error" }],
  ["SELECT COUNT(COUNT(*)) FROM orders", { code: "syntax_error", errno: 1111 }],
  ["SELECT 1 UNION SELECT 1, 2", { code: "syntax_error", errno: 1222 }],
  ["UPDATE orders SET total = 0", { code: "read_only" }],
  ["WITH x AS (SELECT 1) DELETE FROM orders", { code: "not_allowed", position: 22 }],
  ["SELECT * FROM orders FOR UPDATE", { code: "not_allowed", position: 22 }],
  ["SELECT 1 INTO @x", { code: "not_allowed", position: 10 }],
  ["SELECT SLEEP(1)", { code: "not_allowed", position: 8 }],
  ["SET @x = 1", { code: "read_only" }],
  ["SELECT \0 1", { code: "syntax_error", position: 8 }],
])("%s", async (sql, expected) => {
  const call = answerOf(source, sql);
  if ("code" in expected && expected.code === undefined) await call;
  else expect(await failureOf(call)).toMatchObject(expected);
});

test.each<[string, unknown[]]>([
  ["SELECT ?", []],
  ["SELECT 1", [1]],
  ["SELECT '?', ?", [1, 2]],
])("%s with %j has a wrong number of parameters", async (sql, params) => {
  // The rows above hold JSON values only.
  expect(await failureOf(answerOf(source, sql, params as never))).toMatchObject({ code: "parameter_count" });
});

test("a position counts the caller's own characters, whatever the parameters became", async () => {
  const sql = "SELECT ?, '😀', ? FRM orders x";
  expect(await failureOf(answerOf(source, sql, ["a long parameter", 1]))).toMatchObject({ position: 22 });
});

describe("neither values nor parameters nor SQL are repeated", () => {
  test.each<[string, string[]]>([
    ["SELECT DATE'top-secret'", []],
    ["SELECT ? FRM x y", ["top-secret"]],
    ["SELECT 18446744073709551615 + LENGTH('top-secret')", []],
    ["SELECT 'top-secret' 1 2 3 FROM", []],
  ])("%s", async (sql, params) => {
    const failure = await failureOf(answerOf(source, sql, params));
    const hex = Buffer.from("top-secret").toString("hex");
    expect(JSON.stringify(failure)).not.toMatch(new RegExp(`top-secret|${hex}`));
  });
});

describe("connecting", () => {
  const at = (change: (url: URL) => void): string => {
    const url = new URL(database.url);
    change(url);
    return url.href;
  };
  test.each<[string, () => string, string]>([
    [
      "a wrong password",
      () => at((url) => Object.assign(url, { username: "nobody", password: "s3cret" })),
      "authentication_failed",
    ],
    [
      "an unknown database",
      () => at((url) => Object.assign(url, { pathname: "/no_such_database" })),
      "database_not_found",
    ],
    ["TLS that the server has not", () => `${database.url}?ssl-mode=REQUIRED`, "tls_required"],
    [
      "a certificate file that is not there",
      () => `${database.url}?ssl-mode=VERIFY_CA&ssl-ca=/no/such.pem`,
      "tls_failed",
    ],
  ])("%s", async (_, url, code) => {
    await using own = openSource(url());
    const failure = await failureOf(answerOf(own, "SELECT 1"));
    expect(failure).toMatchObject({ code });
    expect(JSON.stringify(failure)).not.toContain("s3cret");
  });

  test("the first host that answers is used", async () => {
    const { host } = new URL(database.url);
    await using own = openSource(database.url.replace(host, `127.0.0.1:1,${host}`));
    expect((await answerOf(own, "SELECT 1")).rows).toEqual([["1"]]);
  });
});
