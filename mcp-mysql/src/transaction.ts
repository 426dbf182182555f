/**
 * One call on one session: limits, a fresh read-only transaction, the caller's statement, ROLLBACK, reset and set-up are
 * sent at once, so that the caller waits for one round trip. Stopped on the server when the signal fires or time is up.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { type CallOptions, insist } from "@database-interface/mcp-core/sql";
import { cancelStatement } from "./cancel.js";
import { type Connected, limitSettings, ownLimits, type SessionLimits } from "./connect.js";
import { contextCommands } from "./context.js";
import { errnoOf, toStatementError } from "./errors.js";
import { cancelled, type Pool } from "./pool.js";
import type { Session } from "./session.js";

/** Bounds of one call. */
export interface CallLimits extends CallOptions, SessionLimits {
  readonly maxWireBytes: number;
}

/** Lets the work say that it has seen enough, so that what is left of it is stopped. */
export interface Work {
  readonly session: Session;
  readonly isStopped: boolean;
  stop(): void;
}

/** How long rows already on their way may take before the server is asked to stop. */
const drainMs = 20;
/** Grace for the server's own timeout before we act, and for its answer to a KILL. */
const graceMs = 1_000;
/** Time for the clean-up behind an answer. */
const cleanMs = 5_000;
/** Errors of a statement stopped by the server's own clock: MariaDB's, and MySQL's (manual B.3.1; not run). */
export const timeoutErrnos: readonly (number | undefined)[] = [1969, 3024];
/** The error of a statement stopped by KILL QUERY. */
const interrupted = 1317;

/**
 * Runs `run`, which must send everything before its first await, in a transaction of its own.
 * @throws what `run` throws, untranslated; CodedError `cancelled`, `timeout`, `busy`
 */
export async function inTransaction(pool: Pool, limits: CallLimits, run: (work: Work) => Promise<void>): Promise<void> {
  const connected = await pool.acquire(limits.signal);
  const begun = begin(connected, limits);
  const { done, stopped } = supervise(connected, limits, run);
  const ended = connected.session.send({ sql: "ROLLBACK" });
  const cleaned = clean(connected, [begun, ended], stopped);
  pool.release(connected, cleaned);
  await done.finally(() => cutIfStuck(connected.session, cleaned));
  // The session's own defaults kept it harmless when this failed, but then it had not the promised transaction.
  await begun;
}

/** On a dead network nothing would ever answer, and the pool would be one session short for good. */
function cutIfStuck(session: Session, cleaned: Promise<void>): void {
  const stuck = setTimeout(() => session.destroy(new Error("the clean-up goes unanswered")), cleanMs).unref();
  void cleaned.then(
    () => clearTimeout(stuck),
    () => clearTimeout(stuck),
  );
}

/** Gives a session back that has answered, once it is clean; whatever is left of a transaction is rolled back. */
export function finish(pool: Pool, connected: Connected, stopped: Promise<boolean>): void {
  const cleaned = clean(connected, [], stopped);
  pool.release(connected, cleaned);
  cutIfStuck(connected.session, cleaned);
}

/** Limits and transaction in one pipeline. A failure is for whoever awaits the call. */
export const begin = (connected: Connected, limits: CallLimits, mode = "READ ONLY"): Promise<void> =>
  open(connected, limits, `START TRANSACTION ${mode}`);

/** For a statement that commits by itself and fails in a session that is read-only. What undoes it is the reset. */
export const beginAlone = (connected: Connected, limits: CallLimits): Promise<void> =>
  open(connected, limits, `SET SESSION ${connected.readOnlyVariable} = 0`);

function open(connected: Connected, limits: CallLimits, sql: string): Promise<void> {
  const { session } = connected;
  session.limit(limits.maxWireBytes);
  const parts: Promise<void>[] = [];
  if (limits.timeoutMs !== connected.limits.timeoutMs || limits.maxRows !== connected.limits.maxRows) {
    parts.push(session.send({ sql: `SET ${limitSettings(session.isMariadb, limits).join(", ")}` }));
  }
  // Most calls of a source have the same limits: the next one finds them in place.
  connected.limits = { timeoutMs: limits.timeoutMs, maxRows: limits.maxRows };
  for (const command of [...contextCommands(limits.context), sql]) parts.push(session.send({ sql: command }));
  const begun = Promise.all(parts).then(() => {});
  begun.catch(() => {});
  return begun;
}

