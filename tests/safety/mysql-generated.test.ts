/**
 * Ten thousand statements by MariaDB's grammar, a third of them with harm inside, and attacks of the corpus in other
 * clothes, run as root; and texts of which we and the server must agree how many statements they hold.
 */
import fc from "fast-check";
import { type Connection, createConnection } from "mariadb";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { toOneStatement } from "../../mcp-mysql/src/guard.js";
import { tokenize } from "../../mcp-mysql/src/lexer.js";
import { answerOf, openSource } from "../mysql/open.js";
import { corpusRows, type World } from "./corpus.js";
import { inLanes, type Outcome, runGenerated, runParameters } from "./generated.js";
import { createDice, type Dice, pick } from "./grammar.js";
import { mysqlDialect } from "./mysql-dialect.js";
import { openMysqlWorld } from "./mysql-world.js";

let world: World;
let source: Database;
let several: Connection;
beforeAll(async () => {
  world = await openMysqlWorld();
  source = openSource(world.database.url, { poolSize: 8 });
  const { hostname, port, username, password } = new URL(world.database.url);
  several = await createConnection({
    host: hostname,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: world.database.name,
    multipleStatements: true,
  });
}, 120_000);
afterAll(async () => {
  await several?.end();
  await source?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

async function run(sql: string): Promise<Outcome> {
  try {
    await answerOf(source, sql, [], { timeoutMs: 5_000, maxRows: 50 });
    return {};
  } catch (thrown) {
    const { code, errno } = Object(thrown);
    if (code === undefined) throw thrown;
    return { code, serverError: errno, message: String(thrown) };
  }
}

/** Out of range, mixed collations, and the like. */
const dataErrors: readonly unknown[] = [1264, 1267, 1270, 1271, 1292, 1365, 1690, 3854, 4036, 4037, 4038];

test("no harm passes, everything ordinary runs, and nothing changes", async () => {
  const isDataError = ({ serverError }: Outcome) => dataErrors.includes(serverError);
  const { ran, refused } = await runGenerated({ world, dialect: mysqlDialect, run, isDataError }, 10_000);
  expect(ran).toBeGreaterThan(6_000);
  expect(refused).toBeGreaterThan(2_500);
}, 400_000);

const clothes: readonly ((sql: string) => string)[] = [
  (sql) => sql,
  (sql) => `/*! ${sql} */`,
  (sql) => `/*!50000 ${sql.replace(" ", " */ ")}`,
  (sql) => `/*M!100000 ${sql} */`,
  (sql) => `EXPLAIN ${sql}`,
  (sql) => `ANALYZE FORMAT=JSON ${sql}`,
  (sql) => `WITH w AS (SELECT 1) ${sql}`,
  (sql) => `SELECT * FROM (${sql}) AS q`,
  (sql) => `SELECT (${sql})`,
  (sql) => `SELECT 1 WHERE EXISTS (${sql})`,
  (sql) => `(SELECT 1) UNION ALL (${sql})`,
  (sql) => `BEGIN NOT ATOMIC ${sql}; END`,
  (sql) => `SET STATEMENT max_statement_time=1 FOR ${sql}`,
  (sql) => `${sql};`,
  (sql) => `SELECT '\\'' /* ' */ ; ${sql}`,
];

/** The same tokens with other spacing and comments, words in another case, bare names in backticks now and then. */
function dressed(sql: string, dice: Dice): string {
  const tokens = tokenize(sql).map(({ kind, start, end }) => {
    const text = sql.slice(start, end);
    return kind === "word" && dice(2) === 0 ? text.toUpperCase() : text;
  });
  return tokens.map((token) => token + (token === "." ? "" : pick(dice, mysqlDialect.gaps))).join("");
}

test("attacks in other clothes are refused, or run without effect", async () => {
  const attacks = (await corpusRows("attacks.mysql.jsonl")).filter(({ sql }) => sql.length < 2_000);
  const before = await world.state();
  const batch = fc.array(fc.noBias(fc.nat(2 ** 31 - 1)), { minLength: 50, maxLength: 50 });
  await fc.assert(
    fc.asyncProperty(batch, async (seeds) => {
      const passed: string[] = [];
      await inLanes(seeds, async (seed) => {
        const dice = createDice(seed);
        const { sql: attack, class: kind } = pick(dice, attacks);
        // These take their time and no more.
        if (["cpu", "mem", "out"].includes(kind)) return;
        let sql = world.fill(attack);
        try {
          sql = dressed(sql, dice);
        } catch {
          // What cannot be read stays as it is.
        }
        sql = pick(dice, clothes)(sql);
        const { code, serverError } = await run(sql);
        if (code === undefined || serverError !== undefined) passed.push(sql);
      });
      expect(await world.state(), `one of these: ${passed.join("\n---\n")}`).toBe(before);
    }),
    runParameters(60),
  );
}, 240_000);

test("what we take for one statement is one to the server, with multi-statements on", async () => {
  const pieces = [
    ..."; ; ' ' \" \" ` ` \\ \\' \\\" '' \"\" -- --1 --\n # \n \r /* */ /**/ /*+ /*! /*M! /*!99999 *//* () , . @ @' := ? {".split(
      " ",
    ),
    ..."N' x' 0x _utf8mb4' _gbk' _binary\" e' $$ $q$ 1 1.e 1e 'a' \"b\" `c` \\N DELIMITER 😀 \u00a0 \u3000 \u2028 ’ ； ＇".split(
      " ",
    ),
    "SELECT 1",
    "; SELECT 1",
    "AS x",
    "\n",
    "\t",
    "\u0001",
    "\x1a",
    "\v",
    "\f",
    "",
  ];
  // What opens, hides or ends a statement, as often as everything else.
  const sharp = [
    "; SELECT 1",
    "--1",
    "; SELECT 1 ",
    "/*!",
    "/*M!50000 ",
    "*/",
    "/*",
    "-- ",
    "\n",
    "#",
    "'",
    '"',
    "`",
    "\\",
    "''",
  ];
  const soup = fc.tuple(
    fc.constantFrom(
      "SELECT 1 ",
      "SELECT '",
      'SELECT "',
      "SELECT 1 AS `",
      "SELECT /*",
      "(SELECT 1)",
      "SELECT 1 -",
      "VALUES (1)",
      "",
    ),
    fc.array(fc.oneof(fc.constantFrom(...pieces), fc.constantFrom(...sharp)), { minLength: 1, maxLength: 12 }),
    fc.constantFrom("", " "),
  );
  // Every statement of a text counts by itself; asking is one more.
  const questions = async () => {
    const [row] = await several.query("SHOW SESSION STATUS LIKE 'Questions'");
    return Number(row.Value);
  };
  let accepted = 0;
  let before = await questions();
  await fc.assert(
    fc.asyncProperty(soup, async ([first, words, gap]) => {
      const sql = first + words.join(gap);
      try {
        const tokens = toOneStatement(sql);
        // What is behind its last token is never sent; here it is, so that comments are read by both.
        const isEnded = tokenize(sql).some(({ kind }) => kind === "end");
        const sent = isEnded ? sql.slice(0, tokens.at(-1)?.end ?? 0) : sql;
        if (tokens.some(({ kind }) => kind === "parameter")) return;
        accepted++;
        // Most are no SQL at all; how many there were to refuse is what counts.
        await several.query(sent).catch(() => {});
      } catch (thrown) {
        if (Reflect.get(Object(thrown), "code") === undefined) throw thrown;
        return;
      }
      const after = await questions();
      const counted = after - before - 1;
      before = after;
      expect(counted, JSON.stringify(sql)).toBe(1);
    }),
    runParameters(12_000),
  );
  expect(accepted).toBeGreaterThan(1_500);
}, 240_000);
