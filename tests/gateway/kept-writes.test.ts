/** A server that rests forgets; one that still has to remember a write is not stopped, and is no longer than it has to. */
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { startGateway, type TestGateway, textOf, until } from "./gateways.js";

let databases: readonly [TestDatabase, TestDatabase];
beforeAll(async () => {
  databases = [await createPostgresDatabase(), await createMysqlDatabase()];
  for (const database of databases) await database.run("CREATE TABLE t (a int)");
});
afterAll(async () => {
  for (const database of databases ?? []) await database[Symbol.asyncDispose]();
});

/** One writes as told, one with a human's yes, one only reads. */
const start = (idleMs: number): Promise<TestGateway> =>
  startGateway(
    () => ({
      databases: {
        keyed: { url: databases[0].url, settings: { mode: "write" } },
        asked: { url: databases[1].url, settings: { mode: "approve" } },
        plain: { url: databases[0].url },
      },
    }),
    { life: { idleMs } },
  );

const call = async (client: Client, name: string, given: object) =>
  JSON.parse(textOf(await client.callTool({ name, arguments: { ...given } })));
const write = { source: "keyed", sql: "INSERT INTO t VALUES (1)", idempotency_key: "k" };
const question = { source: "asked", sql: "INSERT INTO t VALUES (2)" };

/** By source, once none is on its way to something else. */
const statesOf = ({ gateway }: TestGateway): Record<string, string> =>
  Object.fromEntries(gateway.report().servers.map(({ sources, state }) => [sources?.[0], state]));

test("a key and a code outlive the time after which servers are stopped", async () => {
  await using gateway = await start(400);
  await using client = await gateway.connect("modern");
  const done = await call(client, "execute", write);
  expect(done).toMatchObject({ rows_affected: 1 });
  expect(await call(client, "execute", question)).toMatchObject({ code: "approval_required" });
  expect(await call(client, "query", { source: "plain", sql: "SELECT 1" })).toMatchObject({ row_count: 1 });
  await until(() => statesOf(gateway).plain === "asleep", 60_000);
  expect(statesOf(gateway)).toMatchObject({ keyed: "running", asked: "running" });

  expect(await call(client, "execute", write)).toEqual(done);
  expect(await databases[0].run("SELECT a FROM t")).toHaveLength(1);
  const [, approval] = /"approval":"([^"]+)"/.exec(gateway.log().replaceAll("\\", "")) ?? [];
  expect(await call(client, "execute", { ...question, approval })).toMatchObject({ rows_affected: 1 });
}, 120_000);

test("an hour for a key, five minutes for a code, nothing for a write that ran without either", async () => {
  await using gateway = await start(60_000);
  await using client = await gateway.connect("modern");
  await call(client, "query", { source: "plain", sql: "SELECT 1" });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const { idempotency_key: _, ...unkeyed } = write;
  expect(await call(client, "execute", unkeyed)).toMatchObject({ rows_affected: 1 });
  const asleep = (source: string) => vi.waitUntil(() => statesOf(gateway)[source] === "asleep", { timeout: 60_000 });
  vi.advanceTimersByTime(60_000);
  await asleep("keyed");

  await call(client, "execute", { ...write, idempotency_key: "other" });
  await call(client, "execute", question);
  vi.advanceTimersByTime(299_000);
  expect(statesOf(gateway)).toMatchObject({ keyed: "running", asked: "running" });
  vi.advanceTimersByTime(1_000);
  await asleep("asked");
  vi.advanceTimersByTime(3_299_000);
  expect(statesOf(gateway)).toMatchObject({ keyed: "running" });
  vi.advanceTimersByTime(1_000);
  await asleep("keyed");
}, 240_000);
