/**
 * Statements made to fill, flood or hang, through real servers: each is answered within its time by a code or a cut
 * result, our process stays small, the server's is bounded, and the next call works.
 */
import { readFile } from "node:fs/promises";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable } from "../support/processes.js";

const timeoutS = 2;
/** The statement's time, the grace for the server's own clock, and a loaded machine's. */
const boundMs = 20_000;
const megabyte = 1024 * 1024;

/** What may come of it: one of these codes, or rows that are marked as cut. */
type Ends = readonly string[];
interface Bomb {
  readonly title: string;
  readonly sql: string;
  readonly ends: Ends;
}

const bomb = (title: string, sql: string, ...ends: Ends): Bomb => ({ title, sql, ends });

const postgresBombs: readonly Bomb[] = [
  bomb("rows without end", "SELECT * FROM generate_series(1, 1000000000000) AS g", "truncated", "timeout"),
  bomb("a count of them", "SELECT count(*) FROM generate_series(1, 1000000000000) AS g", "timeout"),
  bomb(
    "recursion without end",
    "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "timeout",
    "server_error",
  ),
  bomb(
    "recursion that doubles",
    "WITH RECURSIVE r (n) AS (SELECT 'x' UNION ALL SELECT n || n FROM r) SELECT max(length(n)) FROM r",
    "timeout",
    "server_error",
    "statement_too_complex",
  ),
  bomb(
    "a cartesian product",
    "SELECT count(*) FROM pg_attribute a, pg_attribute b, pg_attribute c WHERE a.attnum + b.attnum + c.attnum > 0",
    "timeout",
  ),
  bomb(
    "a sorted one",
    "SELECT a.*, b.* FROM pg_attribute a, pg_attribute b, pg_class c ORDER BY random()",
    "timeout",
    "server_error",
  ),
  bomb("a gigabyte in a cell", "SELECT repeat('x', 1000000000)", "not_allowed"),
  bomb("a gigabyte of arithmetic", "SELECT lpad('x', 1000 * 1000 * 1000)", "not_allowed"),
  bomb(
    "cells of a megabyte",
    "SELECT string_agg(md5(g::text), '') AS x, h FROM generate_series(1, 30000) AS g, generate_series(1, 20) AS h GROUP BY h",
    "timeout",
    "truncated",
    "result_too_large",
  ),
  bomb(
    "all rows in one JSON",
    "SELECT json_agg(a) FROM pg_attribute AS a, generate_series(1, 1000) AS g",
    "timeout",
    "result_too_large",
    "server_error",
    "statement_too_complex",
  ),
  bomb(
    "an expression that backtracks",
    "SELECT count(*) FROM generate_series(1, 100000) WHERE repeat('a', 40) ~ '^(a|aa|aaa)*(b|bb)*\\\\1?c$'",
    "timeout",
    "rows",
  ),
  bomb(
    "a number of a million digits",
    "SELECT length((99999.9 ^ 20000)::text), factorial(30000)",
    "timeout",
    "type_mismatch",
    "server_error",
    "truncated",
    "rows",
  ),
  bomb("sleep", "SELECT pg_sleep(600)", "timeout"),
  bomb("sleep in every row", "SELECT pg_sleep(0.1) FROM generate_series(1, 1000000)", "timeout"),
];

const mysqlBombs: readonly Bomb[] = [
  bomb("rows without end", "SELECT * FROM seq_1_to_1000000000000", "truncated", "timeout"),
  bomb("a count of them", "SELECT COUNT(*) FROM seq_1_to_1000000000000 WHERE seq > 0", "timeout"),
  bomb(
    "recursion without end",
    "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT COUNT(*) FROM r",
    "timeout",
    "rows",
  ),
  bomb(
    "recursion that doubles",
    "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r CROSS JOIN (SELECT 1 UNION ALL SELECT 2) AS two) SELECT COUNT(*) FROM r",
    "timeout",
    "server_error",
    "rows",
  ),
  bomb(
    "a cartesian product",
    "SELECT COUNT(*) FROM seq_1_to_100000 a, seq_1_to_100000 b, seq_1_to_100000 c WHERE a.seq + b.seq + c.seq > 0",
    "timeout",
  ),
  bomb(
    "a sorted one",
    "SELECT a.seq, b.seq FROM seq_1_to_100000 a, seq_1_to_100000 b ORDER BY RAND()",
    "timeout",
    "server_error",
  ),
  bomb("16 MB in a cell", "SELECT REPEAT('x', 16000000)", "truncated", "result_too_large"),
  bomb("a gigabyte in a cell", "SELECT LENGTH(REPEAT('x', 1000000000))", "rows", "type_mismatch"),
  bomb("cells of a megabyte", "SELECT seq, REPEAT('y', 1000000) FROM seq_1_to_500", "truncated", "result_too_large"),
  bomb(
    "all rows in one text",
    "SELECT LENGTH(GROUP_CONCAT(REPEAT('z', 1000000))) FROM seq_1_to_10000",
    "timeout",
    "rows",
    "server_error",
  ),
  bomb(
    "all rows in one JSON",
    "SELECT LENGTH(JSON_ARRAYAGG(REPEAT('z', 100000))) FROM seq_1_to_100000",
    "timeout",
    "rows",
    "server_error",
  ),
  bomb(
    "all distinct",
    "SELECT COUNT(DISTINCT REPEAT(MD5(seq), 2000)) FROM seq_1_to_1000000",
    "timeout",
    "server_error",
  ),
  bomb(
    "an expression that backtracks",
    "SELECT COUNT(*) FROM seq_1_to_100000 WHERE 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' RLIKE '(a+)+$'",
    "timeout",
    "rows",
    "server_error",
  ),
  bomb("benchmark", "SELECT BENCHMARK(1000000000, MD5('x'))", "not_allowed"),
  bomb("sleep", "SELECT SLEEP(600)", "not_allowed"),
];

