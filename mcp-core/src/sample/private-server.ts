/**
 * Runs a database server as a private child process on a loopback port of the system's choice: started, known to be
 * ready by what it says, stopped when disposed, and dead with us. Knows no product: the caller brings command and words.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { CodedError } from "../host/index.js";
import { withTimeout } from "../host/signals.js";
import type { PrivateFolder } from "./private-folder.js";
import type { ServerAccount } from "./server-account.js";

/** What to start, and how to know that it runs. */
export interface PrivateServerOptions {
  readonly command: string;
  /** The arguments, for the port that was found. */
  args(port: number): readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly account: ServerAccount | undefined;
  /** Its folder: also its working directory. */
  readonly folder: PrivateFolder;
  /** Matches its output once it takes connections. */
  readonly ready: RegExp;
  /** The signal that ends it at once; what it holds is thrown away. */
  readonly stopSignal: "QUIT" | "TERM" | "KILL";
  readonly signal: AbortSignal;
  /** A port that is already the server's own. Default: one that nobody listens on. */
  readonly port?: number | undefined;
  /** Milliseconds until a server that says nothing has failed. Default 30,000. */
  readonly startTimeoutMs?: number;
}

/** A running private server. */
export interface PrivateServer extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** Settles when the process has ended, for whatever reason. */
  readonly closed: Promise<void>;
  /** Stops it by this signal and waits for the end, ten seconds at most. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

/**
 * Starts the server; another port is tried when the one found was taken meanwhile.
 * @throws CodedError `demo_unavailable` with the last words of a server that did not start; `cancelled`
 */
export async function startPrivateServer(options: PrivateServerOptions): Promise<PrivateServer> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const started = await startOnPort(options, port);
    if ("stop" in started) return started;
    if (options.signal.aborted) throw new CodedError("cancelled", "Starting the server was cancelled.");
    if (attempt < 3 && /address already in use/i.test(started.output)) continue;
    throw new CodedError("demo_unavailable", `${options.command} did not start: ${lastLines(started.output)}`, {
      hint: "Run that command by hand to see all it says, or use a database that is already running.",
    });
  }
}

async function startOnPort(options: PrivateServerOptions, port: number): Promise<PrivateServer | { output: string }> {
  const { folder, account, stopSignal } = options;
  const child = spawn(options.command, [...options.args(port)], {
    cwd: folder.path,
    env: options.environment,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // A Ctrl-C on the terminal is for us; the server is stopped when we are done with it.
    ...account,
  });
  if (child.pid !== undefined) folder.watch(child.pid, stopSignal);
  const closed = new Promise<void>((resolve) => {
    child.once("exit", () => {
      folder.forget();
      resolve();
    });
    child.once("error", () => resolve());
  });
  const output = await firstWords(child, options, closed);
  const stop = (signal: NodeJS.Signals) => stopChild(child, signal);
  if (output !== undefined) {
    await stop("SIGKILL");
    return { output };
  }
  return { port, pid: child.pid ?? 0, closed, stop, [Symbol.asyncDispose]: () => stop(`SIG${stopSignal}`) };
}

/** Undefined once the server is ready; else what it said before it ended, timed out or was cancelled. */
async function firstWords(
  child: ChildProcess,
  { ready, signal, startTimeoutMs = 30_000 }: PrivateServerOptions,
  closed: Promise<void>,
): Promise<string | undefined> {
  let output = "";
  const isReady = new Promise<boolean>((resolve) => {
    child.once("error", (error) => {
      output += error.message;
      resolve(false);
    });
    const deadline = withTimeout(signal, startTimeoutMs);
    if (deadline.aborted) resolve(false);
    deadline.addEventListener("abort", () => resolve(false), { once: true });
    let said = false;
    const listen = (chunk: string) => {
      if (said) return; // Reading goes on, so that the pipe never fills, but nothing is kept.
      output += chunk;
      said = ready.test(output);
      if (said) resolve(true);
    };
    child.stdout?.setEncoding("utf8").on("data", listen);
    child.stderr?.setEncoding("utf8").on("data", listen);
  });
  return (await Promise.race([isReady, closed.then(() => false)])) ? undefined : output;
}

async function stopChild(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await exited;
  clearTimeout(timer);
}

/** A loopback port nobody listens on now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("A TCP listener has a port.");
  return address.port;
}

const lastLines = (output: string): string => output.trim().split("\n").slice(-4).join(" | ") || "it said nothing";
