/**
 * At most so many sessions, lent one call at a time, first come first served. A session returns only after its clean-up
 * is confirmed; one that failed in any way is cut and replaced. Knows nothing of statements.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import type { DatabaseLog } from "@database-interface/mcp-core/sql";
import type { Connected } from "./connect.js";
import type { Session } from "./session.js";

export interface Pool extends AsyncDisposable {
  /** @throws CodedError `busy` when none becomes free in time, and whatever connecting throws */
  acquire(signal: AbortSignal): Promise<Connected>;
  /** Takes a session back once `settled` says that it is clean; cuts it if that fails. */
  release(connected: Connected, settled: Promise<unknown>): void;
}

export interface PoolOptions {
  readonly size: number;
  /** How long a call waits for a session that others hold. */
  readonly waitMs: number;
  readonly connect: (signal: AbortSignal) => Promise<Connected>;
  /**
   * Stops on the server what a session is doing, so that it need not find out by itself that we are gone; cuts it just
   * before, so that its call learns that the source is closed.
   */
  readonly stop?: ((session: Session, cut: () => void) => Promise<void>) | undefined;
  readonly log: DatabaseLog;
}

interface Waiter {
  isConnecting: boolean;
  resolve(connected: Connected): void;
  reject(reason: unknown): void;
}

/** A session nobody used for this long is closed. */
const idleMs = 300_000;

export function createPool({ size, waitMs, connect, stop, log }: PoolOptions): Pool {
  const idle: { readonly connected: Connected; readonly timer: NodeJS.Timeout }[] = [];
  const open = new Set<Session>();
  const waiters: Waiter[] = [];
  const closing = new AbortController();
  let connecting = 0;
  let settling = 0;

  function give(connected: Connected): void {
    const waiter = waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve(connected);
      return;
    }
    const timer = setTimeout(() => {
      // Out of the list first: a session that says goodbye must not be lent.
      takeIdle(connected.session);
      void connected.session[Symbol.asyncDispose]();
    }, idleMs).unref();
    idle.push({ connected, timer });
  }

  function takeIdle(session: Session): NodeJS.Timeout | undefined {
    const at = idle.findIndex(({ connected }) => connected.session === session);
    return at === -1 ? undefined : idle.splice(at, 1)[0]?.timer;
  }

  /** After one session has failed: what befell it, such as a dead network, may have befallen all. */
  function dropIdle(): void {
    for (const { connected, timer } of idle.splice(0)) {
      clearTimeout(timer);
      void connected.session[Symbol.asyncDispose]();
    }
  }

  function forget(session: Session): void {
    open.delete(session);
    const timer = takeIdle(session);
    if (timer !== undefined) {
      clearTimeout(timer);
      if (!closing.signal.aborted) log.debug("connection_closed_idle", { sqlstate: session.fatal?.code });
    }
    serve();
  }

  /** Hands out what is idle, and connects for those who would otherwise wait for nothing. */
  function serve(): void {
    while (waiters.length > 0 && idle.length > 0) {
      const next = idle.pop();
      if (next === undefined) break;
      clearTimeout(next.timer);
      if (next.connected.session.isOpen) give(next.connected);
    }
    for (const waiter of waiters) {
      // A session about to be clean again comes sooner than a new one.
      if (waiters.length <= settling + connecting || open.size + connecting >= size) return;
      if (!waiter.isConnecting) void connectFor(waiter);
    }
  }

  async function connectFor(waiter: Waiter): Promise<void> {
    waiter.isConnecting = true;
    connecting++;
    try {
      const connected = await connect(closing.signal);
      connecting--;
      if (closing.signal.aborted) return void connected.session.destroy(poolClosed());
      open.add(connected.session);
      connected.session.onClose(() => forget(connected.session));
      give(connected);
    } catch (thrown) {
      connecting--;
      if (waiters.includes(waiter)) waiter.reject(thrown);
      // Served from another's connection meanwhile: whoever that was meant for tries once more, and fails by their own.
      else if (waiters[0] !== undefined) waiters[0].isConnecting = false;
      serve();
    }
  }

  return {
    async acquire(signal) {
      signal.throwIfAborted();
      if (closing.signal.aborted) throw poolClosed();
      return await new Promise<Connected>((resolve, reject) => {
        const leave = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", abort);
          const at = waiters.indexOf(waiter);
          if (at !== -1) waiters.splice(at, 1);
        };
        const waiter: Waiter = {
          isConnecting: false,
          resolve: (connected) => {
            leave();
            resolve(connected);
          },
          reject: (reason) => {
            leave();
            reject(reason);
          },
        };
        const abort = () => waiter.reject(signal.reason);
        // While it connects for this call, connecting's own deadline counts.
        const timer = setTimeout(() => {
          if (!waiter.isConnecting) waiter.reject(busy(size));
        }, waitMs);
        signal.addEventListener("abort", abort, { once: true });
        waiters.push(waiter);
        serve();
      });
    },
    release(connected, settled) {
      settling++;
      settled.then(
        () => {
          settling--;
          if (closing.signal.aborted) void connected.session[Symbol.asyncDispose]();
          else if (connected.session.isOpen) give(connected);
          serve();
        },
        (thrown: unknown) => {
          settling--;
          connected.session.destroy(thrown instanceof Error ? thrown : new Error("dropped"));
          dropIdle();
          serve();
        },
      );
    },
    async [Symbol.asyncDispose]() {
      if (!closing.signal.aborted) closing.abort(poolClosed());
      for (const waiter of [...waiters]) waiter.reject(poolClosed());
      const kept = new Set(idle.map(({ connected }) => connected.session));
      const ending = [...open].map(async (session) => {
        if (kept.has(session)) return await session[Symbol.asyncDispose]();
        const cut = () => session.destroy(poolClosed());
        await stop?.(session, cut);
        cut();
      });
      await Promise.all(ending);
    },
  };
}

function busy(size: number): CodedError {
  return new CodedError("busy", `All ${size} connections of this source are in use.`, {
    hint: "Call again in a moment; close cursors that are no longer needed.",
    retryable: true,
  });
}

function poolClosed(): CodedError {
  return new CodedError("connection_lost", "This source has been closed.", { hint: "Start the server again." });
}
