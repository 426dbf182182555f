/**
 * Bad input on both engines, row by row: refused with the right code, or run with the right answer; never guessed. What
 * depends on how a server is set up stands in server-settings.test.ts, what comes over the wire in tests/interop.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database, Parameter } from "../../mcp-core/src/sql/database.js";
import { answerOf, openSource as openMysql } from "../mysql/open.js";
import { codeOf, collect, openSource as openPostgres } from "../postgres/open.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";

type Engine = "postgres" | "mysql";

/** What must come of it: an error's code, or the first cell. */
type Outcome = { readonly code: string } | { readonly cell: string | null };

interface Row {
  readonly title: string;
  readonly sql: Readonly<Record<Engine, string>>;
  readonly params: readonly Parameter[];
  readonly postgres: Outcome;
  readonly mysql: Outcome;
}

const refused = (code: string): Outcome => ({ code });
const gives = (cell: string | null): Outcome => ({ cell });

/** The same text, and the same outcome unless MariaDB has its own. */
const row = (title: string, sql: string, postgres: Outcome, mysql = postgres): Row => ({
  title,
  sql: { postgres: sql, mysql: sql },
  params: [],
  postgres,
  mysql,
});
const parameter = (title: string, value: Parameter, outcome: Outcome): Row => ({
  title,
  sql: { postgres: "SELECT $1::text", mysql: "SELECT ?" },
  params: [value],
  postgres: outcome,
  mysql: outcome,
});
const nested = (depth: number, open: string, close: string, core = "1") =>
  `SELECT ${open.repeat(depth)}${core}${close.repeat(depth)}`;
const listed = (count: number, item: string, between: string) =>
  Array.from({ length: count }, () => item).join(between);
const syntax = refused("syntax_error");
const complex = refused("statement_too_complex");

const characters: readonly Row[] = [
  row("a NUL in the statement", "SELECT 1 \0", syntax),
  row("a NUL inside of quotes", "SELECT 'a\0b'", syntax),
  row("a NUL before a second statement", "SELECT 1\0; DELETE FROM canary", syntax),
  row("half a surrogate pair in quotes", "SELECT 'a\uD800b'", syntax),
  row("half a surrogate pair in a name", "SELECT 1 AS x\uDC00", syntax),
  row("half a surrogate pair in a comment", "SELECT 1 /* \uD800 */", syntax),
  row("what invalid UTF-8 becomes on its way in is a character as any", "SELECT '\uFFFD'", gives("\uFFFD")),
  row("a character outside of the basic plane", "SELECT '😀'", gives("😀")),
  row("characters equal to the eye only", "SELECT 'é' = 'e\u0301'", gives("false"), gives("0")),
  row(
    "a look-alike of a quote closes nothing",
    "SELECT '’; DELETE FROM canary; -- ＇'",
    gives("’; DELETE FROM canary; -- ＇"),
  ),
  row("a look-alike of a semicolon parts nothing", "SELECT 1 ； SELECT 2", syntax),
  row("a look-alike of a keyword is none", "ＳＥＬＥＣＴ 1", refused("not_allowed"), refused("read_only")),
  row("a no-break space is no space", "SELECT\u00a01", refused("not_allowed"), refused("read_only")),
  row("an ideographic space is no space", "SELECT\u30001", refused("not_allowed"), refused("read_only")),
  row("a Kelvin sign is no k", "SELECT \u212A FROM (SELECT 1 AS k) AS q", refused("column_not_found")),
  row("a Cyrillic letter is no Latin one", "SELECT pg_slеep(1)", refused("function_not_found")),
  row("a byte order mark", "\uFEFFSELECT 1", syntax, refused("read_only")),
  row("a right-to-left mark in a comment hides nothing", "SELECT 1 /* \u202E; DELETE FROM canary */", gives("1")),
  row("a line separator ends no comment", "SELECT 1 -- \u2028; DELETE FROM canary", gives("1")),
  row(
    "a carriage return ends a comment here, and none there",
    "SELECT 1 -- \r; DELETE FROM canary",
    refused("multiple_statements"),
    gives("1"),
  ),
  row("a form feed is space", "SELECT\f1", gives("1")),
  row("a control character", "SELECT \u00011", syntax),
  row("Control-Z", "SELECT 1 \u001A", syntax),
  parameter("a parameter with half a surrogate pair", "a\uD800", refused("parameter_invalid")),
  parameter(
    "a parameter of everything that ends or escapes a text",
    "a'\"\\`;--/*\n\u001A😀$$",
    gives("a'\"\\`;--/*\n\u001A😀$$"),
  ),
];

