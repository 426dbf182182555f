/**
 * Ctrl-C and SIGTERM at every stage of a command: it ends soon, with 130, and leaves nothing: no process of its own, no
 * statement on the server, no file that is half written.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type ModelStub, startModelStub } from "../support/model-stub.js";
import { executable } from "../support/processes.js";
import {
  childrenOf,
  eventually,
  runsStatement,
  secludedEnvironment,
  slowStatement,
  temporaryFolder,
  withoutPassword,
} from "./support.js";

let database: TestDatabase;
let stub: ModelStub;
/** Takes every connection, and answers none. */
const silent = createServer((socket) => {
  connections += 1;
  socket.resume().on("error", () => {});
});
let connections = 0;
const folder = temporaryFolder();

beforeAll(async () => {
  [database, stub] = await Promise.all([createPostgresDatabase(), startModelStub()]);
  await database.run("CREATE TABLE nuts (id int)");
  stub.otherwise(() => ({ silent: true }));
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
});
afterAll(async () => {
  silent.close();
  await stub?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const mark = `interrupt_${process.pid}`;
const isRunning = (): Promise<boolean> => runsStatement(database, mark);

/** The command as it runs, for a stage to look at. */
interface Running {
  readonly pid: number;
  /** Whether it has written anything on stdout, which nobody reads on. */
  hasWritten(): boolean;
}

interface Stage {
  readonly args: () => readonly string[];
  /** On stdin, which stays open. */
  readonly input?: string;
  readonly isReached: (running: Running) => boolean | Promise<boolean>;
}

const url = () => withoutPassword(database.url).url;
const silentGateway = () => ["--gateway", `http://127.0.0.1:${(silent.address() as AddressInfo).port}`];
const hasGateway = ({ pid }: Running): boolean =>
  childrenOf(pid).some(({ command }) => command.includes("mcp-gateway"));
const isConnected = (): boolean => connections > connectedBefore;
const exported = join(folder.path, "out", "numbers.csv");

function file(name: string, content: object): string {
  const path = join(folder.path, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

const slowTask = () => file("slow.json", { statements: [{ name: "Slow", sql: slowStatement(mark) }] });
const exportTask = () =>
  file("export.json", {
    statements: [
      {
        name: "Numbers",
        sql: "SELECT n, repeat('x', 200) FROM generate_series(1, 3000000) n",
        output: { file: exported },
      },
    ],
  });
const evalCases = () =>
  file("cases.json", { name: "cases", cases: [{ name: "one", question: "How many?", sql: "SELECT 1" }] });
const isAsked = (): boolean => stub.requests.length > askedBefore;
let askedBefore = 0;
let connectedBefore = 0;

const stages: Readonly<Record<string, Stage>> = {
  "query, while its gateway starts": { args: () => ["query", "SELECT 1", url()], isReached: hasGateway },
  "query, while its statement runs": { args: () => ["query", slowStatement(mark), url()], isReached: isRunning },
  "query --all, to a reader that does not read": {
    args: () => ["query", "SELECT generate_series(1, 3000000) n", url(), "--all", "-o", "csv"],
    isReached: ({ hasWritten }) => hasWritten(),
  },
  "query, while a gateway does not answer": {
    args: () => ["query", "SELECT 1", ...silentGateway()],
    isReached: isConnected,
  },
  "check, while a gateway does not answer": { args: () => ["check", ...silentGateway()], isReached: isConnected },
  "run, while a gateway does not answer": {
    args: () => ["run", slowTask(), ...silentGateway()],
    isReached: isConnected,
  },
  "ask, while a gateway does not answer": { args: () => ["ask", "Hm?", ...silentGateway()], isReached: isConnected },
  "inspect, while a gateway does not answer": { args: () => ["inspect", ...silentGateway()], isReached: isConnected },
  "doctor, while a gateway does not answer": { args: () => ["doctor", ...silentGateway()], isReached: isConnected },
  "the prompt's script, while a gateway does not answer": {
    args: silentGateway,
    input: "SELECT 1;\n",
    isReached: isConnected,
  },
  "run, while its gateway starts": { args: () => ["run", slowTask(), url()], isReached: hasGateway },
  "run, while a statement runs": { args: () => ["run", slowTask(), url()], isReached: isRunning },
  "run, while rows go into a file": {
    args: () => ["run", exportTask(), url()],
    isReached: () => existsSync(`${exported}.partial`),
  },
  "ask, while the model thinks": { args: () => ["ask", "How many?", url()], isReached: isAsked },
  "eval, while the model thinks": { args: () => ["eval", evalCases(), url()], isReached: isAsked },
  "the prompt's script, while a statement runs": {
    args: () => [url()],
    input: `${slowStatement(mark)};\n`,
    isReached: isRunning,
  },
};

describe.each(["SIGINT", "SIGTERM"] as const)("%s", (signal) => {
  test.each(Object.entries(stages))("%s", async (_, { args, input = "", isReached }) => {
    using temporary = temporaryFolder();
    askedBefore = stub.requests.length;
    connectedBefore = connections;
    const child = spawn(process.execPath, [executable("agent"), ...args()], {
      stdio: ["pipe", "pipe", "pipe"],
      env: secludedEnvironment(temporary.path, { databaseUrl: database.url, modelUrl: stub.url }),
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      said += chunk;
    });
    let hasWritten = false;
    child.stdout.once("readable", () => {
      hasWritten = true; // nothing is read
    });
    child.stdin.write(input);
    const ended = once(child, "exit");
    const running = { pid: child.pid ?? 0, hasWritten: () => hasWritten };
    await eventually(() => isReached(running), "the stage").catch((error: unknown) => {
      throw new Error(`${String(error)} It says:\n${said}`);
    });
    const below = childrenOf(running.pid).map(({ pid }) => pid);
    child.kill(signal);
    expect({ ended: await ended, said }).toMatchObject({ ended: [130, null] });
    expect(said).not.toMatch(/internal| {4}at /);
    await eventually(() => below.every((pid) => !existsSync(`/proc/${pid}`)), "its gateway to end");
    await eventually(async () => !(await isRunning()), "its statement to stop");
    expect(readdirSync(temporary.path).filter((name) => name.startsWith("db-agent-"))).toEqual([]);
    expect(existsSync(exported) || existsSync(`${exported}.partial`)).toBe(false);
  });
});
