/**
 * How much of the primary's data each replica is known to have: the primary is asked now and then where its log stands,
 * the replicas how far they have applied it. A replica that has reached what was asked at a time has all data of that
 * time, whatever the clocks of the servers say and whether or not it still hears from the primary.
 */
import type { DatabaseLog } from "@database-interface/mcp-core/sql";

/** Where a server stands in the history of its cluster's data. */
export interface Position {
  /** The same only for the servers of one cluster. */
  readonly cluster: string;
  readonly isStandby: boolean;
  /** Bytes of log: inserted by a primary, applied by a standby. */
  readonly logBytes: bigint;
  /** Those of them that a primary has written out, which is all that a standby can get. */
  readonly flushedBytes: bigint;
  /** Which transactions have ended: while it stays the same, so does the data. */
  readonly snapshot: string;
  /** How long the log of one that has ended may wait to be written out, in milliseconds. */
  readonly flushMs: number;
}

/** A server that can be asked where it stands. */
export interface Placed {
  readonly label: string;
  position(signal: AbortSignal): Promise<Position>;
}

export interface FreshnessOptions<Server> {
  readonly primary: Server;
  readonly replicas: readonly Server[];
  readonly maxLagMs: number;
  readonly log: DatabaseLog;
  readonly now?: () => number;
}

/** What is known, and ways to add to it. */
export interface Freshness<Server> {
  /** The replicas that have all data that is older than the bound, and all writes of ours. Asks anew when it is time. */
  fresh(): readonly Server[];
  /** A write of ours has ended: only replicas that have it will do. */
  written(): void;
  /** It failed: it is not used before it has answered again. */
  failed(replica: Server): void;
  /** Asks now; a sentence for each replica that reads cannot go to. */
  audit(): Promise<readonly string[]>;
}

/** The primary's position, and when it was asked for. */
interface Mark {
  readonly at: number;
  readonly logBytes: bigint;
}

const askTimeoutMs = 2_000;
const maxMarks = 64;

/**
 * What is inserted counts, not what is written out, since a commit need not wait for that. But a page that a read has
 * tidied up goes into the log as well, with no commit behind it that has it written out: once no transaction has ended for
 * as long as a commit may wait, what is written out holds all data.
 */
export function createFreshness<Server extends Placed>(options: FreshnessOptions<Server>): Freshness<Server> {
  const { primary, replicas, maxLagMs, log, now = () => performance.now() } = options;
  const everyMs = Math.min(Math.max(maxLagMs / 4, 50), 1_000);
  /** When a replica was last known to have everything. */
  const completeAt = new Map<Server, number>();
  const faults = new Map<Server, string>();
  const marks: Mark[] = [];
  /** The primary's snapshot, and since when it is known to be that. */
  let latest = { snapshot: "", since: 0 };
  let writtenAt = Number.NEGATIVE_INFINITY;
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  function ask(): Promise<void> {
    asking ??= askAll().finally(() => {
      asking = undefined;
      askedAt = now();
    });
    return asking;
  }

  async function askAll(): Promise<void> {
    const signal = AbortSignal.timeout(askTimeoutMs);
    const at = now();
    const theirs = await primary.position(signal).catch(() => undefined);
    if (theirs === undefined || theirs.isStandby) return;
    if (theirs.snapshot !== latest.snapshot) latest = { snapshot: theirs.snapshot, since: now() };
    marks.push({ at, logBytes: at - latest.since >= theirs.flushMs ? theirs.flushedBytes : theirs.logBytes });
    if (marks.length > maxMarks) marks.shift();
    await Promise.all(replicas.map((replica) => askReplica(replica, theirs.cluster, signal)));
  }

  async function askReplica(replica: Server, cluster: string, signal: AbortSignal): Promise<void> {
    const found = await replica.position(signal).catch(() => undefined);
    const fault = found === undefined ? "cannot be reached" : faultOf(found, cluster);
    if (fault !== faults.get(replica) && fault !== undefined)
      log.warn("replica_unused", { replica: replica.label, fault });
    if (fault === undefined) faults.delete(replica);
    else faults.set(replica, fault);
    if (found === undefined || fault !== undefined) return void completeAt.delete(replica);
    const reached = marks.findLast(({ logBytes }) => logBytes <= found.logBytes);
    if (reached !== undefined) completeAt.set(replica, Math.max(reached.at, completeAt.get(replica) ?? reached.at));
  }

  const fresh = () => {
    const since = Math.max(now() - maxLagMs, writtenAt);
    return replicas.filter((replica) => (completeAt.get(replica) ?? Number.NEGATIVE_INFINITY) >= since);
  };

  return {
    fresh() {
      // Nobody waits for it: until a replica is known to be fresh, the primary answers.
      if (now() - askedAt >= everyMs) void ask();
      return fresh();
    },
    written() {
      writtenAt = now();
    },
    failed(replica) {
      completeAt.delete(replica);
    },
    async audit() {
      await ask();
      const usable = fresh();
      return replicas.flatMap((replica) => {
        const fault =
          faults.get(replica) ?? (usable.includes(replica) ? undefined : `is more than ${maxLagMs} ms behind`);
        return fault === undefined ? [] : [`The replica ${replica.label} ${fault}: its reads go to the primary.`];
      });
    },
  };
}

function faultOf(found: Position, cluster: string): string | undefined {
  if (found.cluster !== cluster) return "belongs to another cluster";
  return found.isStandby ? undefined : "is no standby";
}
