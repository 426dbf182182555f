/** One suite for every place records are kept: memory, a folder, and Redis alone, behind Sentinels and as a Cluster. */
import { randomBytes } from "node:crypto";
import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLog } from "../../mcp-core/src/host/log.js";
import { openFileStore } from "../../mcp-gateway/src/store/file-store.js";
import { createMemoryStore } from "../../mcp-gateway/src/store/memory-store.js";
import { openStore } from "../../mcp-gateway/src/store/open-store.js";
import { parseRedisUrl } from "../../mcp-gateway/src/store/redis-address.js";
import { openRedisConnection } from "../../mcp-gateway/src/store/redis-connection.js";
import { createRedisStore } from "../../mcp-gateway/src/store/redis-store.js";
import type { Store } from "../../mcp-gateway/src/store/store.js";
import { temporaryFolder, until } from "../gateway/gateways.js";
import { startRedisCluster, startRedisSentinels } from "../support/redis-servers.js";
import { redisUrl } from "../support/services.js";

const log = createLog({ name: "test", stream: new PassThrough().resume() });

async function openRedis(url: string): Promise<Store> {
  const prefix = `test-${randomBytes(6).toString("hex")}`;
  const connection = openRedisConnection({ address: parseRedisUrl(`${url}?prefix=${prefix}`), log });
  await until(() => connection.health.isUp);
  const store = createRedisStore(connection);
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      for (const key of await store.list("")) await store.delete(key);
      await connection[Symbol.asyncDispose]();
    },
  };
}

/** Keeps what it is given until the tests are over. */
type Hold = <One extends AsyncDisposable>(one: One) => One;

const kinds: readonly (readonly [string, (hold: Hold) => Promise<Store>])[] = [
  ["memory", async () => createMemoryStore()],
  ["a folder", async (hold) => openFileStore(hold(await temporaryFolder()).path)],
  ["Redis", async () => openRedis(redisUrl())],
  ["Redis behind Sentinels", async (hold) => openRedis(hold(await startRedisSentinels()).url)],
  ["a Redis Cluster", async (hold) => openRedis(hold(await startRedisCluster()).url)],
];

describe.each(kinds)("%s", (_name, open) => {
  const held: AsyncDisposable[] = [];
  let store: Store;
  beforeAll(async () => {
    const hold: Hold = (one) => {
      held.unshift(one);
      return one;
    };
    store = hold(await open(hold));
  });
  afterAll(async () => {
    for (const one of held) await one[Symbol.asyncDispose]();
  });
  const fresh = (): string => `k/${randomBytes(6).toString("hex")}`;

  test("keeps a text under its key, and each writing has another version", async () => {
    const key = fresh();
    expect(await store.get(key)).toBeUndefined();
    const first = await store.set(key, "a.b\n☃", { ttlMs: 60_000 });
    expect(await store.get(key)).toEqual({ value: "a.b\n☃", version: first });
    const second = await store.set(key, "c", { ttlMs: 60_000 });
    expect(second).not.toBe(first);
    expect(await store.get(key)).toEqual({ value: "c", version: second });
    expect(await store.delete(key)).toBe(true);
    expect(await store.delete(key)).toBe(false);
    expect(await store.get(key)).toBeUndefined();
  });

  test("writes only where the version holds, and of many at once only one", async () => {
    const key = fresh();
    const writers = Array.from({ length: 20 }, (_, index) =>
      store.set(key, `w${index}`, { ttlMs: 60_000, ifVersion: null }),
    );
    const won = (await Promise.all(writers)).filter((version) => version !== undefined);
    expect(won).toHaveLength(1);
    expect(await store.set(key, "x", { ttlMs: 60_000, ifVersion: "another" })).toBeUndefined();
    const changed = Array.from({ length: 20 }, () => store.set(key, "y", { ttlMs: 60_000, ifVersion: won[0] }));
    const versions = (await Promise.all(changed)).filter((version) => version !== undefined);
    expect(versions).toHaveLength(1);
    expect(await store.delete(key, { ifVersion: won[0] })).toBe(false);
    expect(await store.delete(key, { ifVersion: versions[0] })).toBe(true);
  });

  test("forgets a record when its time is over, unless it was touched", async () => {
    const [short, touched, read] = [fresh(), fresh(), fresh()];
    for (const key of [short, touched, read]) await store.set(key, "x", { ttlMs: 400 });
    expect(await store.touch(touched, 60_000)).toBe(true);
    expect(await store.get(read, { touchMs: 60_000 })).toMatchObject({ value: "x" });
    await until(async () => (await store.get(short)) === undefined);
    expect(await store.get(touched)).toMatchObject({ value: "x" });
    expect(await store.get(read)).toMatchObject({ value: "x" });
    expect(await store.touch(short, 60_000)).toBe(false);
    expect(await store.set(short, "again", { ttlMs: 60_000, ifVersion: null })).toBeTypeOf("string");
  });

  test("lists the keys that begin so, taken literally", async () => {
    const mark = `list/${randomBytes(4).toString("hex")}`;
    const keys = [`${mark}/a`, `${mark}/b`, `${mark}/c`];
    for (const key of [...keys, `${mark}x`]) await store.set(key, "x", { ttlMs: 60_000 });
    expect([...(await store.list(`${mark}/`))].sort()).toEqual(keys);
    expect(await store.list("list/*")).toEqual([]);
  });
});

