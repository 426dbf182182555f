/**
 * Who serves together: every replica signs a list in the shared store every few seconds, with a mark of each of its keys.
 * One whose keys do not go with those of replicas that were there before says so and is not ready: what it sealed could
 * not be opened elsewhere. The marks tell nothing about the keys.
 */
import { CodedError, type Log } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import { delay } from "../delay.js";
import type { Store } from "../store/store.js";
import { type KeyRing, markOf } from "../vault/key-ring.js";

const replicaSchema = v.object({
  /** Milliseconds since 1970, as its own clock says. */
  since: v.number(),
  seenAt: v.number(),
  /** The key it seals with. */
  seals: v.string(),
  /** Marks by key. */
  keys: v.record(v.string(), v.string()),
});
type Replica = v.InferOutput<typeof replicaSchema>;
const listSchema = v.record(v.string(), replicaSchema);

/** A replica for people. */
export interface ReplicaView {
  readonly id: string;
  readonly since: string;
  readonly keys: readonly string[];
  readonly isSelf: boolean;
}

/** The replicas. */
export interface Roster extends AsyncDisposable {
  /** Those that are there. @throws CodedError `store_unavailable` */
  list(): Promise<readonly ReplicaView[]>;
  /** Resolves when the keys go with the others', or that cannot be known. @throws CodedError `keys_differ` */
  agreed(): Promise<void>;
}

/** What a roster is made from. */
export interface RosterOptions {
  readonly self: string;
  readonly store: Store;
  readonly ring: KeyRing;
  readonly log: Log;
  /** Milliseconds between two signatures. Default 4,000. */
  readonly beatMs?: number | undefined;
}

const record = "replicas";
/** Signatures that may be missed before a replica counts as gone. */
const missedBeats = 4;
const attempts = 10;
/** Milliseconds at the start that the store may take to open. */
const patienceMs = 2_500;
const retryMs = 100;

export function openRoster({ self, store, ring, log, beatMs = 4_000 }: RosterOptions): Roster {
  const goneMs = beatMs * missedBeats;
  const own = {
    since: Date.now(),
    seals: ring.keys[0].kid,
    keys: Object.fromEntries(ring.keys.map((key) => [key.kid, markOf(key)])),
  };
  let difference: string | undefined;
  const closing = new AbortController();

  async function read(): Promise<{ readonly all: Record<string, Replica>; readonly version: string | null }> {
    const stored = await store.get(record);
    const parsed = stored === undefined ? undefined : v.safeParse(listSchema, JSON.parse(stored.value));
    const all = Object.entries(parsed?.success === true ? parsed.output : {});
    const present = all.filter(([, { seenAt }]) => Date.now() - seenAt < goneMs);
    return { all: Object.fromEntries(present), version: stored?.version ?? null };
  }

  /** Signs, or with undefined signs off; resolves to the others. */
  async function sign(entry: Replica | undefined): Promise<Record<string, Replica>> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const { all, version } = await read();
      const { [self]: _, ...others } = all;
      const next = entry === undefined ? others : { ...others, [self]: entry };
      const options = { ttlMs: goneMs * 2, ifVersion: version };
      if ((await store.set(record, JSON.stringify(next), options)) !== undefined) return others;
    }
    return {}; // the others sign all the time: next time it is our turn
  }

  /** True when the others are known. */
  async function beat(): Promise<boolean> {
    try {
      const others = await sign({ ...own, seenAt: Date.now() });
      const found = Object.entries(others).flatMap(([id, other]) => differenceTo(id, other) ?? [])[0];
      if (found !== difference && found !== undefined) log.error("keys_differ", { difference: found, hint });
      if (found === undefined && difference !== undefined) log.info("keys_agree");
      difference = found;
      return true;
    } catch (error) {
      log.debug("roster_not_signed", { error }); // whoever needs the store is told
      return false;
    }
  }

  /** What keeps us from working with a replica that was there before us. */
  function differenceTo(id: string, other: Replica): string | undefined {
    if (other.since > own.since || (other.since === own.since && id > self)) return undefined;
    const changed = Object.keys(own.keys).find(
      (kid) => other.keys[kid] !== undefined && other.keys[kid] !== own.keys[kid],
    );
    if (changed !== undefined) return `the key ${changed} is another one there`;
    if (own.keys[other.seals] === undefined) return `it seals with the key ${other.seals}, which is not here`;
    if (other.keys[own.seals] === undefined) return `it has not the key ${own.seals}, which seals here`;
    return undefined;
  }

  async function beginToSign(): Promise<void> {
    const end = performance.now() + patienceMs;
    while (!(await beat()) && performance.now() < end) await delay(retryMs, closing.signal);
  }

  const first = beginToSign();
  const timer = setInterval(() => void beat(), beatMs);
  timer.unref();
  return {
    async list() {
      const { all } = await read();
      return Object.entries(all).map(([id, { since, keys }]) => ({
        id,
        since: new Date(since).toISOString(),
        keys: Object.keys(keys),
        isSelf: id === self,
      }));
    },
    async agreed() {
      await first;
      if (difference !== undefined)
        throw new CodedError("keys_differ", `Another replica runs with other keys: ${difference}.`, { hint });
    },
    async [Symbol.asyncDispose]() {
      if (closing.signal.aborted) return;
      closing.abort();
      clearInterval(timer);
      await first;
      await sign(undefined).catch(() => {}); // it is missed soon
    },
  };
}

const hint =
  "Give all replicas the same MCP_KEYS or MCP_PASSPHRASE. A new key goes behind the first one everywhere before it goes in front anywhere.";
