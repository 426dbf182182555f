/** Records in this process's memory: gone with it, and forgotten when their time is over whether anyone asks or not. */
import { randomBytes } from "node:crypto";
import type { Store, StoredRecord } from "./store.js";

interface Kept extends StoredRecord {
  readonly expiresAt: number;
}

const sweepMs = 10_000;

/** `now` is the clock in milliseconds. Default: the system's. */
export function createMemoryStore({ now = Date.now }: { now?: () => number } = {}): Store {
  const records = new Map<string, Kept>();
  const alive = (key: string): Kept | undefined => {
    const record = records.get(key);
    if (record === undefined || record.expiresAt > now()) return record;
    records.delete(key);
    return undefined;
  };
  const touch = (key: string, record: Kept, ttlMs: number): void =>
    void records.set(key, { ...record, expiresAt: now() + ttlMs });
  const sweeper = setInterval(() => [...records.keys()].forEach(alive), sweepMs);
  sweeper.unref();
  return {
    async get(key, { touchMs } = {}) {
      const record = alive(key);
      if (record === undefined) return undefined;
      if (touchMs !== undefined) touch(key, record, touchMs);
      return { value: record.value, version: record.version };
    },
    async set(key, value, { ttlMs, ifVersion }) {
      const record = alive(key);
      if (ifVersion !== undefined && (record?.version ?? null) !== ifVersion) return undefined;
      const version = newVersion();
      records.set(key, { value, version, expiresAt: now() + ttlMs });
      return version;
    },
    async remainingMs(key) {
      const record = alive(key);
      return record === undefined ? undefined : record.expiresAt - now();
    },
    async touch(key, ttlMs) {
      const record = alive(key);
      if (record !== undefined) touch(key, record, ttlMs);
      return record !== undefined;
    },
    async delete(key, { ifVersion } = {}) {
      const record = alive(key);
      if (record === undefined || (ifVersion !== undefined && record.version !== ifVersion)) return false;
      return records.delete(key);
    },
    async list(prefix) {
      return [...records.keys()].filter((key) => key.startsWith(prefix) && alive(key) !== undefined);
    },
    async ping() {},
    async [Symbol.asyncDispose]() {
      clearInterval(sweeper);
      records.clear();
    },
  };
}

/** Of 64 random bits: two writings of one record never share one. */
export const newVersion = (): string => randomBytes(8).toString("base64url");
