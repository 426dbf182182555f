/**
 * What bad servers cost the good ones: the same calls of 16 servers through a gateway with these alone, and through one
 * with 3 more that never answer and 1 that crashes again and again, side by side in A B B A order; and the slowest list.
 *
 *   node bench/neighbours.mjs [rounds]
 *
 * The packages must be built.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "./server-process.mjs";

const rounds = Number(process.argv[2] ?? 4);

const server = `
const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\\n");
if (process.argv[2] === "crash") process.exit(1);
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method } = JSON.parse(line);
  if (id === undefined || process.argv[2] === "hang") return;
  const serverInfo = { name: "bench", version: "1" };
  if (method === "initialize") send({ id, result: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo } });
  else if (method === "tools/list") send({ id, result: { tools: [{ name: "echo", inputSchema: { type: "object" } }] } });
  else if (method === "tools/call") send({ id, result: { content: [{ type: "text", text: "good" }] } });
  else send({ id, error: { code: -32601, message: "Method not found" } });
}).on("close", () => process.exit(0));`;

const folder = await mkdtemp(join(tmpdir(), "bench-neighbours-"));
await writeFile(join(folder, "server.cjs"), server);
const entry = (/** @type {string} */ way) => ({
  command: process.execPath,
  args: [join(folder, "server.cjs"), way],
  era: "legacy",
});
const good = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`good${index}`, entry("good")]));
const bad = { hang1: entry("hang"), hang2: entry("hang"), hang3: entry("hang"), crash: entry("crash") };

/** @param {string} name @param {object} mcpServers */
async function start(name, mcpServers) {
  const path = join(folder, `${name}.json`);
  await writeFile(path, JSON.stringify({ mcpServers, settings: { port: 0, startTimeout: "10m", idleTimeout: "0" } }));
  return startServer("mcp-gateway", ["--config", path, "--cache-dir", join(folder, name)]);
}

const agent = new Agent({ keepAlive: true });
const _meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** @param {string} url @param {string} method @param {{ name?: string, arguments?: object }} params @returns {Promise<{ ms: number, text: string }>} */
function post(url, method, params) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta } });
  const headers = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "content-length": Buffer.byteLength(body),
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...(params.name === undefined ? {} : { "mcp-name": params.name }),
  };
  const began = performance.now();
  return new Promise((resolve, reject) => {
    request(url, { method: "POST", agent, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      answer.on("end", () => resolve({ ms: performance.now() - began, text }));
    })
      .on("error", reject)
      .end(body);
  });
}

/** @param {number[]} values @param {number} share */
const quantile = (values, share) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

const gateways = { alone: await start("alone", good), beside: await start("beside", { ...bad, ...good }) };
/** @type {Record<"alone" | "beside", number[]>} */
const times = { alone: [], beside: [] };
/** @type {Record<"alone" | "beside", number[]>} */
const lists = { alone: [], beside: [] };
const texts = new Set();
try {
  for (const side of /** @type {const} */ (["alone", "beside"]))
    for (const name of Object.keys(good)) await post(gateways[side].url, "tools/call", { name: `${name}__echo` });
  for (let round = 0; round < rounds; round++) {
    for (const side of /** @type {const} */ (["alone", "beside", "beside", "alone"])) {
      const { url } = gateways[side];
      for (let turn = 0; turn < 30; turn++) {
        // somebody keeps asking for the bad ones
        if (side === "beside" && turn % 10 === 0) void post(url, "tools/call", { name: "crash__echo" });
        for (const name of Object.keys(good)) {
          const { ms, text } = await post(url, "tools/call", { name: `${name}__echo`, arguments: {} });
          if (!text.includes("good")) throw new Error(`unexpected answer: ${text.slice(0, 300)}`);
          times[side].push(ms);
        }
      }
      for (let turn = 0; turn < 25; turn++) {
        const { ms, text } = await post(url, "tools/list", {});
        lists[side].push(ms);
        if (side === "beside") texts.add(text);
      }
    }
  }
  const row = (/** @type {"alone" | "beside"} */ side) => ({
    calls: times[side].length,
    "p50 ms": Number(quantile(times[side], 0.5).toFixed(2)),
    "p99 ms": Number(quantile(times[side], 0.99).toFixed(2)),
    "slowest list ms": Math.round(Math.max(...lists[side])),
  });
  console.table({ "16 alone": row("alone"), "with 3 hanging, 1 crashing": row("beside") });
  const ratio = quantile(times.beside, 0.99) / quantile(times.alone, 0.99);
  console.log(
    `p99 beside bad servers: ${ratio.toFixed(2)} x alone; different lists in ${lists.beside.length}: ${texts.size}`,
  );
} finally {
  agent.destroy();
  await Promise.all([gateways.alone.stop(), gateways.beside.stop()]);
  await rm(folder, { recursive: true, force: true });
}
