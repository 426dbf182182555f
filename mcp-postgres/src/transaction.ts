/**
 * One call on one session: a fresh read-only transaction with its own limits around whatever the caller's statement is,
 * all sent at once, stopped on the server when the signal fires or the time is up, and cleaned up behind the reply.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { type CallOptions, insist } from "@database-interface/mcp-core/sql";
import { cancelStatement } from "./cancel.js";
import type { TlsConfig } from "./config.js";
import { type Connected, sessionDefaults, watched } from "./connect.js";
import { contextCommands } from "./context.js";
import type { Pool } from "./pool.js";
import { normalise, temporaryLast } from "./pooler.js";
import type { Session } from "./session.js";

/** Limits of one call. */
export interface CallLimits extends CallOptions {
  readonly timeoutMs: number;
  readonly maxWireBytes: number;
}

/** How the transaction is opened and closed. */
export interface TransactionStyle {
  /** True to write; the session itself stays read-only. */
  readonly isWriting?: boolean;
  /** True to see one state of the data in every statement. */
  readonly isSnapshot?: boolean;
  /** How long the transaction may stand between statements, in milliseconds. */
  readonly idleMs?: number;
}

/** Lets the work say that it has seen enough, so that what is left of it is stopped. */
export interface Work {
  readonly connected: Connected;
  readonly session: Session;
  stop(): void;
  readonly isStopped: boolean;
}

/** How long rows already on their way may take to arrive before the server is asked to stop. */
const drainMs = 20;
/** Grace for the server's own timeout before we act ourselves, and for its answer to a cancel. */
const graceMs = 1_000;
/** How long a session may take to be clean again after its answer. */
const settleMs = 5_000;

/**
 * Runs `work` (which must send everything before its first await) in a transaction of its own.
 * @throws whatever the work throws, untranslated; CodedError `cancelled`, `timeout`
 */
export async function inTransaction(
  pool: Pool,
  tls: TlsConfig,
  limits: CallLimits,
  work: (work: Work) => Promise<void>,
): Promise<void> {
  const connected = await acquire(pool, limits.signal);
  const { session } = connected;
  session.limit(limits.maxWireBytes);
  const begun = begin(connected, limits);
  // A pooler may give each message to another server session, where no default of ours holds: wait for BEGIN there.
  if (connected.profile.isShared) {
    await begun.catch((thrown: unknown) => {
      session.destroy(toError(thrown));
      pool.release(connected, Promise.reject(toError(thrown)));
      throw thrown;
    });
  }
  const supervised = supervise(connected, tls, limits, work);
  const cleaned = clean(connected, supervised.cancelled);
  const settled = Promise.all([begun, cleaned]);
  settled.catch(() => {}); // listened to once the work is done: until then others need sessions of their own
  await supervised.done.finally(() => {
    pool.release(connected, settled);
    bound(session, settled);
  });
  // A statement that ran although BEGIN had failed was kept harmless by the session's defaults, but is no answer.
  await begun;
}

/** Cuts a session whose clean-up goes unanswered: on a dead network its place in the pool would never come back. */
function bound(session: Session, settled: Promise<unknown>): void {
  const timer = setTimeout(() => session.destroy(new Error("the clean-up took too long")), settleMs).unref();
  settled.catch(() => {}).finally(() => clearTimeout(timer));
}

/** A session whose wait is cut short by the signal. @throws CodedError `cancelled` */
export async function acquire(pool: Pool, signal: AbortSignal): Promise<Connected> {
  try {
    return await pool.acquire(signal);
  } catch (thrown) {
    throw signal.aborted ? cancelled() : thrown;
  }
}

