/**
 * The sessions that this process has served and not seen end: for figures, and so that the end of those that nobody
 * closes is told. What is kept of a session here is no secret.
 */
import type { Log } from "@database-interface/mcp-core/host";
import type { FoundSession } from "./session-records.js";

/** A session as it was last seen. */
export interface WatchedSession {
  readonly id: string;
  readonly principal: string;
  readonly record: string;
  /** The templates of its connections. */
  readonly templates: readonly string[];
  readonly seenAt: number;
  /** When its time is over unless it is used elsewhere. */
  readonly until: number;
}

export interface SessionWatch extends Disposable {
  readonly sessions: readonly WatchedSession[];
  seen(found: FoundSession): void;
  /** By its id, or its name in the store. */
  ended(idOrRecord: string): void;
}

/** What the watch is made from. */
export interface SessionWatchOptions {
  readonly idleMs: number;
  /** Whether it is still there. @throws CodedError `store_unavailable` */
  isThere(session: WatchedSession): Promise<boolean>;
  onExpired(session: WatchedSession): void;
  readonly log: Log;
  readonly now?: (() => number) | undefined;
  /** Milliseconds between looks. Default 5,000. */
  readonly everyMs?: number | undefined;
}

export function createSessionWatch(options: SessionWatchOptions): SessionWatch {
  const { idleMs, isThere, onExpired, log, now = Date.now, everyMs = 5_000 } = options;
  const watched = new Map<string, WatchedSession>();

  async function look(one: WatchedSession): Promise<void> {
    const isAlive = await isThere(one);
    if (watched.get(one.id) !== one) return; // seen or ended meanwhile
    if (isAlive) {
      watched.set(one.id, { ...one, until: now() + Math.min(idleMs, everyMs * 12) });
      return;
    }
    watched.delete(one.id);
    onExpired(one);
  }

  const timer = setInterval(() => {
    for (const one of watched.values()) {
      if (one.until <= now()) look(one).catch((error: unknown) => log.debug("session_not_looked_at", { error }));
    }
  }, everyMs);
  timer.unref();

  return {
    get sessions() {
      return [...watched.values()];
    },
    seen({ record, session: { id, principal, connections, endsAt } }) {
      const until = Math.min(now() + idleMs, endsAt);
      watched.set(id, {
        id, principal, record, templates: connections.map(({ template }) => template), seenAt: now(), until,
      }); // biome-ignore format: one value
    },
    ended(idOrRecord) {
      watched.delete(idOrRecord);
      for (const [id, { record }] of watched) if (record === idOrRecord) watched.delete(id);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
