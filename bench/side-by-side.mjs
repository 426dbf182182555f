/** Two servers of a kind that differ in a flag, on a database of their own, asked the same in A B B A order. */
import { randomBytes } from "node:crypto";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { createConnection } from "mariadb";
import postgres from "postgres";
import { bin } from "./server-process.mjs";

/** Where each engine's server is (`BENCH_POSTGRES_URL`, `BENCH_MYSQL_URL`), and how to run a script on it. */
const engines = {
  postgres: {
    command: bin("mcp-postgres"),
    url: process.env.BENCH_POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/postgres",
    /** @param {string} url @param {readonly string[]} script */
    async run(url, script) {
      const sql = postgres(url, { max: 1, onnotice: () => {} });
      for (const statement of script) await sql.unsafe(statement);
      await sql.end();
    },
  },
  mysql: {
    command: bin("mcp-mysql"),
    url: process.env.BENCH_MYSQL_URL ?? "mysql://root@127.0.0.1:3306/mysql",
    /** @param {string} url @param {readonly string[]} script */
    async run(url, script) {
      const { hostname: host, port, username: user, password, pathname: path } = new URL(url);
      const connection = await createConnection({ host, port: Number(port), user, password, database: path.slice(1) });
      for (const statement of script) await connection.query(statement);
      await connection.end();
    },
  },
};

/** @typedef {keyof typeof engines} Engine */
/** @typedef {{ readonly name: string, readonly arguments: Record<string, unknown> }} Call */
/** @typedef {Readonly<Record<"remembers" | "asks", readonly number[]>>} Times milliseconds of each call */

const callsInARow = 30;

/**
 * For each engine: fills a database, asks both servers every question, and hands the times on by label.
 * @param {object} options
 * @param {(engine: Engine) => readonly string[]} options.fill
 * @param {Readonly<Record<"remembers" | "asks", readonly string[]>>} options.flags
 * @param {Readonly<Record<string, (count: number) => Call>>} options.asks each call's question, by how many were asked before
 * @param {number} options.rounds
 * @param {(engine: Engine, times: Readonly<Record<string, Times>>) => void} options.report
 */
export async function compare({ fill, flags, asks, rounds, report }) {
  const name = `bench_${randomBytes(4).toString("hex")}`;
  for (const engine of /** @type {const} */ (["postgres", "mysql"])) {
    const { command, url, run } = engines[engine];
    const own = Object.assign(new URL(url), { pathname: `/${name}` }).href;
    await run(url, [`CREATE DATABASE ${name}`]);
    try {
      await run(own, fill(engine));
      const sides = {
        remembers: await open(command, own, flags.remembers),
        asks: await open(command, own, flags.asks),
      };
      /** @type {Record<string, Times>} */
      const times = {};
      for (const [label, ask] of Object.entries(asks)) times[label] = await time(sides, ask, rounds);
      report(engine, times);
      await Promise.all(Object.values(sides).map((client) => client.close()));
    } finally {
      await run(url, [`DROP DATABASE ${name}`]);
    }
  }
}

/** The first call of all is not counted. @param {Record<"remembers" | "asks", Client>} sides @param {(count: number) => Call} ask @param {number} rounds */
async function time(sides, ask, rounds) {
  /** @type {Record<"remembers" | "asks", number[]>} */
  const times = { remembers: [], asks: [] };
  let count = 0;
  for (let round = 0; round < rounds; round++) {
    for (const side of /** @type {const} */ (["remembers", "asks", "asks", "remembers"])) {
      for (let call = 0; call < callsInARow; call++) {
        const question = ask(++count);
        const began = performance.now();
        const { isError } = await sides[side].callTool(question);
        if (isError) throw new Error(`${question.name} failed`);
        if (round > 0 || call > 0) times[side].push(performance.now() - began);
      }
    }
  }
  return times;
}

/** @param {string} command @param {string} url @param {readonly string[]} flags */
async function open(command, url, flags) {
  const client = new Client({ name: "bench", version: "1" }, { versionNegotiation: { mode: "auto" } });
  const args = [command, url, "--log-level", "error", ...flags];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: "ignore" }));
  return client;
}

/** Medians of both, in milliseconds, and their ratio. @param {Times} times */
export function medians({ remembers, asks }) {
  const [kept, read] = [median(remembers), median(asks)];
  return { "remembers ms": rounded(kept), "asks ms": rounded(read), ratio: rounded(kept / read) };
}

/** @param {readonly number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const rounded = (/** @type {number} */ value) => Number(value.toFixed(2));
