/**
 * How a call can end before its answer, on every transport and server: cancelled, left, timed out, or with its client,
 * server or gateway killed. The statement is gone from the database within a second, only ours, and the next call works.
 * CHAOS_REPETITIONS=100 for the figures.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { createConnection } from "mariadb";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestDatabase } from "../support/databases.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { type Engine, engines, repetitions, until } from "./engines.js";

/** What a statement may outlive its call by. */
const goneMs = 1_000;
const timeoutMs = 3_000;

const transports = {
  stdio: { transport: "stdio", mode: "legacy" },
  "HTTP modern": { transport: "http", mode: "auto" },
  "HTTP legacy": { transport: "http", mode: "legacy" },
  SSE: { transport: "sse", mode: "legacy" },
} as const;
type Transport = (typeof transports)[keyof typeof transports];

const bystander = `bystander_${process.pid}`;
let folder: string;
const databases = new Map<Engine, TestDatabase>();
const bystanders: AsyncDisposable[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chaos-"));
  for (const engine of engines) databases.set(engine, await engine.createDatabase());
  await writeFile(
    join(folder, "gateway.json"),
    JSON.stringify({
      databases: Object.fromEntries(
        engines.map((engine) => [
          engine.name,
          { url: databaseOf(engine).url, settings: { timeout: `${timeoutMs}ms` } },
        ]),
      ),
    }),
    { mode: 0o600 },
  );
  bystanders.push(await openBystanderOnPostgres(), await openBystanderOnMysql());
});

