/** Redis that is absent, killed, frozen, full or changes its master: every use is told within its deadline, and it comes back by itself. */
import { randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createLog } from "../../mcp-core/src/host/log.js";
import { parseRedisUrl } from "../../mcp-gateway/src/store/redis-address.js";
import { openRedisConnection, type RedisConnection } from "../../mcp-gateway/src/store/redis-connection.js";
import { createRedisStore } from "../../mcp-gateway/src/store/redis-store.js";
import type { Store } from "../../mcp-gateway/src/store/store.js";
import { until } from "../gateway/gateways.js";
import { startRedisCluster, startRedisSentinels, startRedisServer } from "../support/redis-servers.js";

/** How long a server stays frozen; the second time, its sockets are given up meanwhile. */
const pausesMs = [0, 4_500];
const log = createLog({ name: "test", stream: new PassThrough().resume() });

function open(url: string): AsyncDisposable & { readonly connection: RedisConnection; readonly store: Store } {
  const connection = openRedisConnection({ address: parseRedisUrl(url), log });
  return {
    connection,
    store: createRedisStore(connection),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

/** The refusal of a use, which must come in time. */
async function refusal(use: () => Promise<unknown>): Promise<unknown> {
  const began = performance.now();
  const error = await use().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(performance.now() - began).toBeLessThan(2_000);
  return error;
}

const unavailable = (message: string | RegExp = "") =>
  expect.objectContaining({
    code: "store_unavailable",
    retryable: true,
    message: expect.stringMatching(new RegExp(message)),
  });

const works = (store: Store) => async (): Promise<boolean> => {
  const key = randomBytes(6).toString("hex");
  return store.set(key, "x", { ttlMs: 60_000 }).then(
    () => true,
    () => false,
  );
};

test("asked before it has answered for the first time: the first use waits, and no longer than any other", async () => {
  await using server = await startRedisServer();
  await using earlier = open(`redis://${server.address}`); // loads the client's library
  await until(works(earlier.store));
  await using redis = open(`redis://${server.address}`);
  expect(redis.connection.health.isUp).toBe(false);
  expect(await redis.store.get("k")).toBeUndefined();
  server.freeze();
  await using frozen = open(`redis://${server.address}`);
  expect(await refusal(() => frozen.store.get("k"))).toEqual(unavailable());
  server.thaw();
  await until(works(frozen.store));
});

test("absent at the start, there later, killed and started again", async () => {
  await using server = await startRedisServer();
  await server.kill();
  await using redis = open(`redis://${server.address}`);
  expect(await refusal(() => redis.store.get("k"))).toEqual(unavailable());
  await until(() => /nothing listens/.test(redis.connection.health.reason ?? ""));
  let reopened = 0;
  using _watch = redis.connection.onReopened(() => reopened++);
  const heard: string[] = [];
  using _channel = redis.connection.subscribe("news", (message) => heard.push(message));
  for (const round of ["1", "2", "3"]) {
    await server.start();
    await until(works(redis.store));
    expect(redis.connection.health).toMatchObject({ isUp: true, reason: undefined });
    await until(async () => {
      await redis.connection.run(({ commands }) => commands.publish("news", round)).catch(() => {});
      return heard.includes(round);
    });
    await server.kill();
    expect(await refusal(() => redis.store.set("k", "x", { ttlMs: 1_000 }))).toEqual(unavailable());
    await until(() => !redis.connection.health.isUp);
  }
  expect(reopened).toBe(3);
});

test("frozen and thawed", async () => {
  await using server = await startRedisServer();
  await using redis = open(`redis://${server.address}`);
  await until(works(redis.store));
  for (const pause of pausesMs) {
    server.freeze();
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await refusal(() => redis.store.get("k"))).toEqual(unavailable("it does not answer"));
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    server.thaw();
    await until(works(redis.store));
  }
});

test("full, or with another password: it says which, and comes back", async () => {
  await using server = await startRedisServer();
  await using redis = open(`redis://${server.address}`);
  await until(works(redis.store));
  await server.command("CONFIG", "SET", "maxmemory", "1");
  expect(await refusal(() => redis.store.set("k", "x", { ttlMs: 1_000 }))).toEqual(unavailable("its memory is full"));
  expect(await redis.store.get("k")).toBeUndefined();
  await server.command("CONFIG", "SET", "maxmemory", "0");
  await until(works(redis.store));
  await server.command("CONFIG", "SET", "requirepass", "another-password");
  await using stranger = open(`redis://:canary-password@${server.address}`);
  await until(() => stranger.connection.health.reason === "it refuses the password");
  const error = await refusal(() => stranger.store.get("k"));
  expect(error).toEqual(unavailable("it refuses the password"));
  expect(String(error)).not.toContain("canary");
});

test("Sentinels choose another master", async () => {
  await using redis = await startRedisSentinels();
  await using client = open(redis.url);
  await until(works(client.store));
  await client.store.set("kept", "x", { ttlMs: 60_000 });
  const [master, replica] = redis.servers;
  await until(async () => /kept/.test((await replica?.command("KEYS", "*")) ?? ""));
  await master?.kill();
  expect(await refusal(() => client.store.set("k", "x", { ttlMs: 1_000 }))).toEqual(unavailable());
  await until(works(client.store), 20_000);
  expect(await redis.masterPort()).toBe(replica?.port);
  expect(await client.store.get("kept")).toMatchObject({ value: "x" });
}, 60_000);

test("a node of a Cluster is killed and comes back", async () => {
  await using cluster = await startRedisCluster();
  await using client = open(cluster.url);
  const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`);
  await until(works(client.store));
  for (const key of keys) await client.store.set(key, key, { ttlMs: 60_000 });
  const [first] = cluster.servers;
  await first?.kill();
  const errors = await Promise.all(keys.map((key) => refusal(() => client.store.get(key))));
  expect(errors.filter((error) => error === undefined).length).toBeGreaterThan(10); // of the other two
  expect(errors.filter((error) => error !== undefined)).toContainEqual(unavailable());
  await first?.start();
  await until(async () => {
    const answers = await Promise.allSettled(keys.map((key) => client.store.set(key, "y", { ttlMs: 60_000 })));
    return answers.every(({ status }) => status === "fulfilled");
  }, 15_000);
}, 60_000);
