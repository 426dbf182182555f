/**
 * Writes: each in a read-write transaction of its own on a session that is read-only by itself, so that nothing can be
 * written outside of it. COMMIT follows only a statement that has succeeded, which makes a connection lost before it a
 * write that surely did not happen. What the engine commits by itself runs alone, on a session reset behind it.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import {
  type DryRun,
  outcomeUnknown,
  type ReadOptions,
  type RowSink,
  type Writing,
} from "@database-interface/mcp-core/sql";
import type { Connected } from "./connect.js";
import { errnoOf, toStatementError } from "./errors.js";
import { cancelled } from "./pool.js";
import type { Query, Session } from "./session.js";
import type { Source } from "./source.js";
import { begin, beginAlone, type CallLimits, finish, supervise } from "./transaction.js";
import { toColumn } from "./values.js";
import { type ApprovedWrite, approveWrite } from "./write-plan.js";
import { sampleAfter, sampleBefore } from "./write-samples.js";

const commitGraceMs = 2_000;
/** A deadlock or a lock's timeout: the server says no and has rolled back. */
const refusedCommits: readonly (number | undefined)[] = [1205, 1213];
/** Warning of a rollback that left something behind. */
const notRolledBack = "1196";

/** @see Writing */
export function createWriting(source: Source): Writing {
  return {
    async plan(statement, options) {
      const { kind, targetTexts, warnings, noRollback } = await approveWrite(source, statement, options);
      return { kind, targets: targetTexts, warnings, noDryRun: noRollback };
    },
    async dryRun(statement, options) {
      const write = await approveWrite(source, statement, options);
      if (write.noRollback !== undefined) {
        throw new CodedError("dry_run_unavailable", write.noRollback, { hint: "Nothing was run." });
      }
      return await inWrite(source, write, options, "ROLLBACK", (session) => tryOut(session, write));
    },
    async run(statement, sink, options) {
      const write = await approveWrite(source, statement, options);
      return await runOnce(source, write, sink, options);
    },
  };
}

async function runOnce(
  source: Source,
  write: ApprovedWrite,
  sink: RowSink,
  options: ReadOptions,
): Promise<{ readonly rowsAffected: number }> {
  return await inWrite(source, write, options, "COMMIT", async (session) => {
    let isTaking = true;
    const rowsAffected = await countRows(session, write, {
      onFields: (fields) => sink.columns(fields.map(toColumn)),
      // Rows beyond go by: stopping here would undo the write.
      onRow: (row) => {
        if (isTaking) isTaking = sink.row(row);
      },
    });
    return { rowsAffected };
  });
}

/** Runs the statement; what it changed, or how many rows it returned of that. */
async function countRows(
  session: Session,
  { sql }: ApprovedWrite,
  { onFields, onRow }: Pick<Query, "onFields" | "onRow"> = {},
): Promise<number> {
  let count = 0;
  await session.send({
    sql,
    onFields,
    onRow(row) {
      count++;
      onRow?.(row);
    },
    onDone({ rowsAffected }) {
      count = rowsAffected;
    },
  });
  return count;
}

async function tryOut(session: Session, write: ApprovedWrite): Promise<DryRun> {
  await session.send({ sql: "SAVEPOINT before_write" });
  const before = await sampleBefore(session, write);
  const rowsAffected = await countRows(session, write);
  return { rowsAffected, ...(await sampleAfter(session, write, before)) };
}

/** Runs the work on a session that may write, and ends it. @throws CodedError `outcome_unknown` */
async function inWrite<Result>(
  { pool }: Source,
  write: ApprovedWrite,
  options: ReadOptions,
  end: "COMMIT" | "ROLLBACK",
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const connected = await pool.acquire(options.signal);
  const limits: CallLimits = { ...options, maxRows: undefined };
  const results: Result[] = [];
  const { done, stopped } = supervise(connected, limits, async ({ session }) => {
    await (write.commitsAtOnce ? beginAlone(connected, limits) : begin(connected, limits, "READ WRITE"));
    results.push(await work(session));
    if (end === "ROLLBACK") await rollBack(session);
  });
  try {
    await done;
    if (!write.commitsAtOnce && end === "COMMIT") {
      // A KILL still on its way must not meet COMMIT.
      if ((await stopped) || options.signal.aborted) throw cancelled();
      await commit(connected, limits.timeoutMs);
    }
  } catch (thrown) {
    throw toWriteError(thrown, write, end, connected.session);
  } finally {
    finish(pool, connected, stopped);
  }
  const [result] = results;
  if (result === undefined) throw outcomeUnknown(undefined);
  return result;
}

/** The server says when something was not rolled back, such as what a trigger nobody could see has done. */
async function rollBack(session: Session): Promise<void> {
  let hasWarnings = false;
  await session.send({
    sql: "ROLLBACK",
    onDone: (done) => {
      hasWarnings = done.hasWarnings;
    },
  });
  if (!hasWarnings) return;
  const warnings = await session.rows("SHOW WARNINGS");
  if (!warnings.some(([, code]) => String(code) === notRolledBack)) return;
  throw new CodedError("outcome_unknown", "The dry run was rolled back, but not all of it.", {
    hint: "A trigger that this user cannot see wrote to a table whose engine takes nothing back. Look with query.",
  });
}

async function commit({ session }: Connected, timeoutMs: number): Promise<void> {
  const cut = setTimeout(() => session.destroy(new Error("commit")), timeoutMs + commitGraceMs);
  try {
    await session.send({ sql: "COMMIT" });
  } catch (thrown) {
    throw refusedCommits.includes(errnoOf(thrown)) ? thrown : outcomeUnknown(thrown);
  } finally {
    clearTimeout(cut);
  }
}

/** Errors that come before anything is changed, unless the statement does one thing after the other. */
const early = /^(syntax_error|read_only|not_allowed|permission_denied|ambiguous_column|.*_not_found|busy)$/;

/** What an error means for the data: nothing happened, or nobody can tell. */
function toWriteError(thrown: unknown, write: ApprovedWrite, end: "COMMIT" | "ROLLBACK", session: Session): CodedError {
  const error = toStatementError(thrown, write);
  if (end === "ROLLBACK" || write.noRollback === undefined) return error;
  if (early.test(error.code) && !(write.isPartial && error.code.endsWith("_not_found"))) return error;
  // A statement that the server has answered is as a whole undone, unless its engine or its kind knows no way back.
  const isAnswered = session.isOpen && error.code !== "connection_lost";
  if (write.commitsAtOnce && isAnswered && !write.isPartial) return error;
  return new CodedError("outcome_unknown", `${error.message} What it had done by then stays done.`, {
    hint: `${write.noRollback} Look with query before writing again.`,
    cause: thrown,
  });
}
