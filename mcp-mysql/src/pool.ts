/**
 * At most so many sessions, lent to one call at a time in the order of asking. A session comes back only once its
 * clean-up is confirmed; one that failed in any way is cut, and whoever needs one next connects anew.
 */
import { setMaxListeners } from "node:events";
import { anySignal, CodedError } from "@database-interface/mcp-core/host";
import type { DatabaseLog } from "@database-interface/mcp-core/sql";
import { cancelStatement, killLost } from "./cancel.js";
import type { Connected } from "./connect.js";

export interface PoolOptions {
  readonly size: number;
  /** How long a call waits for a session that others hold, in milliseconds. */
  readonly waitMs: number;
  readonly connect: (signal: AbortSignal) => Promise<Connected>;
  /** Told of every session that is opened; what it returns is called once nothing of the session is left. */
  readonly watch?: ((connected: Connected) => () => void) | undefined;
  readonly log: DatabaseLog;
}

export interface Pool extends AsyncDisposable {
  /** @throws CodedError `busy` when none becomes free in time, `cancelled`, and whatever connecting throws */
  acquire(signal: AbortSignal): Promise<Connected>;
  /** Takes a session back once `settled` says that it is clean; cuts it if that fails. */
  release(connected: Connected, settled: Promise<unknown>): void;
}

/** Unused sessions are closed after this long. */
const idleMs = 300_000;

export function createPool({ size, waitMs, connect, watch, log }: PoolOptions): Pool {
  /** Every session that exists; true while nobody uses it. */
  const sessions = new Map<Connected, boolean>();
  const queue: ((turn: Connected | undefined) => void)[] = [];
  const closed = new AbortController();
  // Every waiting call listens to it.
  setMaxListeners(0, closed.signal);
  let opening = 0;

  /** Someone may go on: with this session, or by making one. */
  function next(connected?: Connected): void {
    const turn = queue.shift();
    if (turn !== undefined) turn(connected);
    else if (connected !== undefined) park(connected);
  }

  function park(connected: Connected): void {
    sessions.set(connected, true);
    const timer = setTimeout(() => {
      if (sessions.get(connected) === true) drop(connected);
    }, idleMs).unref();
    connected.session.onClose(() => clearTimeout(timer));
  }

  function drop(connected: Connected): void {
    sessions.delete(connected);
    void connected.session[Symbol.asyncDispose]();
  }

  function idle(): Connected | undefined {
    for (const [connected, isIdle] of [...sessions].reverse()) if (isIdle && connected.session.isOpen) return connected;
    return undefined;
  }

  async function open(signal: AbortSignal): Promise<Connected> {
    opening++;
    try {
      const connected = await connect(anySignal([signal, closed.signal]));
      sessions.set(connected, false);
      const forget = watch?.(connected);
      connected.session.onClose(() => {
        const wasIdle = sessions.get(connected);
        if (wasIdle === true && !closed.signal.aborted) log.debug("connection_closed_idle");
        if (wasIdle !== false) forget?.();
        else {
          void killLost(connected).finally(() => forget?.());
          // What befell this one may have befallen all: on a dead network an idle session costs its caller a timeout.
          for (const [other, isIdle] of sessions) if (isIdle) drop(other);
        }
        if (sessions.delete(connected)) next();
      });
      return connected;
    } catch (thrown) {
      if (signal.aborted) throw cancelled();
      throw closed.signal.aborted ? poolClosed() : thrown;
    } finally {
      opening--;
      // The place this attempt took is free again unless it became a session.
      if (queue.length > 0 && sessions.size + opening < size) next();
    }
  }

  /** Resolves with a session, or with undefined when there is room to make one. */
  function wait(signal: AbortSignal): Promise<Connected | undefined> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
        closed.signal.removeEventListener("abort", close);
        const at = queue.indexOf(turn);
        if (at !== -1) queue.splice(at, 1);
      };
      const turn = (connected: Connected | undefined) => {
        leave();
        resolve(connected);
      };
      const fail = (error: CodedError) => {
        leave();
        reject(error);
      };
      const abort = () => fail(cancelled());
      const close = () => fail(poolClosed());
      const timer = setTimeout(() => fail(busy(size)), waitMs);
      signal.addEventListener("abort", abort, { once: true });
      closed.signal.addEventListener("abort", close, { once: true });
      queue.push(turn);
    });
  }

  return {
    async acquire(signal) {
      for (;;) {
        if (closed.signal.aborted) throw poolClosed();
        if (signal.aborted) throw cancelled();
        const ready = queue.length === 0 ? idle() : undefined;
        if (ready === undefined && sessions.size + opening < size) return await open(signal);
        const turn = ready ?? (await wait(signal));
        if (turn === undefined || !turn.session.isOpen) continue;
        sessions.set(turn, false);
        return turn;
      }
    },
    release(connected, settled) {
      settled.then(
        () => {
          if (closed.signal.aborted) drop(connected);
          else if (connected.session.isOpen) next(connected);
        },
        (thrown: unknown) => connected.session.destroy(thrown instanceof Error ? thrown : new Error("dropped")),
      );
    },
    async [Symbol.asyncDispose]() {
      closed.abort();
      const ending = [...sessions].map(async ([connected, isIdle]) => {
        if (isIdle) return await connected.session[Symbol.asyncDispose]();
        // The server does not notice by itself that we are gone: a statement in flight would run on.
        await cancelStatement(connected, () => connected.session.isOpen);
        connected.session.destroy(poolClosed());
      });
      await Promise.all(ending);
    },
  };
}

/** The error of a call whose signal fired. */
export const cancelled = (): CodedError =>
  new CodedError("cancelled", "The call was cancelled; its statement no longer runs on the server.");

function busy(size: number): CodedError {
  const hint = "Call again in a moment, close paged results that are no longer needed, or raise --pool.";
  return new CodedError("busy", `All ${size} connections of this source are in use.`, { hint, retryable: true });
}

const poolClosed = (): CodedError =>
  new CodedError("connection_lost", "This source is closed.", { hint: "The server is shutting down." });