/** Leaves nothing of a call on the session. Sent behind the statement at once; again when a KILL may have hit it. */
export async function clean(
  connected: Connected,
  before: readonly Promise<unknown>[],
  stopped: Promise<boolean>,
): Promise<void> {
  const first = Promise.all([...before, ...restore(connected)]);
  first.catch(() => {});
  if (await stopped) {
    await first.catch(() => {});
    await Promise.all(restore(connected));
  } else {
    await first;
  }
}

function restore(connected: Connected): readonly Promise<void>[] {
  const { session } = connected;
  const commands = [session.reset(), ...connected.setUp(connected.limits).map((sql) => session.send({ sql }))];
  for (const command of commands) command.catch(() => {});
  return commands;
}

/** Runs the work and watches over it: the signal, the time, and its own wish to stop. */
export function supervise(
  connected: Connected,
  { signal, timeoutMs }: Pick<CallLimits, "signal" | "timeoutMs">,
  run: (work: Work) => Promise<void>,
): { readonly done: Promise<void>; readonly stopped: Promise<boolean> } {
  const { session } = connected;
  let isDone = false;
  let isStopped = false;
  let why: CodedError | undefined;
  let killing: Promise<void> | undefined;
  let drain: NodeJS.Timeout | undefined;
  let cut: NodeJS.Timeout | undefined;

  function kill(): void {
    if (isDone || killing !== undefined) return;
    const isRunning = () => !isDone && session.isOpen;
    killing = insist(() => cancelStatement(connected, isRunning), isRunning);
    cut = setTimeout(() => session.destroy(why ?? new Error("stopped")), graceMs + drainMs);
  }
  function end(error: CodedError): void {
    why ??= error;
    kill();
  }
  const abort = () => end(cancelled());
  const overdue = setTimeout(() => end(timedOut(timeoutMs)), timeoutMs + graceMs);
  signal.addEventListener("abort", abort, { once: true });
  const work: Work = {
    session,
    get isStopped() {
      return isStopped;
    },
    stop() {
      isStopped = true;
      drain ??= setTimeout(kill, drainMs);
    },
  };

  async function watch(): Promise<void> {
    try {
      const running = run(work);
      if (signal.aborted) abort();
      await running;
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (isStopped && (why !== undefined || errno === interrupted || !session.isOpen)) return;
      if (why !== undefined) throw why;
      if (timeoutErrnos.includes(errno)) throw timedOut(timeoutMs, errno);
      throw thrown;
    } finally {
      isDone = true;
      for (const timer of [drain, cut, overdue]) clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }
  const done = watch();
  const stopped = done.then(wasKilled, wasKilled);
  async function wasKilled(): Promise<boolean> {
    await killing;
    return killing !== undefined;
  }
  return { done, stopped };
}

/** Where there is no caller's text to point into. */
const ownStatement = { sql: "", callerSql: "", toCallerOffset: (offset: number) => offset };

/** Rows of our own statements, in one round trip. @throws CodedError */
export async function ask(
  pool: Pool,
  statements: readonly string[],
  { signal }: CallOptions,
  onSession?: (connected: Session) => void,
): Promise<readonly (readonly (readonly (string | null)[])[])[]> {
  const results = statements.map((): (readonly (string | null)[])[] => []);
  const limits = { ...ownLimits, signal, maxWireBytes: 64 * 1024 * 1024 };
  try {
    await inTransaction(pool, limits, async ({ session }) => {
      onSession?.(session);
      const sent = statements.map((sql, index) =>
        session.send({ sql, onRow: (row) => void results[index]?.push(row.map(toText)) }),
      );
      await Promise.all(sent);
    });
  } catch (thrown) {
    throw toStatementError(thrown, ownStatement);
  }
  return results;
}

/** Catalogue tables have binary columns here and there that hold text. */
const toText = (cell: string | Uint8Array | null): string | null =>
  cell === null || typeof cell === "string" ? cell : Buffer.from(cell).toString("utf8");

export function timedOut(timeoutMs: number, errno?: number): CodedError {
  return new CodedError("timeout", `The statement was stopped after ${timeoutMs} ms.`, {
    hint: "Narrow it with WHERE or LIMIT, look at its plan with explain, or allow more time with --timeout.",
    errno,
  });
}
