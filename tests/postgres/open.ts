/** Opens sources for these tests and collects what they deliver. */
import type { Cell, Column, Database, Parameter, ReadOptions } from "@database-interface/mcp-core/sql";
import { postgresKind } from "../../mcp-postgres/src/kind.js";

/** What a read delivered. */
export interface Collected {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A source on this URL, with nothing from the environment. */
export function openSource(url: string, poolSize = 4): Database {
  return postgresKind.open(postgresKind.parseSource(url, {}), {
    poolSize,
    connectTimeoutMs: 5_000,
    log: { debug: () => {}, warn: () => {} },
  });
}

/** Limits that bound a test, not what it tests. */
export const limits = (changes: Partial<ReadOptions> = {}): ReadOptions => ({
  signal: new AbortController().signal,
  maxRows: 1_000,
  timeoutMs: 20_000,
  maxWireBytes: 16_000_000,
  ...changes,
});

/** Reads all rows up to the limit. */
export async function collect(
  database: Database,
  sql: string,
  params: readonly Parameter[] = [],
  changes: Partial<ReadOptions> = {},
): Promise<Collected> {
  let columns: readonly Column[] = [];
  const rows: (readonly Cell[])[] = [];
  const options = limits(changes);
  await database.read(
    { sql, params },
    {
      columns: (found) => {
        columns = found;
      },
      row: (cells) => rows.push(cells) < options.maxRows,
    },
    options,
  );
  return { columns, rows };
}

/** The code of the error a call fails with, undefined when it doesn't. */
export async function codeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
    return undefined;
  } catch (thrown) {
    return typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : thrown;
  }
}
