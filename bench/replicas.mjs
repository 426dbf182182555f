/**
 * Replicas of the gateway side by side: calls with a session and without one at 1, 2 and 4 replicas of one Redis, in turns
 * within one run, requests dealt to the replicas in turn. Also CPU, Redis commands and Redis memory of a call or session.
 * Replicas on one machine share its cores: more of them than cores show what they cost, not what machines would add.
 * Needs PostgreSQL (DATABASE_URL or the standard port) and a Redis server's program. Run: node bench/replicas.mjs [rounds]
 */
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findRedis } from "../bin/redis-instance.mjs";
import { startServer } from "./server-process.mjs";

const rounds = Number(process.argv[2] ?? 3);
const counts = [1, 2, 4];
const concurrency = 16;
const callsPerRun = 400;
const sessionsMade = 30;
const url = new URL(process.env.DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres");
const folder = await mkdtemp(join(tmpdir(), "replicas-bench-"));

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const redisPort = await freePort();
const program = await findRedis(AbortSignal.timeout(120_000));
const redis = spawn(program.command, ["--port", String(redisPort), "--bind", "127.0.0.1", "--save", ""], {
  env: program.environment,
  stdio: "ignore",
});

/** Redis's answer to one command. @param {string} command @param {RegExp} whole what it looks like once all is there */
async function askRedis(command, whole) {
  const socket = createConnection(redisPort, "127.0.0.1");
  await once(socket, "connect");
  socket.write(`${command}\r\n`);
  let text = "";
  for await (const chunk of socket) {
    text += chunk;
    if (whole.test(text)) break;
  }
  socket.destroy();
  return text;
}

/** How many commands Redis has carried out. */
const redisCommands = async () => {
  const text = await askRedis("INFO stats", /total_commands_processed:\d+\r\n[\s\S]*\r\n$/);
  return Number(/total_commands_processed:(\d+)/.exec(text)?.[1]);
};

/** Bytes of all keys and values. */
const redisBytes = async () => {
  const script =
    "local sum, at = 0, '0' repeat local page = redis.call('SCAN', at) at = page[1] " +
    "for _, key in ipairs(page[2]) do sum = sum + redis.call('MEMORY', 'USAGE', key) end until at == '0' return sum";
  return Number(/^:(\d+)/.exec(await askRedis(`EVAL "${script}" 0`, /\r\n$/))?.[1]);
};

const template = {
  server: "postgres",
  hosts: [`${url.hostname}:${url.port || 5432}`],
  private: true,
  database: url.pathname.slice(1),
  user: decodeURIComponent(url.username),
};
const password = decodeURIComponent(url.password);
const config = join(folder, "gateway.json");
await writeFile(config, JSON.stringify({ databases: { shop: url.href }, templates: { pg: template } }));
const environment = {
  ...process.env,
  MCP_STORE: `redis://127.0.0.1:${redisPort}`,
  MCP_KEYS: `k1:${randomBytes(32).toString("base64")}`,
};

/** @typedef {import("./server-process.mjs").ServerProcess} Replica `url`: without a path */

/** @param {number} index @returns {Promise<Replica>} */
async function startReplica(index) {
  const args = ["--config", config, "--port", "0", "--cache-dir", join(folder, `cache-${index}`)];
  const replica = await startServer("mcp-gateway", [...args, "--max-sessions", "1000"], environment);
  return { ...replica, url: new URL(replica.url).origin };
}

/** CPU milliseconds of a process. @param {number} pid */
async function cpuMs(pid) {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** @param {string} base @param {string} path @param {object} body @returns {Promise<{ session?: string }>} */
async function rest(base, path, body) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(base + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await response.text());
  return /** @type {{ session?: string }} */ (await response.json());
}

const envelope = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};
const callHeaders = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": "tools/call",
  "mcp-name": "query",
};

