/** Sources for these tests, and what they deliver. */
import type {
  Cell,
  Column,
  Database,
  DatabaseOptions,
  Parameter,
  ReadOptions,
} from "../../mcp-core/src/sql/database.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";

export function openSource(url: string, changes: Partial<DatabaseOptions> = {}): Database {
  const log = { debug: () => {}, warn: () => {} };
  return mysqlKind.open(mysqlKind.parseSource(url, {}), { poolSize: 4, connectTimeoutMs: 5_000, log, ...changes });
}

/** Bounds that end a hanging test. */
export function bounds(changes: Partial<ReadOptions> = {}): ReadOptions {
  const { signal } = new AbortController();
  return { signal, maxRows: 1_000, timeoutMs: 20_000, maxWireBytes: 16_000_000, ...changes };
}

export interface Answer {
  readonly columns: readonly Column[];
  readonly rows: (readonly Cell[])[];
}

/** All rows of a statement up to the row limit. */
export async function answerOf(
  source: Database,
  sql: string,
  params: readonly Parameter[] = [],
  changes: Partial<ReadOptions> = {},
): Promise<Answer> {
  const options = bounds(changes);
  const answer: { columns: readonly Column[]; rows: (readonly Cell[])[] } = { columns: [], rows: [] };
  const sink = {
    columns(found: readonly Column[]) {
      answer.columns = found;
    },
    row: (cells: readonly Cell[]) => answer.rows.push(cells) < options.maxRows,
  };
  await source.read({ sql, params }, sink, options);
  return answer;
}

/** What a call fails with; fails itself when the call does not. */
export async function failureOf(call: Promise<unknown>): Promise<Record<string, unknown>> {
  const thrown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (typeof thrown !== "object" || thrown === null) throw new Error("the call did not fail");
  return Object.fromEntries(
    ["code", "message", "hint", "errno", "position", "missing", "retryable"].map((key) => [
      key,
      Reflect.get(thrown, key),
    ]),
  );
}

/** Resolves once the condition holds; the test's own time limit bounds it. */
export async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
