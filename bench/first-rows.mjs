/**
 * What a person waits for: the start of `db-agent` against `node -e 0`, and the first rows of `db-agent query` through a
 * gateway that runs against those of the database's server itself, in turns. The least and the middle time of each.
 *
 *   BENCH_POSTGRES_URL=… node bench/first-rows.mjs [rounds]
 *
 * Reads only; the packages must be built.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bin, startServer } from "./server-process.mjs";

const rounds = Number(process.argv[2] ?? 15);
const database = process.env.BENCH_POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";
const sql = "SELECT n, n * n AS square FROM generate_series(1, 100) n";
const environment = { ...process.env, MCP_GATEWAY_URL: "", DATABASE_URL: "" };

/**
 * Milliseconds until a program's first byte on stdout, or its end where it writes none.
 * @param {string[]} args
 */
function time(args) {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"], env: environment });
    let first = 0;
    child.stdout.on("data", () => {
      first ||= performance.now() - startedAt;
    });
    child.once("error", reject);
    child.once("close", () => resolve(first || performance.now() - startedAt));
  });
}

const folder = await mkdtemp(join(tmpdir(), "bench-first-rows-"));
const config = join(folder, "gateway.json");
await writeFile(config, JSON.stringify({ databases: { db: { url: database } } }), { mode: 0o600 });
const direct = await startServer("mcp-postgres", ["--transport", "http", "--port", "0", database]);
const gateway = await startServer("mcp-gateway", ["--config", config, "--port", "0"]);
const agent = bin("agent");
const programs = {
  "node -e 0": ["-e", "0"],
  "db-agent --help": [agent, "--help"],
  "db-agent query, nobody there": [agent, "query", sql, "--gateway", "http://127.0.0.1:1"],
  "first rows, the server itself": [agent, "query", sql, "--gateway", direct.url],
  "first rows, through a gateway": [agent, "query", sql, "--gateway", gateway.url],
};
/** @type {Record<string, number[]>} */
const times = Object.fromEntries(Object.keys(programs).map((name) => [name, []]));
for (let round = -1; round < rounds; round++) {
  for (const [name, args] of Object.entries(programs)) {
    const ms = await time(args);
    if (round >= 0) times[name]?.push(ms); // the first round warms files and pools
  }
}
await Promise.all([direct.stop(), gateway.stop()]);
await rm(folder, { recursive: true });

const least = (/** @type {string} */ name) => Math.min(...(times[name] ?? []));
const middle = (/** @type {string} */ name) => times[name]?.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0;
console.log(`${rounds} rounds                       least  median ms`);
for (const name of Object.keys(programs)) {
  console.log(`${name.padEnd(32)} ${least(name).toFixed(0).padStart(5)}  ${middle(name).toFixed(0).padStart(6)}`);
}
/** @param {string} a @param {string} b */
const ratio = (a, b) =>
  `${(least(a) / least(b)).toFixed(2)} by the least, ${(middle(a) / middle(b)).toFixed(2)} by the median`;
console.log(`--help / node -e 0:          ${ratio("db-agent --help", "node -e 0")}`);
console.log(`query / node -e 0:           ${ratio("db-agent query, nobody there", "node -e 0")}`);
console.log(`gateway / the server itself: ${ratio("first rows, through a gateway", "first rows, the server itself")}`);
