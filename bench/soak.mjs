/**
 * A long mixed load on both servers over HTTP: quick reads, pages, plans, descriptions, mistakes, refused writes, bombs
 * that end in a timeout, cancelled and abandoned calls, from several clients at once that come and go. Once a minute the
 * load holds its breath, the server's process collects its garbage, and memory, descriptors and connections are read:
 * what is left then is what is kept. Prints their slopes at the end by Theil and Sen, the median of the slopes between any
 * two readings, which single outliers do not move, with the interval it lies in at 95 % (Sen 1968, by Kendall's tau).
 *
 *   BENCH_POSTGRES_URL=… BENCH_MYSQL_URL=… node bench/soak.mjs [minutes] [pauseMs]
 */
import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createConnection } from "mariadb";
import postgres from "postgres";

const minutes = Number(process.argv[2] ?? 30);
const pauseMs = Number(process.argv[3] ?? 60);
const clientCount = 4;
const callsPerClient = 200;

const postgresUrl = process.env.BENCH_POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";
const mysqlUrl = process.env.BENCH_MYSQL_URL ?? "mysql://root@127.0.0.1:3306/test";
const admin = postgres(postgresUrl, { max: 1, onnotice: () => {} });

/** Our sessions on the server, by the name they give themselves. */
async function countPostgres() {
  const [row] = await admin`SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'soak'`;
  return Number(row?.n);
}

const { hostname, port, username, password } = new URL(mysqlUrl);
const mysqlAdmin = await createConnection({
  host: hostname,
  port: Number(port || 3306),
  user: decodeURIComponent(username),
  password: decodeURIComponent(password),
});
await mysqlAdmin.query("CREATE DATABASE IF NOT EXISTS soak");

async function countMysql() {
  const [row] = await mysqlAdmin.query("SELECT COUNT(*) AS n FROM information_schema.processlist WHERE db = 'soak'");
  return Number(row.n);
}

const soakedMysqlUrl = new URL(mysqlUrl);
soakedMysqlUrl.pathname = "/soak";
const soakedPostgresUrl = new URL(postgresUrl);
soakedPostgresUrl.searchParams.set("application_name", "soak");

