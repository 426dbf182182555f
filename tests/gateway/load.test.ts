/** Many calls at once: bounded at the server, every one answered; and one id for a call from end to end. */

import { writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { executable, startHttpServer } from "../support/processes.js";
import { fixtureServer, startGateway, temporaryFolder, textOf } from "./gateways.js";

const version = "2026-07-28";
const envelope = {
  "io.modelcontextprotocol/protocolVersion": version,
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

function call(url: string, agent: Agent, id: number): Promise<string> {
  const params = { name: "s__echo", arguments: {}, _meta: envelope };
  const body = JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params });
  const headers = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": version,
    "mcp-method": "tools/call",
    "mcp-name": "s__echo",
    "content-length": Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/mcp`, { method: "POST", agent, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => resolve(text));
    });
    sent.on("error", reject).end(body);
  });
}

test.each([
  { calls: 500, maxCalls: 10, maxQueued: 1_000, waitMs: 20 },
  { calls: 10_000, maxCalls: 32, maxQueued: 100, waitMs: 50 },
])("$calls at once, at most $maxCalls in progress: none is lost", { timeout: 240_000 }, async (load) => {
  const { calls, maxCalls, maxQueued, waitMs } = load;
  await using folder = await temporaryFolder();
  const path = join(folder.path, "gateway.json");
  const entry = fixtureServer("odd-server", { args: ["wait", String(waitMs)], maxCalls });
  await writeFile(path, JSON.stringify({ mcpServers: { s: entry } }));
  // a process of its own: who makes so many calls has no time to serve them
  const args = ["--config", path, "--port", "0", "--cache-dir", folder.path, "--max-queue", String(maxQueued)];
  await using gateway = await startHttpServer(executable("mcp-gateway"), args);
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  const agent = new Agent({ keepAlive: true, maxSockets: 1_000 });
  const answers = await Promise.all(Array.from({ length: calls }, (_, id) => call(gateway.url, agent, id)));
  agent.destroy();
  const parsed = answers.map(
    (text) => JSON.parse(text) as { id: number; result: { isError?: boolean; most?: number } },
  );
  expect(parsed.map(({ id }) => id)).toEqual(Array.from({ length: calls }, (_, id) => id));
  const done = parsed.filter((one) => textOf(one.result) === "waited").length;
  const busy = parsed.filter(
    (one) => one.result.isError && /"code":"busy".*Try again in \d+ s/.test(textOf(one.result)),
  );
  expect(done + busy.length).toBe(calls);
  expect(done).toBeGreaterThanOrEqual(Math.min(calls, maxCalls + maxQueued));
  const most = Math.max(...parsed.map(({ result }) => result.most ?? 0)); // as the server itself has counted
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(maxCalls);
  const report = await (await fetch(`${gateway.url}/v1/servers`)).json();
  expect(report).toMatchObject({ servers: [{ active: 0, queued: 0, crashes: 0 }] });
});

test.each([
  ["the client's own", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"],
  ["a new one where the client sends none", undefined, undefined],
  ["a new one where the client's is malformed", "00-0-0-0", undefined],
])("a call's trace id is %s, at the server and in the log", async (_, traceparent, id) => {
  await using gateway = await startGateway(() => ({
    mcpServers: { s: fixtureServer("odd-server", { args: ["good"] }) },
  }));
  await using client = await gateway.connect("modern");
  const _meta = traceparent === undefined ? {} : { traceparent };
  const answer = await client.callTool({ name: "s__echo", arguments: {}, _meta });
  const sent = String(JSON.parse(textOf(answer))._meta.traceparent);
  expect(sent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
  if (id !== undefined) expect(sent).toBe(traceparent);
  expect(gateway.log()).toContain(`"trace":"${sent.split("-")[1]}"`);
});
