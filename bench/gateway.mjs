/**
 * What the gateway costs: the same `query` on mcp-postgres over HTTP, direct and through the gateway, side by side in
 * A B B A order: latency of one caller, throughput of 32, memory with 8 callers, CPU per call (gateway and child together).
 *
 *   BENCH_POSTGRES_URL=… node bench/gateway.mjs [rounds] [modern|legacy]
 *
 * Reads only; the packages must be built.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "./server-process.mjs";

const rounds = Number(process.argv[2] ?? 4);
const eras = process.argv[3] === undefined ? ["modern", "legacy"] : [process.argv[3]];
const database = process.env.BENCH_POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";
const sql = "SELECT 1 AS one, 'two' AS two";

/** The process and its descendants. @param {number} pid @returns {Promise<number[]>} */
async function tree(pid) {
  const parents = new Map();
  for (const name of await readdir("/proc")) {
    const stat = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, "utf8").catch(() => "") : "";
    const parent = /\) \S (\d+)/.exec(stat)?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const found = [pid];
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found;
}

/** CPU milliseconds so far. @param {number[]} pids */
async function cpuMs(pids) {
  let ticks = 0;
  for (const pid of pids) {
    const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).replace(/^.*\) /s, "").split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * 10;
}

/** Megabytes resident. @param {number} pid */
const rssMb = async (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

/** A client that measures the server, not itself: plain node:http with kept connections. @param {string} url @param {string} era */
async function connect(url, era) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const version = era === "modern" ? "2026-07-28" : "2025-11-25";
  /** @type {Record<string, string>} */
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  /** @param {object} message @param {Record<string, string>} [more] @returns {Promise<{ text: string, session: string | undefined }>} */
  const post = (message, more = {}) =>
    new Promise((resolve, reject) => {
      const body = JSON.stringify({ jsonrpc: "2.0", ...message });
      const sent = request(
        url,
        { method: "POST", agent, headers: { ...headers, ...more, "content-length": Buffer.byteLength(body) } },
        (answer) => {
          let text = "";
          answer.setEncoding("utf8").on("data", (chunk) => {
            text += chunk;
          });
          const session = answer.headers["mcp-session-id"];
          answer.on("end", () => resolve({ text, session: typeof session === "string" ? session : undefined }));
        },
      );
      sent.on("error", reject).end(body);
    });
  if (era === "legacy") {
    const clientInfo = { name: "bench", version: "1" };
    const { session = "" } = await post({
      id: 0,
      method: "initialize",
      params: { protocolVersion: version, capabilities: {}, clientInfo },
    });
    Object.assign(headers, { "mcp-session-id": session, "mcp-protocol-version": version });
    await post({ method: "notifications/initialized" });
  } else Object.assign(headers, { "mcp-protocol-version": version });
  let id = 0;
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": version,
    "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  return {
    async call() {
      const params = { name: "query", arguments: { sql }, ...(era === "modern" ? { _meta } : {}) };
      const more = era === "modern" ? { "mcp-method": "tools/call", "mcp-name": "query" } : undefined;
      const { text } = await post({ id: ++id, method: "tools/call", params }, more);
      if (!text.includes("two")) throw new Error(`unexpected answer: ${text.slice(0, 300)}`);
    },
    close: () => agent.destroy(),
  };
}

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** @param {{ call(): Promise<void> }} client @param {number} calls @param {number} width */
async function run(client, calls, width) {
  /** @type {number[]} */
  const times = [];
  let left = calls;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (left-- > 0) {
        const at = performance.now();
        await client.call();
        times.push(performance.now() - at);
      }
    }),
  );
  return { medianMs: median(times), perSecond: (calls / (performance.now() - began)) * 1_000 };
}

const folder = await mkdtemp(join(tmpdir(), "bench-gateway-"));
await writeFile(join(folder, "gateway.json"), JSON.stringify({ databases: { bench: database } }));
const direct = await startServer("mcp-postgres", [database, "--transport", "http", "--port", "0"]);
const gateway = await startServer("mcp-gateway", [
  "--config",
  join(folder, "gateway.json"),
  "--port",
  "0",
  "--cache-dir",
  join(folder, "cache"),
]);
const sides = { direct, gateway };
try {
  for (const era of eras) {
    const clients = { direct: await connect(direct.url, era), gateway: await connect(gateway.url, era) };
    for (const side of /** @type {const} */ (["direct", "gateway"])) await run(clients[side], 1_500, 8);
    const trees = { direct: await tree(direct.pid), gateway: await tree(gateway.pid) };
    /** @type {Record<"direct" | "gateway", { one: number[], many: number[], cpu: number[] }>} */
    const figures = { direct: { one: [], many: [], cpu: [] }, gateway: { one: [], many: [], cpu: [] } };
    for (let round = 0; round < rounds; round++) {
      for (const side of /** @type {const} */ (["direct", "gateway", "gateway", "direct"])) {
        figures[side].one.push((await run(clients[side], 400, 1)).medianMs);
        const before = await cpuMs(trees[side]);
        figures[side].many.push((await run(clients[side], 2_000, 32)).perSecond);
        figures[side].cpu.push(((await cpuMs(trees[side])) - before) / 2_000);
      }
    }
    const extra = await Promise.all(Array.from({ length: 8 }, () => connect(gateway.url, era)));
    await Promise.all(extra.map((client) => run(client, 250, 1)));
    const row = (/** @type {"direct" | "gateway"} */ side) => ({
      "median ms at 1": Number(median(figures[side].one).toFixed(3)),
      "calls/s at 32": Math.round(median(figures[side].many)),
      "CPU ms/call": Number(median(figures[side].cpu).toFixed(3)),
      "RSS MB": Math.round(0),
    });
    const table = { direct: row("direct"), gateway: row("gateway") };
    for (const side of /** @type {const} */ (["direct", "gateway"]))
      table[side]["RSS MB"] = Math.round(await rssMb(sides[side].pid));
    console.log(`\n${era} clients, ${rounds * 2} runs each side`);
    console.table(table);
    const added = median(figures.gateway.one) / median(figures.direct.one) - 1;
    const share = median(figures.gateway.many) / median(figures.direct.many);
    console.log(
      `added latency at 1: ${added.toFixed(2)} x direct (goal <= 0.40); throughput at 32: ${share.toFixed(2)} x direct (goal >= 0.90); RSS of the gateway with 8 more clients (goal <= 110 MB)`,
    );
    for (const client of [clients.direct, clients.gateway, ...extra]) client.close();
  }
} finally {
  await Promise.all([direct.stop(), gateway.stop()]);
  await rm(folder, { recursive: true, force: true });
}
