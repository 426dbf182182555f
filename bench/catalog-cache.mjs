/**
 * What remembering the catalogue is worth: the same tool calls on a schema of many tables, by a server that remembers
 * (`--catalog-ttl 1m`) and one that does not (`0`), side by side in A B B A order. Calls follow each other as a model's
 * do, so that most looks at the fingerprint are spared; a row shows what each look costs.
 *
 *   BENCH_POSTGRES_URL=… BENCH_MYSQL_URL=… node bench/catalog-cache.mjs [tables] [rounds]
 *
 * Makes a database of its own on each server and drops it; the packages must be built.
 */
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { createConnection } from "mariadb";
import postgres from "postgres";

const tables = Number(process.argv[2] ?? 2_000);
const rounds = Number(process.argv[3] ?? 3);
const name = `bench_${randomBytes(4).toString("hex")}`;
const bin = (/** @type {string} */ folder) => fileURLToPath(new URL(`../${folder}/dist/bin.js`, import.meta.url));
const columns = "id int PRIMARY KEY, a varchar(40), b int, c timestamp NULL, d numeric(10,2), e text, f int";
const create = (/** @type {number} */ index) => `CREATE TABLE bench_table_${index} (${columns})`;

/** @param {string} url */
const at = (url) => Object.assign(new URL(url), { pathname: `/${name}` }).href;

const engines = {
  postgres: {
    command: bin("mcp-postgres"),
    url: process.env.BENCH_POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/postgres",
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
  const args = [command, url, "--catalog-ttl", ttl, "--log-level", "error"];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: "ignore" }));
  return client;
}

const asks = {
  "search_objects, names": { name: "search_objects", arguments: { pattern: "bench_table_1%", detail: "names" } },
  "search_objects, full": {
    name: "search_objects",
    arguments: { pattern: "bench_table_99%", detail: "full", kind: "table" },
  },
  describe_table: { name: "describe_table", arguments: { table: "bench_table_7" } },
};

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

for (const [engine, { command, url, run }] of Object.entries(engines)) {
  await run(url, [`CREATE DATABASE ${name}`]);
  try {
    await run(
      at(url),
      Array.from({ length: tables }, (_, index) => create(index)),
    );
    const sides = { remembers: await open(command, at(url), "1m"), asks: await open(command, at(url), "0") };
    /** @type {Record<string, Record<string, string | number>>} */
    const rows = {};
    for (const [label, ask] of Object.entries(asks)) {
      /** @type {Record<"remembers" | "asks", number[]>} */
      const times = { remembers: [], asks: [] };
      for (let round = 0; round < rounds; round++) {
        for (const side of /** @type {const} */ (["remembers", "asks", "asks", "remembers"])) {
          for (let call = 0; call < 30; call++) {
            const began = performance.now();
            const { isError } = await sides[side].callTool(ask);
            if (isError) throw new Error(`${label} failed`);
            if (round > 0 || call > 0) times[side].push(performance.now() - began);
          }
        }
      }
      const [fast, slow] = [median(times.remembers), median(times.asks)];
      const worst = Math.max(...times.remembers);
      rows[label] = {
        "remembers ms": Number(fast.toFixed(2)),
        "asks ms": Number(slow.toFixed(2)),
        ratio: Number((fast / slow).toFixed(2)),
        "worst with a look ms": Number(worst.toFixed(1)),
      };
    }
    console.log(`\n${engine}, ${tables} tables`);
    console.table(rows);
    await Promise.all(Object.values(sides).map((client) => client.close()));
  } finally {
    await run(url, [`DROP DATABASE ${name}`]);
  }
}
