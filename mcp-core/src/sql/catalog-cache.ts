/**
 * A catalogue that answers again from memory, for a time, as long as its fingerprint stays the same. What is remembered
 * belongs to one source and its one database user; errors never are. Row estimates and sizes may be as old as an answer
 * may be; all else is as old as the last look at the fingerprint.
 */
import { afterWrites } from "./after-writes.js";
import { type CatalogWatch, watchCatalog } from "./catalog-watch.js";
import type { CallOptions, Catalog, Database } from "./database.js";

/** How long what is known counts. */
export interface CatalogCacheOptions {
  /** Milliseconds an answer is used again at most; 0 for never. */
  readonly ttlMs: number;
  /** Of the same database's catalogue. Default: one of its own. */
  readonly watch?: CatalogWatch | undefined;
  /** Milliseconds, in place of the process's own clock. */
  readonly now?: (() => number) | undefined;
}

/** Objects and columns remembered at most, a few hundred bytes each. */
const maxWeight = 20_000;

/** The same database, its catalogue remembered; what is written through it makes it forget. */
export function cacheCatalog(database: Database, options: CatalogCacheOptions): Database {
  if (options.ttlMs === 0) return database;
  const { catalog } = database;
  const memory = createMemory(catalog, options);
  return Object.assign(Object.create(afterWrites(database, memory.forget)) as Database, {
    catalog: {
      schemas: (call) => memory.recall(["schemas"], () => catalog.schemas(call), call),
      search: (search, call) => memory.recall(["search", search], () => catalog.search(search, call), call),
      describe: (table, call) => memory.recall(["describe", table], () => catalog.describe(table, call), call),
    } satisfies Catalog,
  });
}

interface Remembered {
  readonly value: unknown;
  readonly weight: number;
  readonly until: number;
}

function createMemory(
  catalog: Catalog,
  { ttlMs, now = () => performance.now(), watch = watchCatalog(catalog, now) }: CatalogCacheOptions,
) {
  /** The longest unused first. */
  const known = new Map<string, Remembered>();
  let weight = 0;
  let seen = watch.generation;
  /** Rises whenever all is forgotten: an answer that was on its way then is not kept. */
  let generation = 0;

  function forget(): void {
    known.clear();
    weight = 0;
    generation++;
  }

  /** What was remembered may still be used; when that cannot be told, it is not. */
  async function isCurrent(call: CallOptions): Promise<boolean> {
    const isTold = await watch.isCurrent(call);
    forgetChanged();
    return isTold;
  }

  /** Others may have looked. */
  function forgetChanged(): void {
    if (watch.generation !== seen) forget();
    seen = watch.generation;
  }

  function keep(key: string, value: unknown): void {
    drop(key);
    const own = weightOf(value);
    if (own > maxWeight / 4) return;
    known.set(key, { value, weight: own, until: now() + ttlMs });
    weight += own;
    for (const oldest of known.keys()) {
      if (weight <= maxWeight) break;
      drop(oldest);
    }
  }

  function drop(key: string): void {
    weight -= known.get(key)?.weight ?? 0;
    known.delete(key);
  }

  return {
    forget,
    async recall<Value>(question: unknown, ask: () => Promise<Value>, call: CallOptions): Promise<Value> {
      const key = JSON.stringify(question);
      // before the first answer: one that is older than the fingerprint it is kept under would stay
      const isUsable = known.has(key) || !watch.hasLooked ? await isCurrent(call) : true;
      const found = known.get(key);
      if (isUsable && found !== undefined && now() < found.until) {
        known.delete(key);
        known.set(key, found);
        return found.value as Value; // kept below, under the same question
      }
      const asked = generation;
      const value = await ask();
      forgetChanged();
      if (isUsable && asked === generation) keep(key, value);
      return value;
    },
  };
}

/** One for each object or column. */
function weightOf(value: unknown): number {
  if (Array.isArray(value)) return 1 + value.length;
  const columns = typeof value === "object" && value !== null && "columns" in value ? value.columns : undefined;
  return 10 + (Array.isArray(columns) ? columns.length : 0);
}
