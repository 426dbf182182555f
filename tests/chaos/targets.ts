/** What is called and killed in chaos: the built servers alone and behind the gateway, over every transport. */
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import type { TestDatabase } from "../support/databases.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { type Engine, engines } from "./engines.js";

export const transports = {
  stdio: { transport: "stdio", mode: "legacy" },
  "HTTP modern": { transport: "http", mode: "auto" },
  "HTTP legacy": { transport: "http", mode: "legacy" },
  SSE: { transport: "sse", mode: "legacy" },
} as const;
export type Transport = (typeof transports)[keyof typeof transports];

/** A server under test: one of ours alone, or behind the gateway. */
export interface Target {
  readonly name: string;
  readonly engine: Engine;
  readonly viaGateway: boolean;
}

export const targets: readonly Target[] = engines.flatMap((engine) => [
  { name: engine.folder, engine, viaGateway: false },
  { name: `${engine.folder} behind the gateway`, engine, viaGateway: true },
]);

/** A connected client; over stdio it starts its own server, whose process it knows. */
export interface Connected extends AsyncDisposable {
  readonly serverPid: number | undefined;
  call(sql: string, signal?: AbortSignal): Promise<{ readonly text: string; readonly isError: boolean }>;
}

/** How targets are started: with which databases, in a folder of the test's own, with a time limit for statements. */
export interface Launcher {
  start(target: Target): Promise<RunningServer>;
  connect(target: Target, way: Transport, server: RunningServer | undefined): Promise<Connected>;
  /** The cell as `fixtures/calling-client.mjs` takes it. */
  describe(target: Target, way: Transport, server: RunningServer | undefined, sql: string): string;
}

export async function createLauncher(
  folder: string,
  databaseOf: (engine: Engine) => TestDatabase,
  timeoutMs: number,
): Promise<Launcher> {
  const config = join(folder, `gateway-${timeoutMs}.json`);
  const timeout = `${timeoutMs}ms`;
  const databases = engines.map((engine) => [engine.name, { url: databaseOf(engine).url, settings: { timeout } }]);
  await writeFile(config, JSON.stringify({ databases: Object.fromEntries(databases) }), { mode: 0o600 });

  const commandOf = ({ engine, viaGateway }: Target): readonly string[] =>
    viaGateway
      ? [executable("mcp-gateway"), "--config", config, "--cache-dir", join(folder, "cache")]
      : [executable(engine.folder), databaseOf(engine).url, "--timeout", timeout];
  const stdioOf = (target: Target) => ({
    command: process.execPath,
    args: [...commandOf(target), ...(target.viaGateway ? ["--stdio"] : [])],
    env: { PATH: process.env.PATH ?? "", HOME: folder },
  });

  return {
    start(target) {
      const [file = "", ...args] = commandOf(target);
      const listen = target.viaGateway ? ["--port", "0"] : ["--transport", "http", "--port", "0"];
      return startHttpServer(file, [...args, ...listen], { HOME: folder });
    },
    async connect(target, way, server) {
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
    },
    describe: (target, way, server, sql) =>
      JSON.stringify({ ...way, url: urlOf(server, way), server: stdioOf(target), call: callOf(target, sql) }),
  };
}

const urlOf = (server: RunningServer | undefined, { transport }: Transport): string =>
  `${server?.url}/${transport === "sse" ? "sse" : "mcp"}`;

const callOf = ({ engine, viaGateway }: Target, sql: string) => ({
  name: "query",
  arguments: { sql, ...(viaGateway ? { source: engine.name } : {}) },
});

/** The process of ours that talks to the database: the gateway's child, or the server itself. */
export function databaseServerPid({ engine, viaGateway }: Target, pid: number): number {
  if (!viaGateway) return pid;
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" }).split("\n");
  const line = lines.find((one) => {
    const [, parent, ...args] = one.trim().split(/\s+/);
    return Number(parent) === pid && args.join(" ").includes(engine.folder);
  });
  return Number(line?.trim().split(/\s+/)[0]);
}
