/**
 * Records in a folder that only its owner reads, a file each (0600), replaced as a whole so that a reader or a crash
 * never sees half of one. Processes may share the folder: a record is changed under a lock file of its own, and whoever
 * dies holding one is not waited for.
 */
import { createHash } from "node:crypto";
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { CodedError } from "@database-interface/mcp-core/host";
import { isFields } from "../message.js";
import { newVersion } from "./memory-store.js";
import { type Store, type StoredRecord, storeUnavailable } from "./store.js";

interface Kept extends StoredRecord {
  readonly key: string;
  readonly expiresAt: number;
}

const sweepMs = 30_000;
/** Longer than any change takes. */
const staleLockMs = 5_000;
const lockWaitMs = 1_500;
/** The part of its time to live by which a touched record may end early. */
const negligible = 0.02;

/** A store in a folder, which is made on the way if it is not there. `now` is the clock in milliseconds. */
export function openFileStore(folder: string, { now = Date.now }: { now?: () => number } = {}): Store {
  const pathOf = (key: string): string => join(folder, `${createHash("sha256").update(key).digest("hex")}.json`);
  const isAlive = (record: Kept | undefined): record is Kept => record !== undefined && record.expiresAt > now();

  async function read(key: string): Promise<Kept | undefined> {
    const record = await readRecord(pathOf(key));
    return isAlive(record) ? record : undefined;
  }

  /** What `change` returns is what is kept; undefined: nothing is changed; `gone`: the record is deleted. */
  async function change(key: string, next: (record: Kept | undefined) => Kept | "gone" | undefined): Promise<void> {
    const path = pathOf(key);
    await using _lock = await lock(`${path}.lock`);
    const after = next(await read(key));
    if (after === "gone") await rm(path, { force: true });
    else if (after !== undefined) await replace(path, JSON.stringify(after));
  }

  /** A record that lives nearly so long anyway is not written again: calls come often, and a disk is slow. */
  async function touched(key: string, ttlMs: number): Promise<Kept | undefined> {
    const expiresAt = now() + ttlMs;
    const found = await read(key);
    if (found === undefined || Math.abs(expiresAt - found.expiresAt) < ttlMs * negligible) return found;
    let current: Kept | undefined;
    await change(key, (record) => {
      current = record;
      return record === undefined ? undefined : { ...record, expiresAt };
    });
    return current;
  }

  async function sweep(): Promise<void> {
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (name.endsWith(".json") && !isAlive((await readRecord(path)) ?? undefined)) await sweepOne(path);
      else if (!name.endsWith(".json") && (await ageOf(path)) > 60_000) await rm(path, { force: true }); // a dead writer's
    }
  }

  /** Looks again under the lock: it may have been renewed meanwhile. What is damaged is left for people. */
  async function sweepOne(path: string): Promise<void> {
    await using _lock = await lock(`${path}.lock`);
    const record = await readRecord(path);
    if (record !== undefined && !isAlive(record)) await rm(path, { force: true });
  }

  let made: Promise<void> | undefined;
  function make(): Promise<void> {
    made ??= (async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await chmod(folder, 0o700);
      await sweep();
    })().catch((error: unknown) => {
      made = undefined; // the next one may have more luck
      throw error;
    });
    return made;
  }
  const inFolder = <Value>(work: () => Promise<Value>): Promise<Value> =>
    orUnavailable(async () => {
      await make();
      return work();
    });

  const sweeper = setInterval(() => inFolder(sweep).catch(() => {}), sweepMs); // who needs the folder is told that it is broken
  sweeper.unref();
  return {
    get: (key, { touchMs } = {}) =>
      inFolder(async () => {
        let found: StoredRecord | undefined;
        if (touchMs === undefined) found = await read(key);
        else {
          found = await touched(key, touchMs);
        }
        return found === undefined ? undefined : { value: found.value, version: found.version };
      }),
    set: (key, value, { ttlMs, ifVersion }) =>
      inFolder(async () => {
        let version: string | undefined;
        await change(key, (record) => {
          if (ifVersion !== undefined && (record?.version ?? null) !== ifVersion) return undefined;
          version = newVersion();
          return { key, value, version, expiresAt: now() + ttlMs };
        });
        return version;
      }),
    remainingMs: (key) =>
      inFolder(async () => {
        const found = await read(key);
        return found === undefined ? undefined : found.expiresAt - now();
      }),
    touch: (key, ttlMs) => inFolder(async () => (await touched(key, ttlMs)) !== undefined),
    delete: (key, { ifVersion } = {}) =>
      inFolder(async () => {
        let isDeleted = false;
        await change(key, (record) => {
          isDeleted = record !== undefined && (ifVersion === undefined || record.version === ifVersion);
          return isDeleted ? "gone" : undefined;
        });
        return isDeleted;
      }),
    list: (prefix) =>
      inFolder(async () => {
        const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
        const records = await Promise.all(names.map((name) => readRecord(join(folder, name))));
        return records.flatMap((record) => (isAlive(record) && record.key.startsWith(prefix) ? [record.key] : []));
      }),
    ping: () => inFolder(async () => void (await readdir(folder))),
    async [Symbol.asyncDispose]() {
      clearInterval(sweeper);
    },
  };
}

/** Undefined when there is no such file, or it holds no record. */
async function readRecord(path: string): Promise<Kept | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (!isFields(value)) return undefined;
    const { key, value: kept, version, expiresAt } = value;
    if (typeof key !== "string" || typeof kept !== "string") return undefined;
    if (typeof version !== "string" || typeof expiresAt !== "number") return undefined;
    return { key, value: kept, version, expiresAt };
  } catch {
    return undefined;
  }
}

/** Written beside it, on the disk before it takes its place. */
async function replace(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.${newVersion()}.new`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function lock(path: string): Promise<AsyncDisposable> {
  const end = performance.now() + lockWaitMs;
  for (;;) {
    try {
      await (await open(path, "wx", 0o600)).close();
      return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    if ((await ageOf(path)) > staleLockMs) await rm(path, { force: true });
    else if (performance.now() > end) throw storeUnavailable("another process holds a record for too long");
    else await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Milliseconds since a file was written; 0 when it is gone. */
const ageOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );

async function orUnavailable<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CodedError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    throw storeUnavailable(words[code] ?? "its folder cannot be read or written", error);
  }
}

const full = "its disk or quota is full";
const words: Readonly<Record<string, string>> = {
  ENOSPC: full,
  EDQUOT: full,
  EFBIG: full,
  EACCES: "this user may not write to its folder",
  EPERM: "this user may not write to its folder",
  EROFS: "its folder is read-only",
};
