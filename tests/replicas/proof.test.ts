/**
 * Two replicas as real processes behind a plain proxy, one of them killed in the middle of the traffic and started again:
 * no session is lost, and of the calls only those fail that the dead one was working on, each told so and none repeated.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { expect, test } from "vitest";
import { freePort } from "../../mcp-core/src/sample/private-server.js";
import { temporaryFolder, textOf, until } from "../gateway/gateways.js";
import { createPostgresDatabase } from "../support/databases.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { startRedisServer } from "../support/redis-servers.js";
import { openRoundRobin } from "../support/round-robin.js";
import { freshKeys } from "./replicas.js";

const sessionCount = 50;
const callsEach = 20;

/** A session, and a client of either era that uses it. */
interface Walker {
  readonly client: Client;
  readonly session: string;
  readonly mcpSession: string | undefined;
}

async function json(url: string, body: object): Promise<Record<string, unknown>> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return JSON.parse(text);
}

let askedAgain = 0;

/** A slow machine may keep Redis's answer from us for too long; then nothing was run, and the client asks again. */
async function patiently<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!String(error).includes("store_unavailable") || attempt === 20) throw error;
      askedAgain++;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

test("1,000 calls on 50 sessions of both eras while one of two replicas is killed and started again", async () => {
  await using database = await createPostgresDatabase();
  await database.run("CREATE TABLE done (n int NOT NULL)");
  await using redis = await startRedisServer();
  await using folder = await temporaryFolder();
  const { hostname, port, username, password } = new URL(database.url);
  const config = join(folder.path, "gateway.json");
  const template = {
    server: "postgres",
    hosts: [`${hostname}:${port || 5432}`],
    private: true,
    database: database.name,
    user: decodeURIComponent(username),
    settings: { mode: "write" },
  };
  await writeFile(config, JSON.stringify({ templates: { pg: template } }));
  const environment = { MCP_STORE: `redis://${redis.address}`, MCP_KEYS: freshKeys() };
  const ports = [await freePort(), await freePort()] as const;
  const start = (name: string, own: number) =>
    startHttpServer(
      executable("mcp-gateway"),
      ["--config", config, "--port", String(own), "--cache-dir", join(folder.path, name), "--max-sessions", "60"],
      environment,
    );
  const replicas = new Map<number, RunningServer>();
  await using _ended = {
    async [Symbol.asyncDispose]() {
      await Promise.all([...replicas.values()].map((one) => one[Symbol.asyncDispose]()));
    },
  };
  for (const [index, own] of ports.entries()) replicas.set(own, await start(`cache-${index}`, own));
  await using proxy = await openRoundRobin(ports);

  const open = async (index: number): Promise<Walker> => {
    const { session } = await patiently(() => json(`${proxy.url}/v1/sessions`, {}));
    const connection = { template: "pg", name: "db", password: decodeURIComponent(password) };
    await patiently(() => json(`${proxy.url}/v1/sessions/${session}/connections`, connection));
    const mode = index % 2 === 0 ? "legacy" : "auto";
    const client = new Client({ name: `walker-${index}`, version: "1" }, { versionNegotiation: { mode } });
    const transport = new StreamableHTTPClientTransport(new URL(`${proxy.url}/mcp`));
    await patiently(() => client.connect(transport));
    return { client, session: String(session), mcpSession: transport.sessionId };
  };
  const walkers: Walker[] = [];
  while (walkers.length < sessionCount)
    walkers.push(...(await Promise.all([0, 1, 2, 3, 4].map((next) => open(walkers.length + next)))));
  const before = proxy.broken.length;

  /** Every fourth call writes its number. */
  const call = async ({ client, session }: Walker, n: number): Promise<string> => {
    const isWrite = n % 4 === 0;
    const sql = isWrite ? `INSERT INTO done VALUES (${n})` : `SELECT ${n} AS n`;
    const named = { name: isWrite ? "execute" : "query", arguments: { session, sql } };
    const result = await client.callTool(named, { timeout: 30_000 });
    if (result.isError === true) throw new Error(textOf(result));
    return textOf(result);
  };
  const succeeded: number[] = [];
  const failed = new Map<number, string>();
  const walk = async (walker: Walker, index: number): Promise<void> => {
    for (let step = 0; step < callsEach; step++) {
      const n = index * callsEach + step;
      await patiently(() => call(walker, n)).then(
        (text) => {
          expect(text).toContain(n % 4 === 0 ? "1" : String(n));
          succeeded.push(n);
        },
        (error: unknown) => failed.set(n, String(error)),
      );
    }
  };
  const [first] = ports;
  const fault = async (): Promise<void> => {
    await until(() => succeeded.length >= 300, 60_000);
    replicas.get(first)?.child.kill("SIGKILL");
    await until(() => succeeded.length >= 450, 60_000); // served by the other one alone
    replicas.set(first, await start("cache-0", first));
  };
  const restarted = fault();
  await Promise.all(walkers.map(walk));
  await restarted;

  expect(succeeded.length + failed.size).toBe(sessionCount * callsEach);
  // nothing fails but what had been sent to the dead one, and the client is told of each
  const broken = proxy.broken.slice(before).flatMap((body) => /(?:VALUES \(|SELECT )(\d+)/.exec(body)?.[1] ?? []);
  expect([...failed.keys()].sort((a, b) => a - b)).toEqual(broken.map(Number).sort((a, b) => a - b));
  for (const told of failed.values()) expect(told).toMatch(/502|bad gateway|terminated|timed out/i);
  expect(failed.size).toBeLessThanOrEqual(sessionCount);
  // no write ran twice, and every one that was confirmed ran
  const rows = (await database.run("SELECT n FROM done ORDER BY n")).map(({ n }) => Number(n));
  expect(new Set(rows).size).toBe(rows.length);
  expect(rows).toEqual(expect.arrayContaining(succeeded.filter((n) => n % 4 === 0)));

  // every session goes on, at both
  for (let round = 0; round < 2; round++)
    await Promise.all(
      walkers.map(async (walker, index) =>
        expect(await patiently(() => call(walker, 10_001 + 4 * index))).toContain("1"),
      ),
    );
  for (const { client, mcpSession } of walkers) {
    const { transport } = client;
    if (transport instanceof StreamableHTTPClientTransport) expect(transport.sessionId).toBe(mcpSession);
  }
  expect([...proxy.passed.values()].every((count) => count > 100)).toBe(true);
  const figures = { succeeded: succeeded.length, failed: failed.size, broken: broken.length, askedAgain };
  process.stdout.write(`replicas: ${JSON.stringify(figures)}\n`);
  await Promise.all(walkers.map(({ client }) => client.close()));
}, 480_000);
