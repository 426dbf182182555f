/**
 * Writes: each in a read-write transaction of its own on a session that is read-only by itself, so that nothing can be
 * written outside of it. Nothing is sent ahead: COMMIT follows only a statement that has succeeded, which makes a
 * connection lost before it a write that surely did not happen.
 */
import {
  type DryRun,
  outcomeUnknown,
  type ReadOptions,
  type RowSample,
  type RowSink,
  type Statement,
  type Writing,
} from "@database-interface/mcp-core/sql";
import { sqlstateOf, toStatementError } from "./errors.js";
import { quoted } from "./guard-write.js";
import { learnNames } from "./read.js";
import type { Session, TextRow } from "./session.js";
import type { Source } from "./source.js";
import { acquire, begin, type CallLimits, cancelled, clean, supervise } from "./transaction.js";
import { cellReaders, toCells, toColumns } from "./values.js";
import type { Field } from "./wire.js";
import { type ApprovedWrite, approveWrite } from "./write-plan.js";

const sampleRows = 5;
const commitGraceMs = 2_000;

/** @see Writing */
export function createWriting(source: Source): Writing {
  return {
    async plan(statement, options) {
      const { kind, targetTexts, warnings } = await approveWrite(source, statement, options);
      return { kind, targets: targetTexts, warnings };
    },
    async dryRun(statement, options) {
      const approved = await approveWrite(source, statement, options);
      return await orStatementError(approved, () => tryOut(source, approved, statement, options));
    },
    async run(statement, sink, options) {
      const approved = await approveWrite(source, statement, options);
      return await orStatementError(approved, () => runOnce(source, approved, statement, sink, options));
    },
  };
}

async function orStatementError<Result>({ sql }: ApprovedWrite, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (thrown) {
    throw toStatementError(thrown, { sql, offset: 0 });
  }
}

/** A result in memory: its first rows and how many there were. */
interface Answer {
  readonly fields: readonly Field[];
  readonly rows: readonly TextRow[];
  readonly count: number;
}

async function runOnce(
  source: Source,
  { sql }: ApprovedWrite,
  { params }: Statement,
  sink: RowSink,
  options: ReadOptions,
): Promise<{ readonly rowsAffected: number }> {
  let answer: Answer = { fields: [], rows: [], count: 0 };
  await inWriteTransaction(source, options, "COMMIT", async (session) => {
    answer = await send(session, sql, params, options.maxRows + 1);
    await learnNames(source, session, answer.fields);
  });
  if (answer.fields.length > 0) {
    const { columns, rows } = toSample(source, answer);
    sink.columns(columns);
    rows.every((row) => sink.row(row));
  }
  return { rowsAffected: answer.count };
}

async function tryOut(
  source: Source,
  approved: ApprovedWrite,
  { params }: Statement,
  options: ReadOptions,
): Promise<DryRun> {
  const { sampled, sql } = approved;
  let tried: DryRun = { rowsAffected: 0 };
  await inWriteTransaction(source, options, "ROLLBACK", async (session) => {
    const savepoint = () => session.send({ sql: "SAVEPOINT before_write", simple: true });
    const back = () => session.send({ sql: "ROLLBACK TO SAVEPOINT before_write", simple: true });
    await savepoint();
    if (sampled !== undefined) {
      const withRows = `WITH written AS (${sql}\nRETURNING ${sampled.row}.*) SELECT pg_catalog.count(*) OVER (), written.* FROM written LIMIT ${sampleRows}`;
      const answer = await send(session, withRows, params, sampleRows).catch((thrown: unknown) => {
        // Whoever may write may not be allowed to read: then the statement is tried as it is.
        if (sqlstateOf(thrown) === undefined || sqlstateOf(thrown) === "57014") throw thrown;
        return undefined;
      });
      await back();
      if (answer !== undefined) {
        tried = await toDryRun(source, approved, session, answer);
        return;
      }
    }
    tried = { rowsAffected: (await send(session, sql, params, 0)).count };
  });
  return tried;
}