const engines = {
  "mcp-postgres": {
    create: createPostgresDatabase,
    bombs: postgresBombs,
    slow: "SELECT pg_sleep(600)",
    /** A backend has no limit of its own but its time: generous, and measured in the docs. */
    maxBackendBytes: 3_000 * megabyte,
    /** The most that a process of this database has held at a time. */
    async backendBytes(database: TestDatabase): Promise<number> {
      const rows = await database.run(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
      return Math.max(0, ...(await Promise.all(rows.map(({ pid }) => peakBytes(Number(pid))))));
    },
  },
  "mcp-mysql": {
    create: createMysqlDatabase,
    bombs: mysqlBombs,
    slow: "SELECT COUNT(*) FROM seq_1_to_1000000000000 WHERE seq > 0",
    /** What a session may have, and what it needs to find that out. */
    maxBackendBytes: 300 * megabyte,
    async backendBytes(database: TestDatabase): Promise<number> {
      const [row] = await database.run(`SELECT COALESCE(MAX(max_memory_used), 0) AS bytes
        FROM information_schema.processlist WHERE db = '${database.name}' AND id <> CONNECTION_ID()`);
      return Number(row?.bytes);
    },
  },
} as const;

describe.each(["mcp-postgres", "mcp-mysql"] as const)("%s", (folder) => {
  const engine = engines[folder];
  let database: TestDatabase;
  let transport: StdioClientTransport;
  const client = new Client({ name: "bombs", version: "1.0.0" });
  beforeAll(async () => {
    database = await engine.create();
    transport = new StdioClientTransport({
      command: process.execPath,
      args: [executable(folder), database.url, "--timeout", `${timeoutS}s`, "--pool", "2"],
      stderr: "ignore",
      env: { PATH: process.env.PATH ?? "" },
    });
    await client.connect(transport);
    await query("SELECT 1");
  });
  afterAll(async () => {
    await client.close();
    await database?.[Symbol.asyncDispose]();
  });

  /** The answer in one word, and its text. */
  async function query(sql: string): Promise<readonly [end: string, text: string]> {
    const { content, isError } = await client.callTool({ name: "query", arguments: { sql } }, { timeout: 60_000 });
    const [block] = content;
    const text = block?.type === "text" ? block.text : "";
    const reply: { readonly code?: string; readonly truncated?: boolean } = JSON.parse(text);
    return [isError === true ? String(reply.code) : isCut(text, reply.truncated) ? "truncated" : "rows", text];
  }
  const isCut = (text: string, truncated: boolean | undefined) =>
    truncated === true || /…\[\d+ of \d+ bytes\]/.test(text);

  test.each(engine.bombs)("$title", async ({ sql, ends }) => {
    const startedAt = performance.now();
    const memory = sample(() => engine.backendBytes(database));
    const [end, text] = await query(sql);
    const peak = await memory.stop();
    expect(ends, text.slice(0, 300)).toContain(end);
    expect(performance.now() - startedAt).toBeLessThan(boundMs);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65_536);
    expect(await residentBytes(transport.pid ?? 0)).toBeLessThan(400 * megabyte);
    expect(peak).toBeLessThan(engine.maxBackendBytes);
    expect(await query("SELECT 7 AS seven")).toEqual(["rows", expect.stringContaining("[[7]]")]);
  });

  test("as many statements as the pool has, and a clear word to the next", async () => {
    const held = [query(engine.slow), query(engine.slow)];
    const others = await Promise.all([query("SELECT 1"), query("SELECT 1")]);
    for (const [end] of others) expect(["rows", "busy"]).toContain(end);
    for (const [end] of await Promise.all(held)) expect(end).toBe("timeout");
    expect((await query("SELECT 7 AS seven"))[0]).toBe("rows");
  });
});

/** The largest of what is measured again and again until it is stopped. */
function sample(measure: () => Promise<number>) {
  let isRunning = true;
  const largest = (async () => {
    let found = 0;
    while (isRunning) {
      found = Math.max(found, await measure());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return Math.max(found, await measure());
  })();
  return {
    stop(): Promise<number> {
      isRunning = false;
      return largest;
    },
  };
}

async function residentBytes(pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

/** Nothing for a process that has ended meanwhile. */
async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
}
