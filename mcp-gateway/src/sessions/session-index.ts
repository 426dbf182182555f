/**
 * Which sessions a principal has: one sealed record each, under a name that does not show whose it is. It may name
 * sessions that have ended meanwhile; whoever reads it looks. It is a list and no more: one that does not open begins
 * anew, so that nobody is kept from opening sessions, and those it named go on by their references.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import type { Store } from "../store/store.js";
import type { Vault } from "../vault/vault.js";

/** A session by its public id and its name in the store. */
const entry = v.object({ id: v.string(), record: v.string() });
export type IndexEntry = Readonly<v.InferOutput<typeof entry>>;

/** Everybody's lists. All methods @throws CodedError `store_unavailable` */
export interface SessionIndex {
  read(principal: string): Promise<readonly IndexEntry[]>;
  update(principal: string, change: (entries: readonly IndexEntry[]) => readonly IndexEntry[]): Promise<void>;
}

const prefix = "index/";
const attempts = 8;

/** `ttlMs`: as long as any session named in it may live. */
export function createSessionIndex({
  store,
  vault,
  ttlMs,
}: {
  readonly store: Store;
  readonly vault: Vault;
  readonly ttlMs: number;
}): SessionIndex {
  const place = (name: string) => ({ record: name, field: "index" });

  function open(value: string, name: string): readonly IndexEntry[] {
    try {
      return v.parse(v.array(entry), JSON.parse(vault.open(value, place(name)).text));
    } catch (error) {
      if (error instanceof CodedError) return []; // the vault has logged it by name
      throw error;
    }
  }

  /** What stands under the newest key's name and under those of older ones. */
  async function readAll(principal: string) {
    const names = vault.namesOf("index", principal);
    const kept = await Promise.all(names.map((name) => store.get(prefix + name)));
    const entries = names.flatMap((name, index) => {
      const stored = kept[index];
      return stored === undefined ? [] : open(stored.value, name);
    });
    const older = names.filter((_name, index) => index > 0 && kept[index] !== undefined);
    return { name: names[0], version: kept[0]?.version ?? null, entries: [...byId(entries).values()], older };
  }

  return {
    read: async (principal) => (await readAll(principal)).entries,
    async update(principal, change) {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const { name, version, entries, older } = await readAll(principal);
        const text = vault.seal(JSON.stringify(change(entries)), place(name));
        if ((await store.set(prefix + name, text, { ttlMs, ifVersion: version })) === undefined) continue;
        for (const one of older) await store.delete(prefix + one);
        return;
      }
      throw new CodedError("busy", "The list of sessions is being changed by others all the time.", {
        hint: "Try again in a moment.",
        retryable: true,
      });
    },
  };
}

/** The first of each id: the newest key's. */
const byId = (entries: readonly IndexEntry[]): ReadonlyMap<string, IndexEntry> =>
  new Map([...entries].reverse().map((one) => [one.id, one]));