describe("a folder", () => {
  test("is its owner's alone, every record a file of mode 0600, and nothing half-written stays", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "store");
    await using store = openFileStore(path);
    await Promise.all(Array.from({ length: 30 }, (_, index) => store.set(`k${index % 3}`, "x", { ttlMs: 60_000 })));
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    const names = await readdir(path);
    expect(names).toHaveLength(3);
    for (const name of names) expect((await stat(join(path, name))).mode & 0o777).toBe(0o600);
  });

  test("outlives its process, waits for no dead one, and drops what has expired", async () => {
    await using folder = await temporaryFolder();
    {
      await using before = openFileStore(folder.path);
      await before.set("kept", "x", { ttlMs: 60_000 });
      await before.set("short", "x", { ttlMs: 1 });
    }
    for (const name of await readdir(folder.path)) {
      const lock = join(folder.path, `${name}.lock`);
      await writeFile(lock, "");
      await utimes(lock, 0, 0); // of one who died long ago
    }
    await using after = openFileStore(folder.path);
    expect(await after.get("kept")).toMatchObject({ value: "x" });
    expect(await after.set("kept", "y", { ttlMs: 60_000 })).toBeTypeOf("string");
    expect((await readdir(folder.path)).filter((name) => name.endsWith(".json"))).toHaveLength(1);
  });

  test("a damaged file is no record, and stays for people to look at until it is written again", async () => {
    await using folder = await temporaryFolder();
    await using store = openFileStore(folder.path);
    await store.set("k", "x", { ttlMs: 60_000 });
    const [name = ""] = await readdir(folder.path);
    await writeFile(join(folder.path, name), '{"key":"k"');
    expect(await store.get("k")).toBeUndefined();
    expect(await readFile(join(folder.path, name), "utf8")).toBe('{"key":"k"');
    expect(await store.set("k", "y", { ttlMs: 60_000, ifVersion: null })).toBeTypeOf("string");
  });
});

describe("the Redis URL", () => {
  test.each([
    ["redis://h", { mode: "single", nodes: [{ host: "h", port: 6379 }], isTls: false, database: 0, prefix: "mcp-gateway" }],
    ["rediss://u:p%40w@h:1/3?prefix=team.a", { isTls: true, username: "u", password: "p@w", database: 3, prefix: "team.a" }],
    ["redis://[::1]:7000", { nodes: [{ host: "::1", port: 7000 }] }],
    ["redis://:x:y@a:1,b:2", { mode: "cluster", password: "x:y", nodes: [{ host: "a", port: 1 }, { host: "b", port: 2 }] }],
    ["redis-cluster://a", { mode: "cluster", nodes: [{ host: "a", port: 6379 }] }],
    ["redis-sentinel://a,b:1/main?db=2&sentinel_password=s", {
      mode: "sentinel", masterName: "main", database: 2, sentinelPassword: "s", nodes: [{ host: "a", port: 26379 }, { host: "b", port: 1 }],
    }],
    ["rediss-sentinel://a/main", { mode: "sentinel", isTls: true }],
  ] as const)("%s", (url, expected) => {
    expect(parseRedisUrl(url)).toMatchObject(expected);
  }); // biome-ignore format: a table

  test.each([
    "http://h", "redis://", "redis://h:0", "redis://h:70000", "redis://h/x", "redis-cluster://a/1", "redis-sentinel://a",
    "redis://h?prefix=a:b", "redis://h?nonsense=1", "redis://canary-secret@@h o", "redis://%zz:canary-secret@h",
  ])("%s is refused without showing any of it", (url) => {
    const refused = expect.objectContaining({ code: "config_invalid", message: expect.not.stringContaining("canary") });
    expect(() => parseRedisUrl(url)).toThrow(refused);
  }); // biome-ignore format: a table
});

describe("a store by its word", () => {
  test("is memory, a folder, or Redis, which need not be there yet", async () => {
    await using folder = await temporaryFolder();
    const environment = { XDG_STATE_HOME: folder.path };
    for (const word of ["memory", "file", `file:${folder.path}/elsewhere`, redisUrl(), "redis://127.0.0.1:1"]) {
      await using opened = openStore({ word, environment, log });
      expect(opened.redis !== undefined).toBe(word.startsWith("redis"));
      const answer = await opened.store.set(`k-${randomBytes(4).toString("hex")}`, "x", { ttlMs: 1_000 }).catch(String);
      expect(answer).toMatch(word === "redis://127.0.0.1:1" ? /cannot be used/ : /^[\w-]{11}$/);
    }
    expect((await readdir(folder.path)).sort()).toEqual(["database-interface", "elsewhere"]);
  });

  test.each(["", "disk", "file:", "postgres://h/db"])("%j is refused", (word) => {
    expect(() => openStore({ word, environment: {}, log })).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
  });

  test("a folder that cannot be made is said so", async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, "file"), "");
    const word = `file:${folder.path}/file/below`;
    await using opened = openStore({ word, environment: {}, log });
    await expect(opened.store.get("k")).rejects.toMatchObject({ code: "store_unavailable" });
    await rm(join(folder.path, "file"));
    expect(await opened.store.get("k")).toBeUndefined();
  });
});
