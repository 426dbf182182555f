/**
 * What the audit trail costs: `node bench/audit.mjs [postgres-url]` on the built packages. Appends and verifies 100,000
 * records, as a database's server writes them and as the gateway does; with a URL also times calls with and without a
 * trail, side by side in turns.
 */
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { createLog, openAuditTrail, verifyAudit } from "../mcp-core/dist/host/index.js";

const records = 100_000;
const log = createLog({ name: "bench", level: "warn" });
const server = {
  event: "call", call: "0123456789abcdef", principal: "ada", client: { name: "bench", version: "1.0.0" }, tool: "query",
  source: "shop", class: "select", fingerprint: "0".repeat(64), tables: ["public.customers", "public.orders"], rows: 12, bytes: 900, ms: 3.2,
  outcome: "ok",
}; // biome-ignore format: one record

const gateway = {
  ...server,
  server: "session:warehouse",
  session: "s-0123456789",
  trace: "0123456789abcdef0123456789abcdef",
};

for (const [name, body, isRequired, inFlight] of /** @type {const} */ ([
  ["server, not required, as fast as it takes them", server, false, 1_000],
  ["server, required, one at a time", server, true, 1],
  ["server, required, 32 at a time", server, true, 32],
  ["gateway, not required, as fast as it takes them", gateway, false, 1_000],
  ["gateway, required, one at a time", gateway, true, 1],
  ["gateway, required, 32 at a time", gateway, true, 32],
])) {
  const folder = await mkdtemp(join(tmpdir(), "audit-bench-"));
  const trail = await openAuditTrail({
    folder, name: "bench", version: "0", key: "0123456789abcdef", log, isRequired, sync: "second",
    maxFileBytes: 64 * 1024 * 1024, maxQueued: records,
  }); // biome-ignore format: one call
  const began = performance.now();
  for (let done = 0; done < records; done += inFlight) {
    await Promise.all(Array.from({ length: Math.min(inFlight, records - done) }, () => trail.append(body)));
  }
  await trail[Symbol.asyncDispose]();
  const appendMs = performance.now() - began;
  const verifyBegan = performance.now();
  const [report] = await verifyAudit(folder, { key: "0123456789abcdef" });
  const verifyMs = performance.now() - verifyBegan;
  let bytes = 0;
  for (const file of await readdir(folder)) bytes += (await stat(join(folder, file))).size;
  const lost = trail.status.lost;
  console.log(
    `${name}: ${((appendMs * 1_000) / records).toFixed(1)} µs a record, ${lost} lost, ${Math.round(bytes / records)} bytes a record; ` +
      `verified ${report?.records} in ${(verifyMs / 1_000).toFixed(2)} s${report?.breach ? " BROKEN" : ""}`,
  );
  await rm(folder, { recursive: true });
}

const [url] = process.argv.slice(2);
if (url !== undefined) await timeCalls(url);

/** @param {string} url */
async function timeCalls(url) {
  const folder = await mkdtemp(join(tmpdir(), "audit-bench-"));
  const variants = { off: [], on: ["--audit", folder], required: ["--audit", folder, "--audit-required"] };
  /** @type {{ name: string, client: Client, times: number[] }[]} */
  const runs = [];
  for (const [name, flags] of Object.entries(variants)) {
    const client = new Client({ name: "bench", version: "1.0.0" });
    const program = new URL("../mcp-postgres/dist/bin.js", import.meta.url).pathname;
    await client.connect(
      new StdioClientTransport({ command: process.execPath, args: [program, url, ...flags], stderr: "ignore" }),
    );
    runs.push({ name, client, times: [] });
  }
  for (let round = 0; round < 2_200; round++) {
    for (const { client, times } of round % 2 === 0 ? runs : [...runs].reverse()) {
      const began = performance.now();
      await client.callTool({ name: "query", arguments: { sql: "SELECT 1 AS one" } });
      if (round >= 200) times.push(performance.now() - began);
    }
  }
  for (const { name, client, times } of runs) {
    times.sort((one, other) => one - other);
    const at = (/** @type {number} */ share) => (times[Math.floor(times.length * share)] ?? 0).toFixed(3);
    console.log(`audit ${name}: median ${at(0.5)} ms, p95 ${at(0.95)} ms a call`);
    await client.close();
  }
  await rm(folder, { recursive: true });
}
