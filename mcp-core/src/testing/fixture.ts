/** The tables the suite works on, in SQL that every database of the suite understands, and the tools its cases share. */
import type { Cell, Column, Database, Parameter, ReadOptions, SourceConfig } from "../sql/database.js";
import type { ConformanceTarget } from "./target.js";

export const rowCount = 1_000;

/** Rows far beyond any limit, and work for minutes, from a thousand rows. */
export const endlessRows = "conformance_rows a, conformance_rows b, conformance_rows c";

/** Letters of several scripts, one of them outside the basic plane. */
export const foreignText = "Grüße, 数据库, عربي, 😀";

const rows = Array.from({ length: rowCount }, (_, index) => `(${index + 1}, 'row ${index + 1}')`).join(",");

/** Fills the empty database. */
export const fixtureScript = `
  CREATE TABLE conformance_rows (id int PRIMARY KEY, label varchar(20) NOT NULL);
  INSERT INTO conformance_rows VALUES ${rows};
  CREATE TABLE conformance_texts (id int PRIMARY KEY, body varchar(200) NOT NULL);
  INSERT INTO conformance_texts VALUES (1, '${foreignText}');
  CREATE TABLE conformance_parents (id int PRIMARY KEY, full_name varchar(40) NOT NULL);
  INSERT INTO conformance_parents VALUES (1, 'Ada'), (2, 'O''Brien');
  CREATE TABLE conformance_children (
    id int PRIMARY KEY,
    parent_id int NOT NULL,
    note varchar(100) DEFAULT 'none',
    CONSTRAINT conformance_child_parent FOREIGN KEY (parent_id) REFERENCES conformance_parents (id)
  );
  CREATE INDEX conformance_children_note ON conformance_children (note);
  CREATE VIEW conformance_view AS SELECT id, full_name FROM conformance_parents;`;

/** What a read delivered, in the order it came. */
export interface Delivered {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Opens the database under test; each case has its own pool. */
export function openTarget<Config extends SourceConfig>(
  { kind, url }: ConformanceTarget<Config>,
  { poolSize = 2, connectTimeoutMs = 10_000 } = {},
): Database {
  const log = { debug() {}, warn() {} };
  return kind.open(kind.parseSource(url, {}), { poolSize, connectTimeoutMs, log });
}

/** Limits that bound a case without being what it tests. */
export function readOptions(changes: Partial<ReadOptions> = {}): ReadOptions {
  return {
    signal: AbortSignal.timeout(60_000),
    maxRows: 10_000,
    timeoutMs: 50_000,
    maxWireBytes: 32 * 1024 * 1024,
    ...changes,
  };
}

/** Reads everything up to `maxRows`. */
export async function readAll(
  database: Database,
  sql: string,
  params: readonly Parameter[] = [],
  changes: Partial<ReadOptions> = {},
): Promise<Delivered> {
  let columns: readonly Column[] = [];
  const delivered: (readonly Cell[])[] = [];
  const options = readOptions(changes);
  await database.read(
    { sql, params },
    {
      columns(found) {
        columns = found;
      },
      row(cells) {
        delivered.push([...cells]);
        return delivered.length < options.maxRows;
      },
    },
    options,
  );
  return { columns, rows: delivered };
}

/** How long a statement runs before it is cancelled: a server may compile it first, and hears nothing meanwhile. */
const settleMs = 1_000;

/** Waits until a statement has been running for a while. */
export async function untilSettled(target: Pick<ConformanceTarget, "running">, marker: string): Promise<void> {
  await until(async () => (await target.running(marker)) > 0, 10_000, "the statement runs");
  await new Promise((resolve) => setTimeout(resolve, settleMs));
}

/** Waits until a condition holds. @throws Error when it does not within the deadline */
export async function until(condition: () => Promise<boolean>, deadlineMs: number, what: string): Promise<void> {
  const began = performance.now();
  while (!(await condition())) {
    if (performance.now() - began > deadlineMs) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The code a call fails with, or what it resolved to. */
export async function failureOf(call: Promise<unknown>): Promise<{ code: string; error: unknown }> {
  try {
    const value = await call;
    return { code: `resolved: ${JSON.stringify(value)?.slice(0, 200)}`, error: undefined };
  } catch (error) {
    const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : String(error);
    return { code, error };
  }
}