/** @param {Replica} replica @param {object} given */
async function call({ url: base }, given) {
  const params = { name: "query", arguments: { sql: "SELECT 1", ...given }, _meta: envelope };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
  const response = await fetch(`${base}/mcp`, { method: "POST", headers: callHeaders, body });
  const answer = /** @type {{ result?: { isError?: boolean } }} */ (await response.json());
  if (answer.result === undefined || answer.result.isError === true) throw new Error(JSON.stringify(answer));
}

/** @param {readonly Replica[]} replicas @param {readonly object[]} givens */
async function run(replicas, givens) {
  const times = /** @type {number[]} */ ([]);
  let next = 0;
  const began = performance.now();
  const work = async () => {
    for (let n = next++; n < callsPerRun; n = next++) {
      const start = performance.now();
      const replica = replicas[n % replicas.length];
      if (replica !== undefined) await call(replica, givens[n % givens.length] ?? {});
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  times.sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => times[Math.floor(times.length * share)] ?? 0;
  return { perSecond: (callsPerRun / (performance.now() - began)) * 1_000, p50: at(0.5), p95: at(0.95) };
}

const median = (/** @type {number[]} */ values) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

const replicas = /** @type {Replica[]} */ ([]);
try {
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (let index = 0; index < Math.max(...counts); index++) replicas.push(await startReplica(index));
  const [first] = replicas;
  if (first === undefined) throw new Error("there are some");
  const before = await redisBytes();
  const sessions = /** @type {{ session: string }[]} */ ([]);
  for (let index = 0; index < sessionsMade; index++) {
    const { session = "" } = await rest(first.url, "/v1/sessions", {});
    await rest(first.url, `/v1/sessions/${session}/connections`, { template: "pg", name: "db", password });
    sessions.push({ session });
  }
  const perSession = ((await redisBytes()) - before) / sessionsMade;
  const kinds = { "without a session": [{ source: "shop" }], "with a session": sessions };
  for (const givens of Object.values(kinds)) await run(replicas, givens); // servers start
  const rows = /** @type {Record<string, Record<string, string | number>>} */ ({});
  for (const [kind, givens] of Object.entries(kinds)) {
    const figures = new Map(counts.map((count) => [count, /** @type {Awaited<ReturnType<typeof run>>[]} */ ([])]));
    const cpus = new Map(counts.map((count) => [count, /** @type {number[]} */ ([])]));
    const commands = /** @type {number[]} */ ([]);
    for (let round = 0; round < rounds; round++) {
      for (const count of counts) {
        const used = replicas.slice(0, count);
        const cpu = async () => (await Promise.all(used.map(({ pid }) => cpuMs(pid)))).reduce((a, b) => a + b);
        const [cpuBefore, commandsBefore] = [await cpu(), await redisCommands()];
        figures.get(count)?.push(await run(used, givens));
        cpus.get(count)?.push(((await cpu()) - cpuBefore) / callsPerRun);
        commands.push(((await redisCommands()) - commandsBefore) / callsPerRun);
      }
    }
    const base = median((figures.get(1) ?? []).map(({ perSecond }) => perSecond));
    for (const count of counts) {
      const all = figures.get(count) ?? [];
      const perSecond = median(all.map((one) => one.perSecond));
      rows[`${kind}, ${count}`] = {
        "calls/s": Math.round(perSecond),
        "x one": Number((perSecond / base).toFixed(2)),
        "p50 ms": Number(median(all.map(({ p50 }) => p50)).toFixed(1)),
        "p95 ms": Number(median(all.map(({ p95 }) => p95)).toFixed(1)),
        "gateway CPU ms/call": Number(median(cpus.get(count) ?? []).toFixed(2)),
        "Redis commands/call": Number(median(commands).toFixed(1)),
      };
    }
  }
  const { stdout } = await promisify(execFile)("uptime");
  console.log(
    `${availableParallelism()} cores; ${rounds} rounds of ${callsPerRun} calls, ${concurrency} at once; ${stdout.trim()}`,
  );
  console.table(rows);
  console.log(`Redis memory of a session with one connection: ${Math.round(perSession)} bytes`);
} finally {
  for (const replica of replicas) await replica.stop();
  redis.kill("SIGTERM");
  await rm(folder, { recursive: true, force: true });
}
