/**
 * What remembering results is worth: the same queries to a server that remembers them (`--result-ttl 5m`) and to one that
 * does not (`0`), side by side in A B B A order. `misses` is what remembering costs where no two questions are equal.
 *
 *   BENCH_POSTGRES_URL=… BENCH_MYSQL_URL=… node bench/result-cache.mjs [rows] [rounds]
 *
 * Makes a database of its own on each server and drops it; the packages must be built.
 */
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { createConnection } from "mariadb";
import postgres from "postgres";

const rows = Number(process.argv[2] ?? 200_000);
const rounds = Number(process.argv[3] ?? 3);
const name = `bench_${randomBytes(4).toString("hex")}`;
const bin = (/** @type {string} */ folder) => fileURLToPath(new URL(`../${folder}/dist/bin.js`, import.meta.url));

/** @param {string} url */
const at = (url) => Object.assign(new URL(url), { pathname: `/${name}` }).href;

const engines = {
  postgres: {
    command: bin("mcp-postgres"),
    url: process.env.BENCH_POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/postgres",
    fill: `INSERT INTO bench SELECT g, g % 50, g * 0.5 FROM generate_series(1, ${rows}) AS g`,
    /** @param {string} url @param {string[]} script */
    async run(url, script) {
      const sql = postgres(url, { max: 1, onnotice: () => {} });
      for (const statement of script) await sql.unsafe(statement);
      await sql.end();
    },
  },
  mysql: {
    command: bin("mcp-mysql"),
    url: process.env.BENCH_MYSQL_URL ?? "mysql://root@127.0.0.1:3306/mysql",
    fill: `INSERT INTO bench SELECT seq, seq % 50, seq * 0.5 FROM seq_1_to_${rows}`,
    /** @param {string} url @param {string[]} script */
    async run(url, script) {
      const { hostname: host, port, username: user, password, pathname } = new URL(url);
      const connection = await createConnection({
        host,
        port: Number(port),
        user,
        password,
        database: pathname.slice(1),
      });
      for (const statement of script) await connection.query(statement);
      await connection.end();
    },
  },
};

/** @param {string} command @param {string} url @param {string} ttl */
async function open(command, url, ttl) {
  const client = new Client({ name: "bench", version: "1" }, { versionNegotiation: { mode: "auto" } });
  const args = [command, url, "--result-ttl", ttl, "--log-level", "error"];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: "ignore" }));
  return client;
}

/** Each call's question, by how many were asked before. @type {Record<string, (count: number) => string>} */
const asks = {
  "one row": () => "SELECT value FROM bench WHERE id = 7",
  "1,000 rows": () => "SELECT id, part, value FROM bench ORDER BY id LIMIT 1000",
  aggregate: () => "SELECT part, count(*), sum(value) FROM bench GROUP BY part ORDER BY part",
  "misses, one row": (count) => `SELECT value FROM bench WHERE id = ${count}`,
};

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

for (const [engine, { command, url, run, fill }] of Object.entries(engines)) {
  await run(url, [`CREATE DATABASE ${name}`]);
  try {
    await run(at(url), ["CREATE TABLE bench (id int PRIMARY KEY, part int, value numeric(12,2))", fill]);
    const sides = { remembers: await open(command, at(url), "5m"), asks: await open(command, at(url), "0") };
    /** @type {Record<string, Record<string, number>>} */
    const table = {};
    for (const [label, ask] of Object.entries(asks)) {
      /** @type {Record<"remembers" | "asks", number[]>} */
      const times = { remembers: [], asks: [] };
      let count = 0;
      for (let round = 0; round < rounds; round++) {
        for (const side of /** @type {const} */ (["remembers", "asks", "asks", "remembers"])) {
          for (let call = 0; call < 30; call++) {
            const question = { name: "query", arguments: { sql: ask(++count), max_rows: 1_000 } };
            const began = performance.now();
            const { isError } = await sides[side].callTool(question);
            if (isError) throw new Error(`${label} failed`);
            if (round > 0 || call > 0) times[side].push(performance.now() - began);
          }
        }
      }
      const [kept, read] = [median(times.remembers), median(times.asks)];
      table[label] = {
        "remembers ms": Number(kept.toFixed(2)),
        "asks ms": Number(read.toFixed(2)),
        ratio: Number((kept / read).toFixed(2)),
      };
    }
    console.log(`\n${engine}, ${rows} rows`);
    console.table(table);
    await Promise.all(Object.values(sides).map((client) => client.close()));
  } finally {
    await run(url, [`DROP DATABASE ${name}`]);
  }
}