const lengths: readonly Row[] = [
  row("a statement of ten megabytes", `SELECT '${"x".repeat(10_000_000)}'`, refused("sql_too_long")),
  row("a comment of ten megabytes", `SELECT 1 /* ${"x".repeat(10_000_000)} */`, refused("sql_too_long")),
  row("too long in bytes, not in characters", `SELECT '${"é".repeat(50_000)}'`, refused("sql_too_long")),
  row("just short enough", `SELECT length('${"x".repeat(99_970)}')`, gives("99970")),
  row("5,000 parentheses", nested(5_000, "(", ")"), gives("1")),
  row("5,000 subqueries", nested(5_000, "(SELECT ", ")"), complex),
  row("5,000 calls", nested(5_000, "abs(", ")"), complex),
  row("5,000 signs", nested(5_000, "- ", ""), gives("1")),
  row("5,000 NOTs", nested(5_000, "NOT ", "", "1 = 1"), gives("true"), gives("1")),
  row("3,000 cases", nested(3_000, "CASE WHEN 1 = 1 THEN ", " END"), complex),
  row("20,000 operands", `SELECT ${listed(20_000, "1", " + ")}`, complex),
  row("15,000 rows", `VALUES ${listed(15_000, "(1)", ",")}`, gives("1")),
  row("20,000 values", `SELECT 1 WHERE 1 IN (${listed(20_000, "1", ",")})`, gives("1")),
  row(
    "comments, 5,000 deep, nest on one engine only",
    `SELECT 1 ${"/*".repeat(5_000)}${"*/".repeat(5_000)}`,
    gives("1"),
    syntax,
  ),
];

const quotes: readonly Row[] = [
  row("a quote that is never closed", "SELECT 'x", syntax),
  row("a double quote that is never closed", 'SELECT "x', syntax),
  row("a backtick that is never closed", "SELECT 1 AS `x", syntax),
  row("a comment that is never closed", "SELECT 1 /* x", syntax),
  row("a parenthesis that is never closed", "SELECT (1", syntax),
  row("a parenthesis too many", "SELECT 1)", syntax),
  row("a dollar quote that is never closed", "SELECT $a$ x $b$", syntax),
  row(
    "a way out of any wrapping",
    "SELECT 1) AS q; DELETE FROM canary; SELECT * FROM (SELECT 1",
    refused("multiple_statements"),
  ),
  row("a way out of a wrapping, in one statement", "SELECT 1 AS a) AS q CROSS JOIN (SELECT 2 AS b", syntax),
  row("dashes at the end swallow nothing", "SELECT 1 --", gives("1")),
  row("a backslash before a quote", String.raw`SELECT 'a\'`, gives("a\\"), syntax),
  row(
    "a backslash hides a semicolon on one engine only",
    String.raw`SELECT 'a\'; DELETE FROM canary; -- '`,
    refused("multiple_statements"),
    gives("a'; DELETE FROM canary; -- "),
  ),
  row(
    "an escape string of one engine",
    String.raw`SELECT E'a\'; DELETE FROM canary; -- '`,
    gives("a'; DELETE FROM canary; -- "),
    refused("column_not_found"),
  ),
  row("double quotes", `SELECT "a"`, refused("column_not_found"), gives("a")),
  row("a doubled quote", "SELECT 'it''s'", gives("it's")),
  row("quotes that go on in the next line", "SELECT 'a'\n'b'", gives("ab")),
  row(
    "a backslash that is half a letter in the charset named",
    String.raw`SELECT LENGTH(_gbk'縗\' OR 1=1 -- ')`,
    syntax,
    gives("15"),
  ),
  row("the same, escaped", String.raw`SELECT LENGTH(_big5'功\\')`, syntax, gives("4")),
  row("an executable comment", "SELECT 1 /*! + 1 */", gives("1"), refused("not_allowed")),
  row("a hash is an operator, or a comment", "SELECT 1 # 3", gives("2"), gives("1")),
  row("dashes without a space", "SELECT 2 --1", gives("2"), gives("3")),
  row("a number that goes on as a word", "SELECT 1e", syntax, refused("column_not_found")),
  row("marks of parameters in quotes are none", "SELECT '$1 ?'", gives("$1 ?")),
  row("a second statement", "SELECT 1; SELECT 2", refused("multiple_statements")),
  row("semicolons behind it", "SELECT 1 ;; ;", gives("1")),
  row("nothing", " \n\t /* */ -- \n", refused("sql_empty")),
  row("only semicolons", ";;;", refused("sql_empty")),
  row("a client's own command", "\\d canary", refused("not_allowed"), syntax),
  row("a client's delimiter", "DELIMITER // SELECT 1 //", refused("not_allowed"), refused("read_only")),
];

const engines: Record<
  Engine,
  {
    create(): Promise<TestDatabase>;
    open(url: string): Database;
    read(
      source: Database,
      sql: string,
      params: readonly Parameter[],
    ): Promise<{ readonly rows: readonly (readonly unknown[])[] }>;
  }
> = {
  postgres: { create: () => createPostgresDatabase(), open: (url) => openPostgres(url), read: collect },
  mysql: { create: () => createMysqlDatabase(), open: (url) => openMysql(url), read: answerOf },
};

describe.each(["postgres", "mysql"] as const)("%s", (name) => {
  const engine = engines[name];
  let database: TestDatabase;
  let source: Database;
  beforeAll(async () => {
    database = await engine.create();
    await database.run("CREATE TABLE canary (v int); INSERT INTO canary VALUES (7)");
    source = engine.open(database.url);
  });
  afterAll(async () => {
    await source?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  test.each([...characters, ...lengths, ...quotes])("$title", async ({ sql, params, ...expected }) => {
    const outcome = expected[name];
    const reading = engine.read(source, sql[name], params);
    if ("code" in outcome) expect(await codeOf(reading)).toBe(outcome.code);
    else expect((await reading).rows[0]?.[0]).toBe(outcome.cell);
    // Whatever it was, nothing changed and the next call works.
    expect((await engine.read(source, "SELECT v FROM canary", [])).rows).toEqual([["7"]]);
  });
});
