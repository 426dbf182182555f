/**
 * Legacy sessions and streams of all replicas in the store they share, each sealed under a name that does not tell its
 * id. What they are for is the host room's.
 */
import { createHash } from "node:crypto";
import {
  CodedError,
  type DirectoryEntry,
  type FoundEntry,
  type Peers,
  parseEntry,
  type SessionDirectory,
} from "@database-interface/mcp-core/host";
import type { Store } from "../store/store.js";
import type { Vault } from "../vault/vault.js";

const prefix = "legacy/";
const attempts = 8;

export function createDirectory({
  store,
  vault,
  peers,
}: {
  readonly store: Store;
  readonly vault: Vault;
  readonly peers: Peers;
}): SessionDirectory {
  const place = (name: string) => ({ record: name, field: "entry" });
  const seal = (name: string, entry: DirectoryEntry): string => vault.seal(JSON.stringify(entry), place(name));

  async function find(name: string, touchMs: number | undefined): Promise<FoundEntry | undefined> {
    const stored = await store.get(prefix + name, { touchMs });
    if (stored === undefined) return undefined;
    const { text } = vault.open(stored.value, place(name));
    return { entry: parseEntry(JSON.parse(text)), version: stored.version };
  }

  return {
    peers,
    async read(id, { touchMs } = {}) {
      try {
        return await find(nameOf(id), touchMs);
      } catch (error) {
        if (error instanceof CodedError && isBroken(error)) return undefined; // logged; the client begins anew
        throw error;
      }
    },
    async create(id, entry, ttlMs) {
      const name = nameOf(id);
      const version = await store.set(prefix + name, seal(name, entry), { ttlMs, ifVersion: null });
      if (version === undefined) throw new Error("Two sessions have one id.");
      return version;
    },
    async update(id, change, ttlMs) {
      const name = nameOf(id);
      for (let attempt = 0; attempt < attempts; attempt++) {
        const found = await find(name, undefined);
        if (found === undefined) return undefined;
        const entry = change(found.entry);
        const version = await store.set(prefix + name, seal(name, entry), { ttlMs, ifVersion: found.version });
        if (version !== undefined) return { entry, version };
      }
      throw new CodedError("busy", "The session is being changed by others all the time.", { retryable: true });
    },
    touch: async (id, ttlMs) => void (await store.touch(prefix + nameOf(id), ttlMs)),
    remove: async (id) => void (await store.delete(prefix + nameOf(id))),
  };
}

/** Ids are random: nobody finds one by its hash. */
const nameOf = (id: string): string => createHash("sha256").update(id).digest("base64url");

const isBroken = ({ code }: CodedError): boolean => code === "key_unknown" || code === "record_damaged";