/** The sample as what was or what would be, after the savepoint is restored. */
async function toDryRun(source: Source, approved: ApprovedWrite, session: Session, answer: Answer): Promise<DryRun> {
  const rowsAffected = Number(answer.rows[0]?.[0] ?? 0);
  const written = { ...answer, fields: answer.fields.slice(1), rows: answer.rows.map((row) => row.slice(1)) };
  await learnNames(source, session, written.fields);
  const sample = toSample(source, written);
  switch (approved.sampled?.verb) {
    case "insert":
      return { rowsAffected, after: sample };
    case "delete":
      return { rowsAffected, before: sample };
    default: {
      const before = await rowsBefore(source, approved, session, written);
      return { rowsAffected, ...(before === undefined ? {} : { before }), after: sample };
    }
  }
}

/** The same rows by their primary key; undefined without one, or where it is what changed. */
async function rowsBefore(
  source: Source,
  { table }: ApprovedWrite,
  session: Session,
  { fields, rows }: Answer,
): Promise<RowSample | undefined> {
  if (table === undefined || table.key.length === 0 || rows.length === 0) return undefined;
  const places = table.key.map((column) => fields.findIndex(({ name }) => name === column));
  if (places.includes(-1)) return undefined;
  const values = rows.map((row) => places.map((place) => row[place] ?? null));
  const marks = values.map((value, at) => `(${value.map((_, of) => `$${at * value.length + of + 1}`).join(", ")})`);
  const key = `(${table.key.map(quoted).join(", ")})`;
  const sql = `SELECT * FROM ${quoted(table.schema)}.${quoted(table.name)} WHERE ${key} IN (${marks.join(", ")})`;
  const before = await send(session, sql, values.flat(), sampleRows);
  if (before.rows.length !== rows.length) return undefined;
  const order = values.map((value) => before.rows.find((row) => places.every((place, at) => row[place] === value[at])));
  return toSample(source, { ...before, rows: order.filter((row) => row !== undefined) });
}

async function send(session: Session, sql: string, params: readonly unknown[], maxRows: number): Promise<Answer> {
  let fields: readonly Field[] = [];
  let count = 0;
  const rows: TextRow[] = [];
  await session.send({
    sql,
    params,
    onFields: (found) => {
      fields = found;
    },
    // Rows beyond go by: stopping here would undo the write.
    onRow: (row) => {
      if (rows.length < maxRows) rows.push(row);
    },
    onCount: (found) => {
      count = found;
    },
  });
  return { fields, rows, count };
}

function toSample({ typeNames }: Source, { fields, rows }: Answer): RowSample {
  const columns = toColumns(fields, typeNames);
  const readers = cellReaders(columns);
  return { columns, rows: rows.map((row) => toCells(row, readers)) };
}

/** @throws CodedError `outcome_unknown` when COMMIT was sent and its answer never came */
async function inWriteTransaction(
  { pool, tls }: Source,
  limits: CallLimits,
  end: "COMMIT" | "ROLLBACK",
  run: (session: Session) => Promise<void>,
): Promise<void> {
  const connected = await acquire(pool, limits.signal);
  const { session } = connected;
  session.limit(limits.maxWireBytes);
  const supervised = supervise(connected, tls, limits, async () => {
    await begin(connected, limits, { isWriting: true });
    await run(session);
  });
  try {
    await supervised.done;
    if (end === "COMMIT") {
      if (limits.signal.aborted) throw cancelled();
      await commit(session, limits.timeoutMs);
    }
  } finally {
    pool.release(connected, clean(connected, supervised.cancelled));
  }
}

async function commit(session: Session, timeoutMs: number): Promise<void> {
  const cut = setTimeout(() => session.destroy(new Error("commit")), timeoutMs + commitGraceMs);
  try {
    await session.send({ sql: "COMMIT", simple: true });
  } catch (thrown) {
    const sqlstate = sqlstateOf(thrown);
    // A server that refuses to commit, for a deferred constraint, says so and has rolled back.
    if (sqlstate !== undefined && !/^(57P|08|XX)/.test(sqlstate)) throw thrown;
    throw outcomeUnknown(thrown);
  } finally {
    clearTimeout(cut);
  }
}