/** Opens the transaction and its limits in one message. The SELECT pins it: afterwards READ WRITE is refused. */
export function begin(
  { session, profile }: Connected,
  { timeoutMs, context }: CallLimits,
  style: TransactionStyle = {},
): Promise<void> {
  const settings: Record<string, string> = {
    ...(profile.isShared ? sessionDefaults : {}),
    ...(profile.isShared && profile.isWatched ? watched : {}),
    statement_timeout: String(timeoutMs),
    ...(style.idleMs === undefined ? {} : { idle_in_transaction_session_timeout: String(style.idleMs) }),
  };
  const isolation = style.isSnapshot === true ? "REPEATABLE READ" : "READ COMMITTED";
  const local = Object.entries(settings).map(([name, value]) => `SET LOCAL ${name} = '${value}'`);
  const access = style.isWriting === true ? "READ WRITE" : "READ ONLY";
  const opening = `BEGIN ISOLATION LEVEL ${isolation} ${access}`;
  const caller = contextCommands(context);
  const parts = profile.isShared
    ? [opening, ...normalise, ...local, ...caller, temporaryLast]
    : [opening, ...local, ...caller, "SELECT 1"];
  const sent = session.send({ sql: parts.join("; "), simple: true });
  // Listened to by whoever awaits the call; a rejection before that must not count as unhandled.
  sent.catch(() => {});
  return sent;
}

/** Ends the transaction and everything a call may leave on the session. Sent at once, behind the statement. */
export async function clean({ session, profile }: Connected, cancelled: Promise<void>): Promise<void> {
  const ended = session.send({ sql: "ROLLBACK", simple: true });
  const reset = profile.isShared ? undefined : session.send({ sql: "DISCARD ALL", simple: true });
  // A cancel still on its way must not meet the next call.
  const [, , late] = await Promise.allSettled([ended, reset, cancelled]);
  await Promise.all([ended, reset]);
  if (late.status === "rejected") throw late.reason;
}

/** Runs the work and watches over it: signal, time, and its own wish to stop. */
export function supervise(
  connected: Connected,
  tls: TlsConfig,
  { signal, timeoutMs }: CallLimits,
  run: (work: Work) => Promise<void>,
): { readonly done: Promise<void>; readonly cancelled: Promise<void> } {
  const { session } = connected;
  let isDone = false;
  let isStopped = false;
  let why: CodedError | undefined;
  let cancelling: Promise<void> | undefined;
  let drain: NodeJS.Timeout | undefined;
  let cut: NodeJS.Timeout | undefined;
  let settleCancelled: () => void = () => {};
  const cancelledDone = new Promise<void>((resolve) => {
    settleCancelled = resolve;
  });

  const cancel = () => {
    if (isDone || cancelling !== undefined) return;
    const isRunning = () => !isDone && session.isOpen;
    cancelling = insist(() => cancelStatement(session, tls, isRunning), isRunning);
    cut = setTimeout(() => session.destroy(why ?? new Error("stopped")), graceMs);
  };
  const abort = () => {
    why ??= cancelled();
    cancel();
  };
  const work: Work = {
    connected,
    session,
    stop() {
      isStopped = true;
      drain ??= setTimeout(cancel, drainMs);
    },
    get isStopped() {
      return isStopped;
    },
  };
  const overdue = setTimeout(() => {
    why ??= timedOut(timeoutMs);
    cancel();
  }, timeoutMs + graceMs);
  const startedAt = performance.now();
  signal.addEventListener("abort", abort, { once: true });

  const done = (async () => {
    try {
      const running = run(work);
      if (signal.aborted) abort();
      await running;
    } catch (thrown) {
      if (why !== undefined) throw why;
      if (isStopped) return;
      const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
      // The server says the same for its timeout and for a cancel by someone else; its text may be translated.
      if (code === "57014" && performance.now() - startedAt >= timeoutMs * 0.9) throw timedOut(timeoutMs);
      throw thrown;
    } finally {
      isDone = true;
      for (const timer of [drain, cut, overdue]) clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      if (cancelling === undefined) settleCancelled();
      else void cancelling.then(settleCancelled);
    }
  })();
  return { done, cancelled: cancelledDone };
}

export function cancelled(): CodedError {
  return new CodedError("cancelled", "The call was cancelled; the statement was stopped on the server.");
}

function timedOut(timeoutMs: number): CodedError {
  return new CodedError("timeout", `The statement was stopped after ${timeoutMs} ms.`, {
    hint: "Narrow it with WHERE or LIMIT, look at its plan with explain, or allow more time with --timeout.",
    sqlstate: "57014",
  });
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error("failed");
}
