/**
 * A password is told to the database's server and to nobody else: not by a command line, not by a child's environment,
 * not by what is written to stdout, stderr and the audit trail, whichever way it came, whether it fits or not.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable } from "../support/processes.js";

vi.setConfig({ testTimeout: 120_000 }); // several processes a test, on a machine that may be busy

const canary = "c4nary-Passw0rd!@/";
const spellings = [canary, encodeURIComponent(canary), Buffer.from(canary).toString("base64"), "c4nary"];

const engines = [
  {
    folder: "mcp-postgres",
    variable: "PGPASSWORD",
    create: createPostgresDatabase,
    account: (user: string) => [`CREATE ROLE ${user} LOGIN PASSWORD '${canary}'`],
    drop: (user: string) => `DROP ROLE ${user}`,
  },
  {
    folder: "mcp-mysql",
    variable: "MYSQL_PWD",
    create: createMysqlDatabase,
    account: (user: string, database: string) => [
      `CREATE USER ${user}@'%' IDENTIFIED BY '${canary}'`,
      `GRANT SELECT ON ${database}.* TO ${user}@'%'`,
    ],
    drop: (user: string) => `DROP USER ${user}@'%'`,
  },
] as const;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "secrets-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(engines)("$folder", ({ folder: program, variable, create, account, drop }) => {
  const user = `canary_${process.pid}`;
  let database: TestDatabase;
  beforeAll(async () => {
    database = await create();
    for (const sql of account(user, database.name)) await database.run(sql);
  });
  afterAll(async () => {
    await database?.run(drop(user));
    await database?.[Symbol.asyncDispose]();
  });

  /** The database's URL as the user, with the password or without, elsewhere if need be. */
  function urlOf({ password = "", login = user, port }: { password?: string; login?: string; port?: number }): string {
    const url = Object.assign(new URL(database.url), { username: login, password });
    return port === undefined ? url.href : Object.assign(url, { port: String(port) }).href;
  }

  type Way = (where: { login?: string; port?: number }) => Promise<{
    readonly args: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
  }>;
  const inFile = async (sources: unknown) => {
    const file = join(folder, "config.json");
    await writeFile(file, JSON.stringify({ sources: { shop: sources } }), { mode: 0o600 });
    return { args: ["--config", file] };
  };
  const command = async (): Promise<string> => {
    const file = join(folder, "password");
    await writeFile(file, `${canary}\n`, { mode: 0o600 });
    return `cat '${file}'`;
  };
  const ways: Readonly<Record<string, Way>> = {
    "a URL in the environment": async (where) => ({
      args: [],
      environment: { DATABASE_URL: urlOf({ ...where, password: canary }) },
    }),
    "the client's own variable": async (where) => ({ args: [urlOf(where)], environment: { [variable]: canary } }),
    "a URL in the config file": (where) => inFile(urlOf({ ...where, password: canary })),
    "the config file": (where) => inFile({ url: urlOf(where), password: canary }),
    "a command in the config file": async (where) => inFile({ url: urlOf(where), passwordCommand: await command() }),
    "--password-command": async (where) => ({ args: [urlOf(where), "--password-command", await command()] }),
  };

  describe.each(Object.entries(ways))("%s", (_, way) => {
    test.each([
      { name: "fits", where: {}, expected: "round_trip_ms" },
      { name: "does not fit", where: { login: "nobody_here" }, expected: "authentication_failed" },
      { name: "goes nowhere", where: { port: 1 }, expected: "connection_failed" },
    ])("it $name", async ({ where, expected }) => {
      await using server = await start(program, await way(where));
      const replies = [
        await server.call("check_connection", {}),
        await server.call("query", { sql: "SELECT 1 AS one" }),
      ];
      expect(replies.join("\n")).toContain(expected);
      server.look();
      await server.end("SIGTERM");
      server.expectNoCanary();
    });
  });

  test.each(["SIGABRT", "SIGUSR2"] as const)("a crash by %s, with all that Node.js says of it", async (signal) => {
    const thrower = join(folder, "thrower.cjs");
    await writeFile(thrower, 'process.on("SIGUSR2", () => { throw new Error("provoked"); });');
    const { args, environment } = (await ways["a URL in the environment"]?.({})) ?? { args: [] };
    const options = `--trace-uncaught --stack-trace-limit=100 --require ${thrower}`;
    await using server = await start(program, { args, environment: { ...environment, NODE_OPTIONS: options } });
    expect(await server.call("query", { sql: "SELECT 1 AS one" })).toContain("one");
    server.look();
    const said = await server.end(signal);
    if (signal === "SIGUSR2") expect(said).toContain("provoked");
    server.expectNoCanary();
  });

  /** A built server over stdio, of which every byte is kept. */
  async function start(name: string, { args, environment = {} }: Awaited<ReturnType<Way>>) {
    const trail = await mkdtemp(join(folder, "audit-"));
    await chmod(trail, 0o700);
    const all = [...args, "--log-level", "debug", "--audit", trail];
    const { PATH = "", HOME = "" } = process.env;
    const child = spawn(process.execPath, [executable(name as "mcp-mysql"), ...all], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { PATH, HOME, ...environment },
    });
    const heard: Record<string, string> = {
      stdout: "",
      stderr: "",
      "command lines": "",
      "children's environments": "",
    };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      heard.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      heard.stderr += text;
    });
    const ended = once(child, "close");
    let id = 0;
    const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    async function request(method: string, params: object): Promise<string> {
      const own = ++id;
      send({ id: own, method, params });
      const answer = () => heard.stdout?.split("\n").find((line) => line.includes(`"id":${own}`) && line.endsWith("}"));
      await vi.waitUntil(() => answer() !== undefined || child.exitCode !== null, { timeout: 60_000, interval: 20 });
      return answer() ?? `exited: ${heard.stderr}`;
    }
    const clientInfo = { name: "test", version: "1.0.0" };
    await request("initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo });
    send({ method: "notifications/initialized" });
    return {
      call: (tool: string, input: object) => request("tools/call", { name: tool, arguments: input }),
      /** At its command line, and at its children's with what they were given. */
      look() {
        for (const pid of below(child.pid ?? 0)) {
          heard["command lines"] += fileOf(pid, "cmdline");
          if (pid !== child.pid) heard["children's environments"] += fileOf(pid, "environ");
        }
        expect(heard["command lines"]).toContain(name);
      },
      async end(signal: NodeJS.Signals): Promise<string> {
        await stop(child, signal, ended);
        heard.audit = (await Promise.all(readdirSync(trail).map((file) => readFile(join(trail, file), "utf8")))).join(
          "",
        );
        expect(heard.audit).toContain("select");
        return heard.stderr ?? "";
      },
      expectNoCanary() {
        for (const [where, text] of Object.entries(heard)) {
          for (const spelling of spellings) expect(text.includes(spelling), `${where}: ${text}`).toBe(false);
        }
      },
      [Symbol.asyncDispose]: () => stop(child, "SIGKILL", ended),
    };
  }
});

async function stop(child: ChildProcess, signal: NodeJS.Signals, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  await ended;
}

/** A process and everything it started. */
function below(pid: number): readonly number[] {
  const children = readdirSync("/proc").flatMap((name) => {
    const parent = /^\d+$/.test(name) ? /^\d+ \(.*\) \S (\d+)/s.exec(fileOf(Number(name), "stat"))?.[1] : undefined;
    return Number(parent) === pid ? [Number(name)] : [];
  });
  return [pid, ...children.flatMap(below)];
}

function fileOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8").replaceAll("\0", " ");
  } catch {
    return ""; // It has ended.
  }
}
