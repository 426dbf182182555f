/**
 * Results of `query` used again for a time, by sources whose operator says that their data may be that old. A result is
 * one principal's, of one statement, its parameters and caps, on one source as it was opened: its user, schemas and
 * column rules. Only what the database calls repeatable is kept; errors never are. A write through this server, or a
 * catalogue seen to change, forgets; equal questions at the same time are asked once.
 */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { CatalogWatch } from "./catalog-watch.js";
import type { CallOptions, Statement, StatementFacts } from "./database.js";
import type { Caps } from "./limits.js";
import { type AskDatabase, createFlights, type ReadResult } from "./result-flights.js";

/** One that is kept, and what the database understood of its statement. */
export interface RememberedResult extends ReadResult {
  readonly facts: StatementFacts;
  /** When its reading began, in milliseconds. */
  readonly at: number;
}

/** What is asked, and by whom. */
export interface ResultQuestion extends Statement {
  readonly principal: string;
  readonly caps: Caps;
}

/** The results of one source. */
export interface ResultCache {
  /** `isFresh`: nothing that was read before the call. `ageMs` is set where it was. */
  recall(
    question: ResultQuestion,
    ask: AskDatabase,
    call: CallOptions & { readonly isFresh: boolean },
  ): Promise<RememberedResult & { readonly ageMs?: number }>;
}

/** The memory of all sources of a server. */
export interface ResultStore {
  open(source: { readonly name: string; readonly ttlMs: number; readonly watch: CatalogWatch }): ResultCache;
  /** Something was written: sources may be doors to the same data. */
  forget(): void;
}

/** Bytes of all results together, of one, and how many. */
const bounds = { maxSize: 64 * 1024 * 1024, maxEntrySize: 8 * 1024 * 1024, max: 10_000 };
/** What an entry costs besides its text. */
const entryBytes = 500;

/** `now` is milliseconds, in place of the process's own clock. */
export function createResultStore(now: () => number = () => performance.now()): ResultStore {
  // purged in time, also where nobody asks any more: rows do not outlive what the operator allowed
  const kept = new LRUCache<string, RememberedResult>({
    ...bounds,
    ttl: 1,
    ttlResolution: 0,
    ttlAutopurge: true,
    perf: { now },
  });
  const flights = createFlights();
  let writes = 0;

  return {
    forget() {
      writes++;
      kept.clear();
    },
    open({ name, ttlMs, watch }) {
      function keep(key: string, result: RememberedResult): void {
        if ((kept.peek(key)?.at ?? Number.NEGATIVE_INFINITY) > result.at) return; // read later, ended earlier
        const size = Buffer.byteLength(result.text) + entryBytes;
        kept.set(key, result, { size, ttl: ttlMs, start: result.at });
      }

      return {
        async recall(question, ask, call) {
          const isUsable = await watch.isCurrent(call);
          // with what was known when it was asked: what is read meanwhile stays out of reach of later questions
          const key = keyOf(name, `${writes} ${watch.generation}`, question);
          const found = isUsable && !call.isFresh ? kept.get(key) : undefined;
          if (found !== undefined) return { ...found, ageMs: now() - found.at };
          const at = now();
          const { result, facts } = await flights.fly(key, ask, call);
          const remembered = { ...result, facts, at };
          if (isUsable && facts.isRepeatable === true) keep(key, remembered);
          return remembered;
        },
      };
    },
  };
}

/** Statements can be long and hold values: only their digest stays. */
function keyOf(source: string, generation: string, { principal, sql, params, caps }: ResultQuestion): string {
  const { maxRows, maxBytes, timeoutMs, maxCellBytes } = caps;
  const whole = [source, generation, principal, sql, params, maxRows, maxBytes, timeoutMs, maxCellBytes];
  return createHash("sha256").update(JSON.stringify(whole)).digest("base64");
}
