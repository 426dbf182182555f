/**
 * Attacks in other clothes: the same tokens with other spacing, comments, letter case and quoting, or inside of another
 * statement, are refused as the plain attack is; ordinary statements treated so still pass. The seed is printed when not.
 */
import fc from "fast-check";
import { loadModule, scanSync } from "libpg-query";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseSource } from "../../mcp-postgres/src/config.js";
import { createConnector } from "../../mcp-postgres/src/connect.js";
import { approve } from "../../mcp-postgres/src/guard.js";
import { createNameMemory } from "../../mcp-postgres/src/guard-memory.js";
import { createPool } from "../../mcp-postgres/src/pool.js";
import type { Source } from "../../mcp-postgres/src/source.js";
import { corpusRows, type World } from "./corpus.js";
import { openPostgresWorld, postgresSchemas } from "./postgres-world.js";

let world: World;
let source: Source & AsyncDisposable;
const refused: string[] = [];
const passed: string[] = [];

beforeAll(async () => {
  await loadModule();
  world = await openPostgresWorld();
  const config = parseSource(world.database.url, {});
  const options = { poolSize: 2, connectTimeoutMs: 5_000, log: { debug: () => {}, warn: () => {} } };
  const pool = createPool({ size: 2, waitMs: 5_000, connect: createConnector(config, options), log: options.log });
  source = {
    pool,
    tls: config.tls,
    typeNames: new Map(),
    names: createNameMemory(),
    schemas: postgresSchemas,
    columnRules: [],
    sessionContext: [],
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
  for (const { sql } of await corpusRows("attacks.pg.jsonl")) {
    // Deep nesting is slow to rearrange thousands of times; the tokenizer below ends at a NUL.
    if (sql.length < 2_000 && !sql.includes("\0") && !(await isApproved(sql))) refused.push(sql);
  }
  for (const { sql } of await corpusRows("benign.pg.jsonl")) if (await isApproved(sql)) passed.push(sql);
}, 120_000);
afterAll(async () => {
  await source?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

async function isApproved(sql: string): Promise<boolean> {
  try {
    await approve(source, { sql, params: [] }, { signal: new AbortController().signal });
    return true;
  } catch (thrown) {
    if (typeof thrown === "object" && thrown !== null && "code" in thrown) return false;
    throw thrown;
  }
}

const gaps = [" ", "\n", "\t", " /* ; */ ", " /* /* nested */ -- */ ", " -- '\n", " \f ", " --\r\n"];

/** The tokens of a text, each before a gap of another kind; words in another case, bare names quoted now and then. */
function dress(sql: string, choices: readonly number[]): string {
  let at = 0;
  const choose = (count: number) => (choices[at++ % choices.length] ?? 0) % count;
  const bytes = Buffer.from(sql);
  const parts = scanSync(sql).tokens.map(({ start, end, keywordName, tokenName }) => {
    const text = bytes.toString("utf8", start, end);
    if (tokenName === "SQL_COMMENT" || tokenName === "C_COMMENT") return "";
    if (keywordName !== "NO_KEYWORD") return choose(2) === 0 ? text.toLowerCase() : text.toUpperCase();
    if (tokenName !== "IDENT" || !/^[a-z_]\w*$/.test(text)) return text;
    const escaped = `U&"\\${text.charCodeAt(0).toString(16).padStart(4, "0")}${text.slice(1)}"`;
    return [text, `"${text}"`, text.toUpperCase(), escaped][choose(4)] ?? text;
  });
  return parts.map((part) => part + (gaps[choose(gaps.length)] ?? " ")).join("");
}

const wrappers: readonly ((sql: string) => string)[] = [
  (sql) => sql,
  (sql) => `EXPLAIN ${sql}`,
  (sql) => `EXPLAIN (ANALYZE, VERBOSE) ${sql}`,
  (sql) => `SELECT * FROM (${sql}\n) AS q`,
  (sql) => `WITH w AS (${sql}\n) SELECT 1`,
  (sql) => `WITH w AS MATERIALIZED (SELECT 1) SELECT * FROM w WHERE EXISTS (${sql}\n)`,
  (sql) => `SELECT ARRAY(${sql}\n)`,
  (sql) => `SELECT 1 UNION ALL (${sql}\n)`,
  (sql) => `SELECT CASE WHEN true THEN (${sql}\n) END`,
  (sql) => `SELECT 1 ORDER BY (${sql}\n)`,
  (sql) => `SELECT 1 LIMIT (${sql}\n)`,
  (sql) => `SELECT 1 FROM (VALUES (1)) AS v (a), LATERAL (${sql}\n) AS l`,
];

const choices = fc.array(fc.nat(1_000), { minLength: 8, maxLength: 40 });

test("no attack passes in other clothes", async () => {
  const mutation = fc.tuple(fc.nat(refused.length - 1), fc.nat(wrappers.length - 1), choices);
  await fc.assert(
    fc.asyncProperty(mutation, async ([index, wrapper, chosen]) => {
      const attack = refused[index] ?? "";
      // What EXPLAIN only plans does not run, so writes may pass there; inside of another statement COMMIT is a column.
      if (wrapper === 1 || (wrapper > 2 && !/^\s*(select|with|values|table)\b/i.test(attack))) return;
      let dressed: string;
      try {
        dressed = dress(attack, chosen);
      } catch {
        return;
      }
      const sql = wrappers[wrapper]?.(dressed) ?? dressed;
      if (await isApproved(sql)) throw new Error(`passed: ${sql}`);
    }),
    { numRuns: 10_000 },
  );
}, 120_000);

test("ordinary statements still pass", async () => {
  expect(passed.length).toBeGreaterThan(100);
  const mutation = fc.tuple(fc.nat(passed.length - 1), choices);
  await fc.assert(
    fc.asyncProperty(mutation, async ([index, chosen]) => {
      // Case and quoting change the meaning of names; spacing and comments never do.
      const plain = dress(
        passed[index] ?? "",
        chosen.map((choice) => choice * 4),
      );
      if (!(await isApproved(plain))) throw new Error(`refused: ${plain}`);
    }),
    { numRuns: 2_000 },
  );
}, 120_000);
