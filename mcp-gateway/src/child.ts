/**
 * One server process and everything it starts: a process group of its own, its stderr always drained into our log, the
 * whole tree gone when it is stopped or dies. It knows nothing of MCP.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { Log } from "@database-interface/mcp-core/host";
import type { Reaper } from "./reaper.js";

/** What is to be run. */
export interface ChildCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment, but for the reaper's mark. */
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
}

/** A running process; disposing it stops the whole tree. */
export interface Child extends AsyncDisposable {
  readonly pid: number | undefined;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** A sentence about how it ended, once it has. */
  readonly exited: Promise<string>;
}

/** How a child is stopped: stdin ends, then SIGTERM, then SIGKILL, each to the whole group. */
const stdinGraceMs = 1_500;
const terminateGraceMs = 1_500;

/** Starts a process; a command that cannot be started shows in `exited`. */
export function startChild(command: ChildCommand, { reaper, log }: { reaper: Reaper; log: Log }): Child {
  const enrolled = reaper.enroll();
  const child = spawn(command.command, [...command.args], {
    cwd: command.cwd,
    env: { ...command.environment, ...enrolled.environment },
    stdio: ["pipe", "pipe", "pipe"],
    detached: process.platform !== "win32", // a session and group of its own
    windowsHide: true,
  });
  const { pid } = child;
  if (pid !== undefined) enrolled.started(pid);
  drainInto(child.stderr, log);
  child.stdin.on("error", () => {}); // EPIPE: its exit says more
  const exited = watchExit(child, command.command).then((reason) => {
    if (pid !== undefined) signalTree(pid, "SIGKILL"); // what a dying server leaves behind
    enrolled.ended(); // and what has left its group
    return reason;
  });
  let stopping: Promise<void> | undefined;
  return {
    pid,
    stdin: child.stdin,
    stdout: child.stdout,
    exited,
    [Symbol.asyncDispose]() {
      stopping ??= stop(child, exited);
      return stopping;
    },
  };
}

type Spawned = ChildProcessByStdio<Writable, Readable, Readable>;

function watchExit(child: Spawned, command: string): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) resolve(startFailure(command, error));
    });
    child.once("exit", (code, signal) =>
      resolve(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`),
    );
  });
}

function startFailure(command: string, { code }: NodeJS.ErrnoException): string {
  switch (code) {
    case "ENOENT":
      return `the command ${command} (or its working directory) does not exist`;
    case "EACCES":
      return `the command ${command} is not executable`;
    default:
      return `the command ${command} could not be started (${code ?? "unknown"})`;
  }
}

async function stop(child: Spawned, exited: Promise<string>): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  child.stdin.end();
  if (await within(exited, stdinGraceMs)) return;
  signalTree(pid, "SIGTERM");
  if (await within(exited, terminateGraceMs)) return;
  signalTree(pid, "SIGKILL");
  await within(exited, terminateGraceMs);
  child.stdout.destroy();
  child.stderr.destroy();
}

async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  using deadline = disposableTimer(ms);
  return await Promise.race([promise.then(() => true), deadline.passed.then(() => false)]);
}

function disposableTimer(ms: number): Disposable & { passed: Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return { passed, [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Signals the whole group; on Windows the whole tree by taskkill (not run here). */
function signalTree(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  if (process.platform === "win32") {
    spawn("taskkill", ["/pid", String(pid), "/T", ...(signal === "SIGKILL" ? ["/F"] : [])], { stdio: "ignore" }).on(
      "error",
      () => {},
    );
    return;
  }
  try {
    process.kill(-pid, signal);
  } catch {
    // nobody of the group is left
  }
}

const maxLineLength = 2_000;
const maxLinesPerSecond = 50;

/** Everything a server writes to stderr is read, so that it never blocks; our log gets the first lines of each second. */
function drainInto(stderr: Readable, log: Log): void {
  let rest = "";
  let lines = 0;
  let second: NodeJS.Timeout | undefined;
  const take = (line: string): void => {
    if (second === undefined) second = setTimeout(endSecond, 1_000).unref();
    if (lines++ < maxLinesPerSecond && line.trim() !== "")
      log.info("server_stderr", { line: line.slice(0, maxLineLength) });
  };
  const endSecond = (): void => {
    if (lines > maxLinesPerSecond) log.warn("server_stderr_dropped", { lines: lines - maxLinesPerSecond });
    lines = 0;
    second = undefined;
  };
  stderr.setEncoding("utf8");
  stderr.on("data", (chunk: string) => {
    const parts = (rest + chunk).split("\n");
    rest = (parts.pop() ?? "").slice(0, maxLineLength);
    for (const line of parts) take(line);
  });
  stderr.on("error", () => {});
  once(stderr, "end").then(
    () => rest !== "" && take(rest),
    () => {},
  );
}
