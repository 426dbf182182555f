/**
 * The log: one JSON object a line on stderr, secrets redacted, fields bounded. It never throws and never stops the
 * program; where the lines go from stderr is the reader's business.
 */
import type { Writable } from "node:stream";
import { redactField, redactText } from "./redact.js";

/** From the most to the least talkative. */
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

type Fields = Readonly<Record<string, unknown>>;

/** Where a program says what happened: an event's stable name and its fields. */
export interface Log {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
  /** The same log with these fields on every line. */
  with(fields: Fields): Log;
}

/** How a log is made. */
export interface LogOptions {
  /** The program's name, on every line. */
  readonly name: string;
  /** The least level written. Default `info`. */
  readonly level?: LogLevel;
  /** Default: the process's stderr. */
  readonly stream?: Writable;
  /** Default: the system's clock. */
  readonly now?: () => Date;
}

const maxTextLength = 2_000;
const maxDepth = 4;
const maxEntries = 50;

/** A log that writes JSON lines such as `{"time":"…","level":"info","name":"mcp-postgres","event":"listening","url":"…"}`. */
export function createLog(options: LogOptions): Log {
  const stream = options.stream ?? process.stderr;
  if (!stream.listeners("error").includes(ignoreError)) stream.on("error", ignoreError);
  const now = options.now ?? (() => new Date());
  const least = logLevels.indexOf(options.level ?? "info");

  const at = (context: Fields): Log => {
    const write = (level: LogLevel, event: string, fields: Fields = {}): void => {
      if (logLevels.indexOf(level) < least || stream.destroyed) return;
      try {
        const head = { time: now().toISOString(), level, name: options.name, event: redactText(event) };
        stream.write(`${JSON.stringify({ ...head, ...toFields({ ...context, ...fields }) })}\n`);
      } catch {
        // a log line is never worth the program
      }
    };
    return {
      debug: (event, fields) => write("debug", event, fields),
      info: (event, fields) => write("info", event, fields),
      warn: (event, fields) => write("warn", event, fields),
      error: (event, fields) => write("error", event, fields),
      with: (fields) => at({ ...context, ...fields }),
    };
  };
  return at({});
}

/** stderr may be closed before us (EPIPE). */
function ignoreError(): void {}

const reserved = new Set(["time", "level", "name", "event"]);

function toFields(fields: Fields): Record<string, unknown> {
  const written: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    written[reserved.has(key) ? `${key}_` : shorten(key)] = toLoggable(redactField(key, value), 0, new Set());
  }
  return written;
}

/** A JSON-safe copy, bounded in depth, entries and length. */
function toLoggable(value: unknown, depth: number, above: ReadonlySet<object>): unknown {
  if (typeof value === "string") return shorten(value);
  if (typeof value === "bigint" || typeof value === "symbol") return String(value);
  if (typeof value === "function") return "[function]";
  if (typeof value !== "object" || value === null) return value;
  if (above.has(value)) return "[circular]";
  if (depth >= maxDepth) return "[deep]";
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  const inside = new Set([...above, value]);
  const next = (key: string, entry: unknown) => toLoggable(redactField(key, entry), depth + 1, inside);
  if (value instanceof Error) return errorFields(value, next);
  if (Array.isArray(value)) return value.slice(0, maxEntries).map((entry) => next("", entry));
  const entries = Object.entries(value).slice(0, maxEntries);
  return Object.fromEntries(entries.map(([key, entry]) => [shorten(key), next(key, entry)]));
}

function errorFields(error: Error, next: (key: string, entry: unknown) => unknown): Record<string, unknown> {
  const code = "code" in error ? { code: next("", error.code) } : {};
  const cause = error.cause === undefined ? {} : { cause: next("cause", error.cause) };
  return { error: error.name, ...code, message: shorten(error.message), ...cause, stack: shorten(error.stack ?? "") };
}

/** Redacts before it cuts, so that no cut can hide the end of a secret's pattern; far longer text is cut first. */
function shorten(text: string): string {
  const kept = redactText(text.length > 4 * maxTextLength ? text.slice(0, 4 * maxTextLength) : text);
  return kept.length > maxTextLength ? `${kept.slice(0, maxTextLength)}… (${text.length} characters)` : kept;
}
