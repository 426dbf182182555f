/** Asks a source everything a statement can be asked for, and gathers all it says. */
import type { Cell, Column, Database } from "@database-interface/mcp-core/sql";

/** What a test hides. */
export interface Hiding {
  readonly deny?: readonly string[];
  readonly mask?: readonly string[];
  readonly schemas?: readonly string[] | undefined;
}

/** Everything a source said of one statement. */
export interface Everything {
  readonly read: { readonly columns: readonly Column[]; readonly rows: readonly (readonly Cell[])[] } | undefined;
  readonly plan: string | undefined;
  /** The error of the read. */
  readonly error:
    | { readonly code: unknown; readonly message: unknown; readonly hint: unknown; readonly position: unknown }
    | undefined;
  /** All of it, the paged read, the plans and their errors too, as one text. */
  readonly text: string;
}

/** Reads the statement, opens it as a paged result, and explains it with and without running it. */
export async function everythingOf(source: Database, sql: string): Promise<Everything> {
  const options = {
    signal: new AbortController().signal,
    maxRows: 1_000,
    timeoutMs: 10_000,
    maxWireBytes: 16_000_000,
  };
  const statement = { sql, params: [] };
  let columns: readonly Column[] = [];
  const rows: (readonly Cell[])[] = [];
  const sink = {
    columns: (found: readonly Column[]) => {
      columns = found;
    },
    row: (cells: readonly Cell[]) => rows.push(cells) < options.maxRows,
  };
  const read = await outcomeOf(source.read(statement, sink, options));
  const paged = await outcomeOf(
    source.openCursor(statement, options).then(async (cursor) => {
      await using open = cursor;
      return await open.fetch(100, options);
    }),
  );
  const plan = await outcomeOf(source.explain(statement, { ...options, analyze: false }));
  const analyzed = await outcomeOf(source.explain(statement, { ...options, analyze: true }));
  const failure = read.error;
  return {
    read: failure === undefined ? { columns, rows } : undefined,
    plan: plan.value === undefined ? undefined : [plan.value.plan, ...plan.value.findings].join("\n"),
    error: failure,
    text: JSON.stringify({ error: failure, columns: columns.map(({ name }) => name), rows, paged, plan, analyzed }),
  };
}

async function outcomeOf<Value>(work: Promise<Value>) {
  try {
    return { value: await work, error: undefined };
  } catch (thrown) {
    const [code, message, hint, position] = ["code", "message", "hint", "position"].map((key): unknown =>
      typeof thrown === "object" && thrown !== null ? Reflect.get(thrown, key) : undefined,
    );
    return { value: undefined, error: { code, message, hint, position } };
  }
}
