/**
 * A Redis Cluster and a master behind Sentinels that lose servers and move data, seen through a gateway: every answer
 * comes within two seconds and is right or says that the store is away, and all is well again without a restart.
 */
import { afterAll, describe, expect, test } from "vitest";
import { type RedisServer, startRedisCluster, startRedisSentinels } from "../support/redis-servers.js";
import { away, createMatrix, well } from "./matrix.js";
import { openSubject } from "./subject.js";

const failoverMs = 45_000;

const endings: readonly (readonly [string, (server: RedisServer) => unknown, (server: RedisServer) => unknown])[] = [
  ["killed", (server) => server.kill(), (server) => server.start()],
  ["frozen", (server) => server.freeze(), (server) => server.thaw()],
];

describe("a Cluster", () => {
  const matrix = createMatrix("Redis Cluster of three");
  afterAll(() => matrix.print());

  test.each(endings)(
    "whose master of the session is %s: its replica takes over",
    async (ending, end, heal) => {
      await using redis = await startRedisCluster({ replicas: true });
      await using subject = await openSubject(redis.url);
      const session = await subject.openSession();
      const { master } = await findRecord(redis.servers);
      await end(master);
      await matrix.after(`master ${ending}, replica takes over`, subject, session, well, failoverMs);
      await heal(master);
      await matrix.after(`master ${ending}, back as replica`, subject, session, well, failoverMs);
    },
    180_000,
  );

  test.each(endings)(
    "without replicas, whose master of the session is %s for a while",
    async (ending, end, heal) => {
      await using redis = await startRedisCluster({ settings: ["appendonly yes", "appendfsync always"] });
      await using subject = await openSubject(redis.url);
      const session = await subject.openSession();
      const { master } = await findRecord(redis.servers);
      await end(master);
      const { inSession, shown } = away;
      await matrix.during(`only master ${ending}`, subject, session, { inSession, shown });
      await heal(master);
      await matrix.after(`only master ${ending}`, subject, session, well, failoverMs);
    },
    180_000,
  );

  test("whose slot of the session moves: ASK and MOVED are followed", async () => {
    await using redis = await startRedisCluster();
    await using subject = await openSubject(redis.url);
    const session = await subject.openSession();
    const { master: source, key } = await findRecord(redis.servers);
    const target = redis.servers.find((one) => one !== source);
    if (target === undefined) throw new Error("there are three");
    const slot = /\d+/.exec(await source.command("CLUSTER", "KEYSLOT", key))?.[0] ?? "";
    const [from, to] = [await idOf(source), await idOf(target)];
    await target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", from);
    await source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", to);
    await matrix.during("slot moves, record not yet", subject, session, well);
    expect(await source.command("MIGRATE", "127.0.0.1", String(target.port), key, "0", "5000")).toContain("OK");
    await matrix.during("slot moves, record has (ASK)", subject, session, well);
    for (const one of [target, source]) await one.command("CLUSTER", "SETSLOT", slot, "NODE", to);
    await matrix.during("slot has moved (MOVED)", subject, session, well);
  }, 60_000);
});

describe("a master behind Sentinels", () => {
  const matrix = createMatrix("Redis behind three Sentinels");
  afterAll(() => matrix.print());

  test.each(endings)(
    "that is %s: they choose another",
    async (ending, end, heal) => {
      await using redis = await startRedisSentinels();
      await using subject = await openSubject(redis.url);
      const session = await subject.openSession();
      const [master] = redis.servers;
      if (master === undefined) throw new Error("there is one");
      await end(master);
      await matrix.during(`master ${ending}`, subject, session, away, 1);
      await matrix.after(`master ${ending}, another chosen`, subject, session, well, failoverMs);
      expect(await redis.masterPort()).not.toBe(master.port);
      await heal(master);
      await matrix.after(`master ${ending}, back as replica`, subject, session, well, failoverMs);
    },
    180_000,
  );

  test("that all die with it: all is found again when they are back", async () => {
    await using redis = await startRedisSentinels(["appendonly yes", "appendfsync always"]);
    await using subject = await openSubject(redis.url);
    const session = await subject.openSession();
    const all = [...redis.servers, ...redis.sentinels];
    for (const one of all) await one.kill();
    await matrix.during("everything killed", subject, session, away);
    for (const one of all) await one.start();
    await matrix.after("everything killed", subject, session, well, failoverMs);
  }, 180_000);
});

/** The key of the only session's record, and the master that holds it. */
async function findRecord(servers: readonly RedisServer[]): Promise<{ master: RedisServer; key: string }> {
  for (const server of servers) {
    const isMaster = /\r\nmaster\r\n/.test(await server.command("ROLE"));
    const key = /\S+:session\/\S+/.exec(await server.command("KEYS", "*:session/*"))?.[0];
    if (isMaster && key !== undefined) return { master: server, key };
  }
  throw new Error("no server has a session");
}

const idOf = async (server: RedisServer): Promise<string> =>
  /[0-9a-f]{40}/.exec(await server.command("CLUSTER", "MYID"))?.[0] ?? "";
