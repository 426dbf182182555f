/** PostgreSQL's own parser, loaded on the first statement so that starting up never waits for it. */
import type { ParseResult } from "libpg-query";

/** Parses a text into statements. @throws what {@link toParseFailure} reads */
export type Parse = (sql: string) => ParseResult;

let loading: Promise<Parse> | undefined;

/** The parser; one copy for the process, since its WebAssembly memory is two megabytes. */
export function loadParser(): Promise<Parse> {
  loading ??= import("libpg-query").then(async ({ loadModule, parseSync }) => {
    await loadModule();
    return parseSync;
  });
  return loading;
}

/** What the parser says of a text it refuses: its message and the offset in UTF-16 units, when it has one. */
export function toParseFailure(thrown: unknown, sql: string): { readonly message: string; readonly offset?: number } {
  const message = thrown instanceof Error ? thrown.message : "syntax error";
  const details = thrown instanceof Error && "sqlDetails" in thrown ? thrown.sqlDetails : undefined;
  if (typeof details !== "object" || details === null || !("cursorPosition" in details)) return { message };
  const points = Number(details.cursorPosition);
  if (!(points >= 0)) return { message };
  // It counts code points from 0.
  return { message, offset: [...sql].slice(0, points).join("").length };
}
