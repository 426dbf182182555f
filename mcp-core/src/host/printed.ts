/**
 * What libraries print by `console` goes to the log: stdout belongs to the protocol, or to what a command answers with.
 * A client of Redis prints some failures of Sentinels so, and offers no other way.
 */
import { formatWithOptions } from "node:util";
import type { Log } from "./log.js";

const methods = ["debug", "dir", "error", "info", "log", "table", "trace", "warn"] as const;

/** Until disposed. Lines are cut and redacted as all others of the log. */
export function logPrinted(log: Log): Disposable {
  const before = methods.map((method) => [method, console[method]] as const);
  const print = (...words: readonly unknown[]): void =>
    log.warn("printed", { text: formatWithOptions({ colors: false, depth: 2 }, ...words) });
  for (const method of methods) console[method] = print;
  return {
    [Symbol.dispose]() {
      for (const [method, original] of before) console[method] = original;
    },
  };
}
