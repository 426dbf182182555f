/** The agent's own ways of being driven: as a process, as a terminal, and the places it must leave no secret in. */
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { openDebianPrograms } from "../../bin/debian-programs.mjs";
import type { TestDatabase } from "../support/databases.js";
import { executable } from "../support/processes.js";

const execute = promisify(execFile);

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `db-agent` to its end, away from the environment's own databases and history. */
export async function runAgent(
  args: readonly string[],
  { environment = {}, input = "", nodeArgs = [] as readonly string[], whileRunning = async (_pid: number) => {} } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [...nodeArgs, executable("agent"), ...args], {
    env: { ...cleanEnvironment(), ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  child.stdin.on("error", () => {}); // a command that does not read its input
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  if (child.pid !== undefined) await whileRunning(child.pid);
  return { code: await ended, stdout, stderr };
}

function cleanEnvironment(): Record<string, string | undefined> {
  const { DATABASE_URL: _, MCP_GATEWAY_URL: __, FORCE_COLOR: ___, ...rest } = process.env;
  return { ...rest, NO_COLOR: "1" };
}

/** A URL for a command line, without its password, and the environment that holds it: nothing is warned of. */
export function withoutPassword(url: string): { readonly url: string; readonly environment: Record<string, string> } {
  const bare = new URL(url);
  const password = decodeURIComponent(bare.password);
  bare.password = "";
  const variable = bare.protocol.startsWith("postgres") ? "PGPASSWORD" : "MYSQL_PWD";
  return { url: bare.href, environment: password === "" ? {} : { [variable]: password } };
}

/** The environment of a command that shall touch nothing but a folder, a database and a model's stub. */
export const secludedEnvironment = (
  folder: string,
  { databaseUrl, modelUrl }: { readonly databaseUrl: string; readonly modelUrl: string },
): NodeJS.ProcessEnv => ({
  ...process.env,
  ...withoutPassword(databaseUrl).environment,
  MCP_GATEWAY_URL: "",
  DATABASE_URL: "",
  DB_AGENT_MODEL: "stub",
  DB_AGENT_MODEL_URL: modelUrl,
  DB_AGENT_KNOWLEDGE: join(folder, "knowledge"),
  XDG_STATE_HOME: folder,
  TMPDIR: folder,
});

/** A folder that is gone on dispose. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "agent-test-"));
  return {
    path,
    [Symbol.dispose]() {
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Asks again until the answer is yes, at most ten seconds. */
export async function eventually(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 25_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}.`);
    await sleep(50);
  }
}

/** A statement that keeps PostgreSQL busy without memory or disk: minutes by default, and found by its mark. */
export const slowStatement = (mark: string, side = 200_000): string =>
  `SELECT count(*) AS ${mark} FROM generate_series(1, ${side}) a, generate_series(1, ${side}) b`;

/** Whether somebody runs the statement of this mark on a PostgreSQL database. */
export const runsStatement = async (database: Pick<TestDatabase, "run">, mark: string): Promise<boolean> =>
  (
    await database.run(
      `SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%${mark}%' AND pid <> pg_backend_pid()`,
    )
  ).length > 0;

/** tmux as it is installed, else out of its Debian package, which is fetched privately; else an error that says what to do. */
async function openTmux(): Promise<{ readonly file: string; readonly environment: NodeJS.ProcessEnv }> {
  const installed = (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "tmux"))
    .find((file) => existsSync(file));
  if (installed !== undefined && process.env.DBI_INSTALLED_SERVERS !== "absent") {
    return { file: installed, environment: process.env };
  }
  try {
    const { root, environment } = await openDebianPrograms(["tmux"], AbortSignal.timeout(120_000));
    return { file: join(root, "usr/bin/tmux"), environment: { ...process.env, ...environment } };
  } catch (cause) {
    throw new Error("tmux is needed for the terminal's tests: install it (apt-get install tmux).", { cause });
  }
}

/** A real terminal with `db-agent` in it. */
export interface Terminal extends AsyncDisposable {
  type(text: string): Promise<void>;
  /** Types a line and Enter. */
  enter(line: string): Promise<void>;
  /** Presses a key by its name: `Tab`, `C-c`, `Up`. */
  press(key: string): Promise<void>;
  screen(): Promise<string>;
  /** Waits until the screen shows a text. */
  shows(text: string | RegExp): Promise<string>;
}

/** Opens a terminal of this size and starts the agent in it; its exit code is shown as `exit=<code>`. */
export async function openTerminal(
  args: readonly string[],
  { environment = {} as Record<string, string>, columns = 100, rows = 50 } = {},
): Promise<Terminal> {
  const socket = `agent-test-${randomBytes(6).toString("hex")}`;
  const program = await openTmux();
  const tmux = async (...given: string[]): Promise<string> =>
    (await execute(program.file, ["-L", socket, "-f", "/dev/null", ...given], { env: program.environment })).stdout;
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const command = [process.execPath, executable("agent"), ...args].map(quote).join(" ");
  const variables = Object.entries({ PAGER: "cat", ...environment, LC_ALL: "C.UTF-8" }).flatMap(([name, value]) => [
    "-e",
    `${name}=${value}`,
  ]);
  await tmux(
    "new-session",
    "-d",
    "-x",
    String(columns),
    "-y",
    String(rows),
    ...variables,
    `${command}; echo exit=$?; sleep 600`,
  );
  const screen = (): Promise<string> => tmux("capture-pane", "-p", "-J", "-S", "-2000");
  const type = async (text: string): Promise<void> => {
    await tmux("send-keys", "-l", "--", text.replace(/;$/, "\\;")); // a last ; would end tmux's own command
  };
  return {
    screen,
    type,
    async enter(line) {
      await type(line);
      await tmux("send-keys", "Enter");
    },
    async press(key) {
      await tmux("send-keys", key);
    },
    async shows(text) {
      let last = "";
      try {
        await eventually(async () => {
          last = await screen();
          return typeof text === "string" ? last.includes(text) : text.test(last);
        }, String(text));
      } catch (error) {
        throw new Error(`${String(error)} The screen shows:\n${last}`);
      }
      return last;
    },
    async [Symbol.asyncDispose]() {
      await tmux("kill-server").catch(() => {}); // it may have ended by itself
    },
  };
}

/** A process as anybody on the machine may see it. */
interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** The direct children of a process. */
export const childrenOf = (pid: number): ProcessEntry[] => processes().filter(({ parent }) => parent === pid);

/** The command lines of a process and all its descendants. */
export function commandLinesBelow(root: number): string[] {
  const all = processes();
  const parents = new Map(all.map(({ pid, parent }) => [pid, parent]));
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === root || isBelow(parents.get(pid)));
  return all.filter(({ pid }) => isBelow(pid)).map(({ command }) => command);
}

function processes(): ProcessEntry[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    const parent = /^\d+ \(.*\) [^Z] (\d+)/s.exec(Number.isInteger(pid) ? read(`/proc/${pid}/stat`) : "")?.[1];
    const command = read(`/proc/${name}/cmdline`).replaceAll("\0", " ");
    return parent === undefined ? [] : [{ pid, parent: Number(parent), command }];
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // the process is gone
  }
}