const targets = [
  {
    folder: "mcp-postgres",
    url: soakedPostgresUrl.href,
    count: countPostgres,
    table: "pg_catalog.pg_class",
    rows: "SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i",
    bombs: [
      "SELECT count(*) FROM generate_series(1, 1000000000000)",
      "SELECT repeat('x', 1000000000)",
      "WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    ],
    attacks: [
      "DROP TABLE pg_class",
      "SELECT pg_terminate_backend(1)",
      "COMMIT; CREATE TABLE soak_hit (a int)",
      "SELECT set_config('default_transaction_read_only', 'off', false)",
    ],
  },
  {
    folder: "mcp-mysql",
    url: soakedMysqlUrl.href,
    count: countMysql,
    table: "information_schema.columns",
    rows: "SELECT a.column_name, REPEAT('x', 100) FROM information_schema.columns a LIMIT 3000",
    bombs: [
      "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c",
      "SELECT REPEAT('x', 1000000000)",
      "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
    ],
    attacks: [
      "DROP TABLE t",
      "SELECT SLEEP(900)",
      "SELECT 1 INTO OUTFILE '/tmp/soak-hit'",
      "SET SESSION TRANSACTION READ WRITE",
      "COMMIT; CREATE TABLE soak_hit (a int)",
    ],
  },
];

/** Garbage is collected when the process is told to. */
const collectOnSignal = `data:text/javascript,${encodeURIComponent('process.on("SIGUSR2", () => { gc(); gc(); });')}`;

/** Starts a server and waits for its address. @param {{ folder: string, url: string }} target */
async function start({ folder, url }) {
  const file = fileURLToPath(new URL(`../${folder}/dist/bin.js`, import.meta.url));
  const args = [file, url, "--transport", "http", "--port", "0", "--timeout", "1s", "--log-level", "info"];
  const child = spawn(process.execPath, ["--expose-gc", "--import", collectOnSignal, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  child.stderr.setEncoding("utf8");
  const endpoint = await new Promise((resolve, reject) => {
    let log = "";
    child.stderr.on("data", (chunk) => {
      log = (log + chunk).slice(-10_000);
      const found = /"url":"(http:[^"]+)"/.exec(log)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", (code) => reject(new Error(`${folder} exited with ${code}: ${log}`)));
  });
  return { child, endpoint };
}

/** @typedef {(typeof targets)[number]} Target @typedef {{ hours: number, rssMb: number, descriptors: number, connections: number }} Point */

/** @type {Map<string, number>} */
const tally = new Map();
/** @param {string} folder @param {string} outcome */
const note = (folder, outcome) => tally.set(`${folder} ${outcome}`, (tally.get(`${folder} ${outcome}`) ?? 0) + 1);
/** @param {string[]} list */
const pick = (list) => list[Math.floor(Math.random() * list.length)] ?? "";

/** One call of a random kind; what comes back is counted by its outcome. @param {Client} client @param {Target} target */
async function callOnce(client, target) {
  const { folder } = target;
  /** @param {Record<string, unknown>} args @param {{ signal?: AbortSignal }} [options] @returns {Promise<any>} */
  const query = (args, options) => client.callTool({ name: "query", arguments: args }, { timeout: 60_000, ...options });
  const dice = Math.random();
  if (dice < 0.4)
    return note(folder, outcomeOf(await query({ sql: `SELECT ${Math.floor(Math.random() * 1e6)} AS n` })));
  if (dice < 0.55) {
    let result = await query({ sql: target.rows, cursor: "start" });
    // Some leave in the middle and their page to its time.
    const pages = Math.random() < 0.02 ? 2 : 100;
    for (let page = 0; page < pages && !result.isError; page++) {
      const next = JSON.parse(result.content[0].text).next_cursor;
      if (next === undefined) break;
      result = await query({ cursor: next });
    }
    return note(folder, `paged ${outcomeOf(result)}`);
  }
  if (dice < 0.65) return note(folder, outcomeOf(await query({ sql: target.rows })));
  if (dice < 0.72) return note(folder, outcomeOf(await query({ sql: "SELECT nope FROM nowhere" })));
  if (dice < 0.8) return note(folder, `attack ${outcomeOf(await query({ sql: pick(target.attacks) }))}`);
  if (dice < 0.86) {
    const explain = { name: "explain", arguments: { sql: `SELECT * FROM ${target.table}` } };
    return note(folder, `explain ${outcomeOf(await client.callTool(explain))}`);
  }
  if (dice < 0.94) {
    const search = { name: "search_objects", arguments: { pattern: "%o%" } };
    return note(folder, `search ${outcomeOf(await client.callTool(search))}`);
  }
  if (dice < 0.97) return note(folder, `bomb ${outcomeOf(await query({ sql: pick(target.bombs) }))}`);
  const signal = AbortSignal.timeout(100);
  await query({ sql: target.bombs[0] ?? "" }, { signal }).catch(() => {});
  note(folder, "cancelled");
}

/** @param {any} result */
function outcomeOf(result) {
  if (!result.isError) return "ok";
  return /"code":"(\w+)"/.exec(result.content?.[0]?.text ?? "")?.[1] ?? "error";
}

/** Calls pass, or wait until the readings are taken. */
function createGate() {
  let inFlight = 0;
  /** @type {Promise<void> | undefined} */
  let closed;
  let open = () => {};
  return {
    /** @template T @param {() => Promise<T>} call */
    async pass(call) {
      while (closed !== undefined) await closed;
      inFlight++;
      return await call().finally(() => inFlight--);
    },
    async close() {
      closed = new Promise((resolve) => {
        open = resolve;
      });
      for (let waited = 0; inFlight > 0 && waited < 10_000; waited += 50) await sleep(50);
    },
    open() {
      closed = undefined;
      open();
    },
  };
}

/**
 * A client that comes, calls for a while and goes, in the one era or the other, until the end.
 * @param {Target} target @param {string} endpoint @param {ReturnType<typeof createGate>} gate
 * @param {number} endsAt @param {number} turn
 */
async function visit(target, endpoint, gate, endsAt, turn) {
  for (; performance.now() < endsAt; turn++) {
    const client = new Client(
      { name: "soak", version: "1.0.0" },
      { versionNegotiation: { mode: turn % 2 === 0 ? "auto" : "legacy" } },
    );
    try {
      await client.connect(new StreamableHTTPClientTransport(new URL(endpoint)));
      for (let call = 0; call < callsPerClient && performance.now() < endsAt; call++) {
        await gate.pass(() => callOnce(client, target));
        await sleep(Math.random() * 2 * pauseMs);
      }
    } catch (error) {
      note(target.folder, `failed: ${error instanceof Error ? error.message.slice(0, 80) : error}`);
    }
    await client.close().catch(() => {});
  }
}

/** @param {import("node:child_process").ChildProcess} child @param {() => Promise<number>} count */
async function sample(child, count) {
  const status = await readFile(`/proc/${child.pid}/status`, "utf8");
  const descriptors = (await readdir(`/proc/${child.pid}/fd`)).length;
  return { rssMb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024, descriptors, connections: await count() };
}

/**
 * Per hour: the median slope between two points, and the interval that holds the true one at 95 %.
 * @param {Point[]} points @param {Exclude<keyof Point, "hours">} key
 */
function slope(points, key) {
  const slopes = points
    .flatMap((one, at) => points.slice(at + 1).map((two) => (two[key] - one[key]) / (two.hours - one.hours)))
    .sort((a, b) => a - b);
  const count = points.length;
  const spread = 1.96 * Math.sqrt((count * (count - 1) * (2 * count + 5)) / 18);
  const low = slopes[Math.max(0, Math.floor((slopes.length - spread) / 2))] ?? 0;
  const high = slopes[Math.min(slopes.length - 1, Math.ceil((slopes.length + spread) / 2))] ?? 0;
  const middle = slopes[Math.floor(slopes.length / 2)] ?? 0;
  return `${middle.toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`;
}

const startedAt = performance.now();
const endsAt = startedAt + minutes * 60_000;
const runs = targets.map(async (target) => {
  const { child, endpoint } = await start(target);
  const gate = createGate();
  const visits = Array.from({ length: clientCount }, (_, turn) => visit(target, endpoint, gate, endsAt, turn));
  /** @type {Point[]} */
  const points = [];
  while (performance.now() < endsAt) {
    await sleep(Math.min(60_000, Math.max(0, endsAt - performance.now())));
    await gate.close();
    child.kill("SIGUSR2");
    await sleep(1_500);
    const point = { hours: (performance.now() - startedAt) / 3_600_000, ...(await sample(child, target.count)) };
    points.push(point);
    gate.open();
    console.log(
      `${(point.hours * 60).toFixed(1)} min ${target.folder}: ${point.rssMb.toFixed(1)} MB, ${point.descriptors} descriptors, ${point.connections} connections`,
    );
  }
  await Promise.all(visits);
  // The first third is warm-up: code compiled, pools filled.
  const settled = points.slice(Math.floor(points.length / 3));
  const peak = Math.max(...points.map(({ rssMb }) => rssMb));
  console.log(
    `${target.folder}: last two thirds, ${settled.length} readings, per hour: memory ${slope(settled, "rssMb")} MB, descriptors ${slope(settled, "descriptors")}, connections ${slope(settled, "connections")}; most ${peak.toFixed(0)} MB`,
  );
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  console.log(`${target.folder}: exit code ${await exited}, ${await target.count()} connections left`);
});
await Promise.all(runs);
for (const [outcome, count] of [...tally].sort()) console.log(`${String(count).padStart(7)}  ${outcome}`);
await mysqlAdmin.query("DROP DATABASE soak");
await mysqlAdmin.end();
await admin.end();