afterAll(async () => {
  for (const one of [...bystanders, ...databases.values()]) await one[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function databaseOf(engine: Engine): TestDatabase {
  const database = databases.get(engine);
  if (database === undefined) throw new Error("not open yet");
  return database;
}

/** Somebody else's statement, of the same user on the same database: no ending of ours may touch it. */
async function openBystanderOnPostgres(): Promise<AsyncDisposable> {
  const [engine] = engines;
  const sql = postgres(engine === undefined ? "" : databaseOf(engine).url, { max: 1 });
  sql.unsafe(`SELECT pg_sleep(300) AS ${bystander}`).catch(() => {});
  return { [Symbol.asyncDispose]: () => sql.end({ timeout: 0 }) };
}

async function openBystanderOnMysql(): Promise<AsyncDisposable> {
  const engine = engines.find(({ name }) => name === "mysql");
  if (engine === undefined) throw new Error("no such engine");
  const { hostname, port, username, password, pathname } = new URL(databaseOf(engine).url);
  const login = { host: hostname, port: Number(port || 3306), user: decodeURIComponent(username) };
  const connection = await createConnection({
    ...login,
    password: decodeURIComponent(password),
    database: pathname.slice(1),
  });
  connection.query(`SELECT SLEEP(300) AS ${bystander}`).catch(() => {});
  return {
    async [Symbol.asyncDispose]() {
      await databaseOf(engine).run(`KILL ${connection.threadId}`);
    },
  };
}

/** A server under test: one of ours alone, or behind the gateway. */
interface Target {
  readonly name: string;
  readonly engine: Engine;
  readonly viaGateway: boolean;
}

const targets: readonly Target[] = engines.flatMap((engine) => [
  { name: engine.folder, engine, viaGateway: false },
  { name: `${engine.folder} behind the gateway`, engine, viaGateway: true },
]);

function commandOf({ engine, viaGateway }: Target): { file: string; args: readonly string[] } {
  return viaGateway
    ? {
        file: executable("mcp-gateway"),
        args: ["--config", join(folder, "gateway.json"), "--cache-dir", join(folder, "cache")],
      }
    : { file: executable(engine.folder), args: [databaseOf(engine).url, "--timeout", `${timeoutMs}ms`] };
}

function stdioOf(target: Target) {
  const { file, args } = commandOf(target);
  return {
    command: process.execPath,
    args: [file, ...args, ...(target.viaGateway ? ["--stdio"] : [])],
    env: { PATH: process.env.PATH ?? "", HOME: folder },
  };
}

const startHttp = (target: Target): Promise<RunningServer> => {
  const { file, args } = commandOf(target);
  const listen = target.viaGateway ? ["--port", "0"] : ["--transport", "http", "--port", "0"];
  return startHttpServer(file, [...args, ...listen], { HOME: folder });
};

const urlOf = (server: RunningServer | undefined, { transport }: Transport): string =>
  `${server?.url}/${transport === "sse" ? "sse" : "mcp"}`;

/** A connected client; over stdio it starts its own server, whose process it knows. */
interface Connected extends AsyncDisposable {
  readonly serverPid: number | undefined;
  call(sql: string, signal?: AbortSignal): Promise<{ readonly text: string; readonly isError: boolean }>;
}

async function connect(target: Target, way: Transport, server: RunningServer | undefined): Promise<Connected> {
  const client = new Client({ name: "chaos", version: "1.0.0" }, { versionNegotiation: { mode: way.mode } });
  const url = way.transport === "stdio" ? undefined : new URL(urlOf(server, way));
  const stdio = url === undefined ? new StdioClientTransport({ ...stdioOf(target), stderr: "ignore" }) : undefined;
  const http = url === undefined || way.transport === "sse" ? undefined : new StreamableHTTPClientTransport(url);
  const wire = stdio ?? http ?? new SSEClientTransport(url ?? new URL(""));
  await client.connect(wire as Parameters<Client["connect"]>[0]); // the SDK's own transports lack exactOptionalPropertyTypes
  return {
    serverPid: stdio?.pid ?? undefined,
    async call(sql, signal) {
      const options = { timeout: 20_000, ...(signal === undefined ? {} : { signal }) };
      const result = await client.callTool(callOf(target, sql), options);
      const text = result.content.find((block) => block.type === "text")?.text ?? "";
      return { text, isError: result.isError === true };
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

const callOf = ({ engine, viaGateway }: Target, sql: string) => ({
  name: "query",
  arguments: { sql, ...(viaGateway ? { source: engine.name } : {}) },
});

/** The process of ours that talks to the database: the gateway's child, or the server itself. */
function databaseServerPid({ engine, viaGateway }: Target, pid: number): number {
  if (!viaGateway) return pid;
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" }).split("\n");
  const line = lines.find((one) => {
    const [, parent, ...args] = one.trim().split(/\s+/);
    return Number(parent) === pid && args.join(" ").includes(engine.folder);
  });
  return Number(line?.trim().split(/\s+/)[0]);
}

const endings = ["cancel", "leave", "timeout", "kill the client", "kill the server", "kill the gateway"] as const;
type Ending = (typeof endings)[number];

/** One cell's life: servers and clients that the ending does not destroy are used again. */
async function* attempts(target: Target, way: Transport, ending: Ending, count: number): AsyncGenerator<number> {
  const { engine } = target;
  const admin = databaseOf(engine);
  const isHttp = way.transport !== "stdio";
  const destroysServer = ending === "kill the server" || ending === "kill the gateway";
  let server: RunningServer | undefined;
  let client: Connected | undefined;

  for (let turn = 0; turn < count; turn++) {
    if (isHttp) server ??= await startHttp(target);
    const marker = `m${Math.random().toString(36).slice(2)}`;
    const sql = engine.endless(marker);
    const abort = new AbortController();
    let doomed: ChildProcess | undefined;
    let answer: Promise<{ text: string; isError: boolean } | undefined> = Promise.resolve(undefined);
    if (ending === "kill the client") {
      const cell = { ...way, url: urlOf(server, way), server: stdioOf(target), call: callOf(target, sql) };
      const file = fileURLToPath(new URL("./fixtures/calling-client.mjs", import.meta.url));
      doomed = spawn(process.execPath, [file, JSON.stringify(cell)], { stdio: "ignore" });
    } else {
      client ??= await connect(target, way, server);
      answer = client.call(sql, abort.signal).catch(() => undefined);
    }
    await until(async () => (await engine.running(admin, marker)).length === 1, 15_000);
    // Long enough that the process watching over statements is up: it starts with the first that takes its time.
    await new Promise((resolve) => setTimeout(resolve, ending.startsWith("kill") ? 1_000 : 150));

    const pid = server?.child.pid ?? client?.serverPid ?? 0;
    if (ending === "cancel") abort.abort();
    if (ending === "timeout") expect((await answer)?.text).toContain('"timeout"');
    if (ending === "leave") await client?.[Symbol.asyncDispose]();
    if (ending === "kill the client") doomed?.kill("SIGKILL");
    if (ending === "kill the server") process.kill(databaseServerPid(target, pid), "SIGKILL");
    if (ending === "kill the gateway") process.kill(pid, "SIGKILL");
    yield await until(async () => (await engine.running(admin, marker)).length === 0, 2 * timeoutMs);
    // Over SSE and in a legacy session a client does not learn that its server has died.
    abort.abort();
    await answer;

    const isGone = ending === "leave" || (destroysServer && !(ending === "kill the server" && target.viaGateway));
    if (isGone) {
      await client?.[Symbol.asyncDispose]();
      client = undefined;
    }
    if (isGone && ending !== "leave") {
      await server?.[Symbol.asyncDispose]();
      server = undefined;
    }
    if (client !== undefined || server !== undefined) {
      client ??= await connect(target, way, server);
      expect((await client.call("SELECT 41 + 1")).text).toContain("[[42]]");
    }
  }
  await client?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  // Nothing of ours stays connected once the last process has ended.
  await until(async () => (await engine.sessions(admin)).length <= 1, 5_000);
}

const cells = targets.flatMap((target) =>
  Object.entries(transports).flatMap(([transportName, way]) =>
    endings
      .filter((ending) => ending !== "kill the gateway" || target.viaGateway)
      .map((ending) => ({ target, transportName, way, ending })),
  ),
);

describe.each(targets)("$name", (target) => {
  test.each(cells.filter((cell) => cell.target === target))(
    "$ending over $transportName: the statement is gone, and nobody else's",
    async ({ transportName, way, ending }) => {
      const times: number[] = [];
      for await (const ms of attempts(target, way, ending, repetitions(1))) times.push(ms);
      const late = times.filter((ms) => ms > goneMs).length;
      if (process.env.CHAOS_REPETITIONS !== undefined) {
        const sorted = times.toSorted((a, b) => a - b);
        const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
        console.log(
          `FIGURE ${target.name} | ${transportName} | ${ending} | ${times.length} | late ${late} | median ${median.toFixed(0)} ms | worst ${sorted.at(-1)?.toFixed(0)} ms`,
        );
      }
      expect(late, times.join()).toBe(0);
      expect(await target.engine.running(databaseOf(target.engine), bystander)).toHaveLength(1);
    },
    30_000 + 15_000 * repetitions(1),
  );
});
