/**
 * What a select over a million rows costs through our servers: time against the same SQL with a LIMIT of its own, side by
 * side in one run, and the server's peak memory, also while every page is read.
 *
 *   BENCH_POSTGRES_URL=… BENCH_MYSQL_URL=… node bench/million-rows.mjs [repetitions]
 *
 * The URLs name databases in which the table bench_big may be created and dropped.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { createConnection } from "mariadb";
import postgres from "postgres";

const rowCount = 1_000_000;
const repetitions = Number(process.argv[2] ?? 50);

/** @param {string} sql @param {string} url */
async function onPostgres(sql, url) {
  const admin = postgres(url, { max: 1, onnotice: () => {} });
  await admin.unsafe(sql);
  await admin.end();
}

/** @param {string} sql @param {string} url */
async function onMysql(sql, url) {
  const { hostname, port, username, password, pathname } = new URL(url);
  const admin = await createConnection({
    host: hostname,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    multipleStatements: true,
  });
  await admin.query(sql);
  await admin.end();
}

const engines = [
  {
    folder: "mcp-postgres",
    url: process.env.BENCH_POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/test",
    run: onPostgres,
    fill: `DROP TABLE IF EXISTS bench_big; CREATE TABLE bench_big AS SELECT i AS id, i % 97 AS grp, 'label ' || i AS label FROM generate_series(1, ${rowCount}) i; ANALYZE bench_big`,
  },
  {
    folder: "mcp-mysql",
    url: process.env.BENCH_MYSQL_URL ?? "mysql://root@127.0.0.1:3306/test",
    run: onMysql,
    fill: `DROP TABLE IF EXISTS bench_big; SET SESSION max_recursive_iterations = ${rowCount + 1};
      CREATE TABLE bench_big (id int, grp int, label varchar(20));
      INSERT INTO bench_big WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < ${rowCount}) SELECT i, i % 97, CONCAT('label ', i) FROM n`,
  },
];

/** @param {number[]} values */
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** @param {number} pid */
async function peakMegabytes(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

for (const engine of engines) {
  await engine.run(engine.fill, engine.url);
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [fileURLToPath(new URL(`../${engine.folder}/dist/bin.js`, import.meta.url)), engine.url],
    stderr: "ignore",
  });
  const client = new Client({ name: "bench", version: "1.0.0" });
  await client.connect(transport);
  /** @param {Record<string, unknown>} args */
  const query = async (args) => {
    const start = performance.now();
    const result = await client.callTool({ name: "query", arguments: args }, { timeout: 120_000 });
    const ms = performance.now() - start;
    const block = result.content[0];
    if (result.isError || block?.type !== "text") throw new Error(JSON.stringify(result.content));
    return { ms, bytes: Buffer.byteLength(block.text), reply: JSON.parse(block.text) };
  };
  /** @type {number[]} */
  const plain = [];
  /** @type {number[]} */
  const limited = [];
  let bytes = 0;
  // A B B A: neither is always the one that pays for the other's garbage.
  for (let turn = 0; turn < repetitions; turn += 1) {
    for (const isWhole of [true, false, false, true]) {
      const answer = await query({ sql: isWhole ? "SELECT * FROM bench_big" : "SELECT * FROM bench_big LIMIT 1001" });
      (isWhole ? plain : limited).push(answer.ms);
      bytes = Math.max(bytes, answer.bytes);
    }
  }
  const start = performance.now();
  let page = (await query({ sql: "SELECT id, grp FROM bench_big", cursor: "start" })).reply;
  let rows = page.row_count;
  while (page.next_cursor !== undefined) {
    page = (await query({ cursor: page.next_cursor })).reply;
    rows += page.row_count;
  }
  const pagedMs = performance.now() - start;
  console.log(
    `${engine.folder}: select of ${rowCount} rows ${median(plain).toFixed(1)} ms, with its own LIMIT ${median(limited).toFixed(1)} ms, ratio ${(median(plain) / median(limited)).toFixed(2)}; largest reply ${bytes} bytes; ${rows} rows paged in ${(pagedMs / 1000).toFixed(1)} s; peak memory ${(await peakMegabytes(transport.pid ?? 0)).toFixed(0)} MB`,
  );
  await client.close();
  await engine.run("DROP TABLE bench_big", engine.url);
}
