/** Over stdio, stdout belongs to MCP whatever becomes of the store: its client prints what it thinks of Sentinels. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder, until } from "../gateway/gateways.js";
import { testTemplates } from "../sessions/people.js";
import { executable } from "../support/processes.js";
import { startRedisSentinels } from "../support/redis-servers.js";
import { keyOf } from "./subject.js";

test("all Sentinels and the master die: the gateway lives on, says so in its log, and nothing but messages is on stdout", async () => {
  await using redis = await startRedisSentinels();
  await using folder = await temporaryFolder();
  const config = join(folder.path, "gateway.json");
  await writeFile(config, JSON.stringify({ templates: testTemplates() }));
  const child = spawn(
    process.execPath,
    [executable("mcp-gateway"), "--config", config, "--stdio", "--cache-dir", folder.path],
    { env: { ...process.env, MCP_STORE: redis.url, MCP_KEYS: keyOf("k1", 1) }, stdio: "pipe" },
  );
  const exited = once(child, "exit");
  try {
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    const send = (message: object): void =>
      void child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    const open = async (id: number): Promise<string> => {
      send({ id, method: "tools/call", params: { name: "open_session", arguments: {} } });
      await until(() => stdout.includes(`"id":${id}`), 20_000);
      return stdout.split("\n").find((line) => line.includes(`"id":${id}`)) ?? "";
    };
    const clientInfo = { name: "t", version: "1" };
    send({ id: 1, method: "initialize", params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo } });
    await until(() => stdout.includes('"id":1'), 20_000);
    send({ method: "notifications/initialized" });
    let id = 2;
    await until(async () => (await open(id++)).includes("idle_timeout_s"), 20_000);

    for (const server of [...redis.sentinels, ...redis.servers]) await server.kill();
    await until(() => /"event":"printed".*None of the sentinels/.test(stderr), 20_000);
    expect(await open(id++)).toContain("store_unavailable");
    for (const server of [...redis.servers, ...redis.sentinels]) await server.start();
    await until(async () => (await open(id++)).includes("idle_timeout_s"), 40_000);

    expect(child.exitCode).toBeNull();
    for (const line of stdout.trim().split("\n")) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
    for (const line of stderr.trim().split("\n")) expect(JSON.parse(line)).toMatchObject({ name: "mcp-gateway" });
  } finally {
    child.stdin.end();
    await exited;
  }
}, 120_000);
