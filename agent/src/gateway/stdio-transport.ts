/**
 * MCP over the pipes of a child process that we start. Unlike the SDK's own, the child leads its own process group, so
 * that Ctrl-C on a terminal reaches only us, its stderr is always drained, and closing ends the whole group.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { ReadBuffer, serializeMessage } from "@modelcontextprotocol/sdk/shared/stdio.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";

/** What to start. */
export interface StdioCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** The child's whole environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const graceMs = 3_000;
const keptLogLines = 50;

/** A transport over a child process; `log` returns the last lines the child wrote to stderr. */
export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;

  readonly #command: StdioCommand;
  readonly #incoming = new ReadBuffer({ maxBufferSize: 64 * 1024 * 1024 });
  #log: string[] = [];
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(command: StdioCommand) {
    this.#command = command;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The last lines of the child's stderr. */
  log(): readonly string[] {
    return this.#log;
  }

  async start(): Promise<void> {
    const { command, args, environment } = this.#command;
    const child = spawn(command, [...args], {
      env: environment as NodeJS.ProcessEnv, // a record of strings, which is all it is
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
      windowsHide: true,
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.once("close", () => {
        resolve();
        this.onclose?.();
      });
    });
    child.stdout.on("data", (chunk: Buffer) => this.#receive(chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      this.#log = [...this.#log, ...chunk.split("\n").filter((line) => line !== "")].slice(-keptLogLines);
    });
    child.stdin.on("error", (error) => this.onerror?.(error));
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#child?.stdin;
    if (!stdin?.writable) throw new Error("The process is gone.");
    await new Promise<void>((resolve, reject) => {
      stdin.write(serializeMessage(message), (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Ends the child by the end of its input, then by SIGTERM, then by SIGKILL; takes at most {@link graceMs} twice. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.stdin?.end();
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      if (await this.#endsWithin(graceMs)) return;
      endGroup(child, signal);
    }
    await this.#ended;
  }

  #receive(chunk: Buffer): void {
    try {
      this.#incoming.append(chunk);
      for (let message = this.#incoming.readMessage(); message !== null; message = this.#incoming.readMessage()) {
        this.onmessage?.(message);
      }
    } catch (error) {
      this.onerror?.(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #endsWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, ms, false);
    });
    const ended = await Promise.race([this.#ended.then(() => true), late]);
    clearTimeout(timer);
    return ended;
  }
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(process.platform === "win32" ? child.pid : -child.pid, signal);
  } catch {
    // It ended between the question and the signal.
  }
}
