/** Both engines behind one face, for rules that hold on either: sources, what runs on the server, how to kill it. */

import type { Cell, Database } from "../../mcp-core/src/sql/database.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import type { executable } from "../support/processes.js";

/** How often each cell of a matrix is tried; 100 by hand. */
export const repetitions = (byDefault: number): number => Number(process.env.CHAOS_REPETITIONS ?? byDefault);

export interface Engine {
  readonly name: "postgres" | "mysql";
  readonly folder: Parameters<typeof executable>[0];
  createDatabase(): Promise<TestDatabase>;
  open(url: string, options?: { poolSize?: number; connectTimeoutMs?: number }): Database;
  /** A statement that runs for minutes if nobody stops it, recognised by its marker. */
  endless(marker: string): string;
  /** Ids of the sessions that run a statement with this marker now. */
  running(admin: TestDatabase, marker: string): Promise<readonly number[]>;
  /** Ids of all sessions on the database but the administrator's own. */
  sessions(admin: TestDatabase): Promise<readonly number[]>;
  /** Ends a session as an administrator would. */
  kill(admin: TestDatabase, id: number): Promise<void>;
}

const log = { debug: () => {}, warn: () => {} };
const ids = (rows: readonly Record<string, unknown>[]): readonly number[] => rows.map(({ id }) => Number(id));

export const engines: readonly Engine[] = [
  {
    name: "postgres",
    folder: "mcp-postgres",
    createDatabase: createPostgresDatabase,
    open: (url, { poolSize = 2, connectTimeoutMs = 3_000 } = {}) =>
      postgresKind.open(postgresKind.parseSource(url, {}), { poolSize, connectTimeoutMs, log }),
    endless: (marker) => `SELECT count(*) AS ${marker} FROM generate_series(1, 1000000000000)`,
    running: async (admin, marker) =>
      ids(
        await admin.run(`SELECT pid AS id FROM pg_stat_activity
          WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%${marker}%'`),
      ),
    sessions: async (admin) =>
      ids(
        await admin.run(`SELECT pid AS id FROM pg_stat_activity
          WHERE datname = '${admin.name}' AND pid <> pg_backend_pid() AND backend_type = 'client backend'`),
      ),
    kill: async (admin, id) => void (await admin.run(`SELECT pg_terminate_backend(${id})`)),
  },
  {
    name: "mysql",
    folder: "mcp-mysql",
    createDatabase: createMysqlDatabase,
    open: (url, { poolSize = 2, connectTimeoutMs = 3_000 } = {}) =>
      mysqlKind.open(mysqlKind.parseSource(url, {}), { poolSize, connectTimeoutMs, log }),
    endless: (marker) =>
      `SELECT count(*) AS ${marker} FROM information_schema.collations a, information_schema.collations b,
        information_schema.collations c, information_schema.collations d WHERE a.id + b.id + c.id + d.id < 0`,
    running: async (admin, marker) =>
      ids(
        await admin.run(`SELECT id FROM information_schema.processlist
          WHERE id <> CONNECTION_ID() AND command = 'Query' AND info LIKE '%${marker}%'`),
      ),
    sessions: async (admin) =>
      ids(
        await admin.run(`SELECT id FROM information_schema.processlist
          WHERE db = '${admin.name}' AND id <> CONNECTION_ID() AND command <> 'Killed'`),
      ),
    async kill(admin, id) {
      // It may be gone already.
      await admin.run(`KILL ${id}`).catch(() => []);
    },
  },
];

/** All rows of a small answer. */
export async function rowsOf(
  source: Database,
  sql: string,
  changes: { signal?: AbortSignal; timeoutMs?: number; maxRows?: number } = {},
): Promise<readonly (readonly Cell[])[]> {
  const rows: (readonly Cell[])[] = [];
  const { signal = new AbortController().signal, timeoutMs = 10_000, maxRows = 100 } = changes;
  const sink = { columns: () => {}, row: (cells: readonly Cell[]) => rows.push(cells) < maxRows };
  await source.read({ sql, params: [] }, sink, { signal, timeoutMs, maxRows, maxWireBytes: 8_000_000 });
  return rows;
}

/** The code of the error a call fails with, `answered` when it doesn't fail. */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "answered";
  } catch (thrown) {
    return typeof thrown === "object" && thrown !== null && "code" in thrown ? String(thrown.code) : String(thrown);
  }
}

/** Milliseconds until the condition held. @throws when it does not in time */
export async function until(condition: () => Promise<boolean> | boolean, deadlineMs: number): Promise<number> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > deadlineMs) throw new Error(`not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  return performance.now() - start;
}
