/** PostgreSQL's own parser, loaded on the first statement so that starting up never waits for it. */
import type { ParseResult } from "libpg-query";

/** Parses a text into statements. @throws what {@link toParseFailure} reads */
export type Parse = (sql: string) => ParseResult;

/** Why a text was refused. */
export interface ParseFailure {
  readonly message: string;
  readonly offset?: number;
  /** It is no mistake: the parser has no room for a statement like this. */
  readonly isTooComplex: boolean;
}

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
export function toParseFailure(thrown: unknown, sql: string): ParseFailure {
  const message = thrown instanceof Error ? thrown.message : "syntax error";
  // Its own stack, the one of WebAssembly, or that of the tree's way back into JavaScript.
  const isTooComplex = thrown instanceof RangeError || /^(memory exhausted|stack depth limit)/.test(message);
  const details = thrown instanceof Error && "sqlDetails" in thrown ? thrown.sqlDetails : undefined;
  if (typeof details !== "object" || details === null || !("cursorPosition" in details))
    return { message, isTooComplex };
  const points = Number(details.cursorPosition);
  if (!(points >= 0)) return { message, isTooComplex };
  // It counts code points from 0.
  return { message, isTooComplex, offset: [...sql].slice(0, points).join("").length };
}
