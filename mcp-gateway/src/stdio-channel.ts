/**
 * A child process as a channel: one JSON-RPC message a line on its stdin and stdout. Lines that are no message are
 * counted and logged, and are the first suspect when the server never answers. It knows no method.
 */
import type { Log } from "@database-interface/mcp-core/host";
import { type ChildCommand, startChild } from "./child.js";
import { type Channel, type Fields, toMessage } from "./message.js";
import type { Reaper } from "./reaper.js";

/** A longer line than this is no message: the server is stopped rather than held in memory. */
const maxLineBytes = 64 * 1024 * 1024;

/** A child's channel. */
export interface StdioChannel extends Channel {
  readonly pid: number | undefined;
  /** What it printed on stdout that is no JSON-RPC message: how many lines, and the beginning of the first. */
  readonly rubbish: { readonly lines: number; readonly first: string | undefined };
}

/** Starts the command; disposing the channel stops its whole process tree. */
export function openStdioChannel(command: ChildCommand, { reaper, log }: { reaper: Reaper; log: Log }): StdioChannel {
  const child = startChild(command, { reaper, log });
  const rubbish: { lines: number; first: string | undefined } = { lines: 0, first: undefined };
  let reason: string | undefined;

  const channel: StdioChannel = {
    pid: child.pid,
    rubbish,
    onMessage: undefined,
    closed: child.exited.then(async (exit) => {
      await flushed(child.stdout);
      return reason ?? exit;
    }),
    send(message: Fields) {
      if (child.stdin.writable) child.stdin.write(`${JSON.stringify(message)}\n`);
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };

  const takeLine = (line: string): void => {
    if (line.trim() === "") return;
    const message = parseLine(line);
    if (message !== undefined) {
      channel.onMessage?.(message);
      return;
    }
    rubbish.first ??= line.slice(0, 200);
    if (rubbish.lines++ < 20) log.warn("server_stdout_not_jsonrpc", { line: line.slice(0, 500) });
  };

  let parts: Buffer[] = [];
  let size = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const last = chunk.subarray(start, end);
      const line = parts.length === 0 ? last : Buffer.concat([...parts, last]);
      parts = [];
      size = 0;
      start = end + 1;
      takeLine(line.toString("utf8"));
    }
    if (start === chunk.length) return;
    parts.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size <= maxLineBytes) return;
    parts = [];
    size = 0;
    reason = `it sent a line of more than ${maxLineBytes / 1024 / 1024} MB`;
    void child[Symbol.asyncDispose]();
  });
  child.stdout.on("error", () => {});
  return channel;
}

function parseLine(line: string) {
  try {
    return toMessage(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** What was written before the exit is still delivered; a grandchild that keeps the pipe open holds up nothing. */
async function flushed(stdout: NodeJS.ReadableStream & { readableEnded: boolean }): Promise<void> {
  if (stdout.readableEnded) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, 500);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    stdout.once("end", done);
    stdout.once("close", done);
  });
}
