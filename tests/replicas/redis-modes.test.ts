/** Replicas that share a Redis Cluster, or a master behind Sentinels, are replicas as those that share one server are. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { fixtureServer, textOf, until } from "../gateway/gateways.js";
import { person, testTemplates } from "../sessions/people.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type RedisServers, startRedisCluster, startRedisSentinels } from "../support/redis-servers.js";
import { ask, begin, openReplicas, send, type TestReplicas } from "./replicas.js";

vi.setConfig({ testTimeout: 120_000 });

let database: TestDatabase;
beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run("CREATE TABLE t (n int)");
});
afterAll(() => database?.[Symbol.asyncDispose]());

describe.each<[string, () => Promise<RedisServers>]>([
  ["a Cluster", startRedisCluster],
  ["Sentinels", startRedisSentinels],
])("over %s", (_name, start) => {
  let redis: RedisServers;
  let replicas: TestReplicas;
  beforeAll(async () => {
    redis = await start();
    replicas = await openReplicas(redis.url, (journal) => ({
      databases: { shop: { url: database.url, settings: { mode: "write" } } },
      mcpServers: { s: fixtureServer("legacy-server", { env: { JOURNAL: journal } }) },
      templates: testTemplates(),
    }));
  }, 120_000);
  afterAll(async () => {
    await replicas?.[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
  });
  const ada = () => ({ atA: person(replicas.a.gateway, "ada"), atB: person(replicas.b.gateway, "ada") });

  test("a session that was opened at one is filled, used and closed at the other, and is gone at both", async () => {
    const { atA, atB } = ada();
    const session = await atA.openSession();
    const { username: user, password } = new URL(database.url);
    const connection = { template: "pg", database: database.name, user, password };
    const added = await atB.rest("POST", `/v1/sessions/${session}/connections`, connection);
    expect([added.status, added.body.code]).toEqual([201, undefined]);
    const sql = "SELECT 7";
    for (const at of [atA, atB])
      expect(await at.tool("query", { session, source: "pg", sql })).toMatchObject({ rows: [[7]] });
    const isAsleep = () => replicas.a.gateway.report().servers.every(({ id }) => !id.startsWith("session:"));
    expect(isAsleep()).toBe(false);
    expect(await atB.tool("close_session", { session })).toEqual({ closed: true });
    await until(isAsleep, 30_000); // it hears of it
    for (const at of [atA, atB])
      expect(await at.tool("query", { session, sql })).toMatchObject({ code: "session_not_found" });
  });

  test("a session of the older protocol goes on at the other, which answers what the first one asks", async () => {
    const { a, b } = replicas;
    const id = await begin(a);
    const call = (name: string, given: object) => ({ name: `s__${name}`, arguments: given });
    for (const gateway of [b, a]) {
      const { status, result } = await ask(gateway, id, "tools/call", call("echo", { text: "hello" }));
      expect([status, textOf(result)]).toEqual([200, "hello"]);
    }
    const body = { jsonrpc: "2.0", id: 7, method: "tools/call", params: call("ask", { what: "Who are you?" }) };
    const asked = await send(a, body, id);
    await until(() => asked.messages.some(({ method }) => method === "elicitation/create"), 30_000);
    const question = asked.messages.find(({ method }) => method === "elicitation/create");
    const result = { action: "accept", content: { name: "Ada" } };
    expect((await send(b, { jsonrpc: "2.0", id: question?.id, result }, id)).status).toBe(202);
    await asked.ended;
    expect(textOf(asked.messages.at(-1)?.result)).toContain("Ada");
    expect((await send(b, undefined, id, "DELETE")).status).toBe(200);
    for (const gateway of [a, b]) expect((await ask(gateway, id, "ping")).status).toBe(404);
  });

  test("a write under a key runs once", async () => {
    const { atA, atB } = ada();
    const write = { source: "shop", sql: "INSERT INTO t VALUES (1)", idempotency_key: `k-${redis.url}` };
    const before = (await database.run("SELECT n FROM t")).length;
    const outcomes = await Promise.all([atA, atB, atA, atB].map((at) => at.tool("execute", write)));
    expect(new Set(outcomes.map((one) => JSON.stringify(one)))).toEqual(new Set([JSON.stringify(outcomes[0])]));
    expect(outcomes[0]).toMatchObject({ rows_affected: 1 });
    expect((await database.run("SELECT n FROM t")).length).toBe(before + 1);
  });
});
