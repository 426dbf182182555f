/**
 * A source whose sessions are killed and whose network fails: no wrong answer, no statement sent twice, nothing stale,
 * and the next call works. An error that nobody listens to would fail the run. CHAOS_REPETITIONS=100 for the figures.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import type { TestDatabase } from "../support/databases.js";
import { type FaultProxy, openFaultProxy } from "../support/fault-proxy.js";
import { type Engine, engines, outcomeOf, repetitions, rowsOf, until } from "./engines.js";

const count = repetitions(5);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Scene {
  readonly engine: Engine;
  readonly admin: TestDatabase;
  readonly proxy: FaultProxy;
  readonly source: Database;
  /** Starts a statement that runs until something ends it; resolves to how it ended once that is known. */
  start(): Promise<{ readonly marker: string; readonly id: number; readonly outcome: Promise<string> }>;
}

/** What goes wrong, and how the call in flight may end. */
const faults: Record<string, (scene: Scene) => Promise<void>> = {
  async "a session killed while idle"({ engine, admin, proxy }) {
    for (const id of await engine.sessions(admin)) await engine.kill(admin, id);
    await until(async () => (await engine.sessions(admin)).length === 0, 5_000);
    // The server has taken it off its list before it hangs up.
    await until(() => proxy.openCount === 0, 5_000);
    await pause(10);
  },
  async "a session killed in flight"({ engine, admin, start }) {
    const { id, outcome } = await start();
    await engine.kill(admin, id);
    expect(await outcome).toBe("connection_lost");
  },
  async "a session killed during our own rollback"({ engine, admin, proxy, source }) {
    proxy.slow(20);
    expect(await rowsOf(source, "SELECT 7 AS seven")).toEqual([["7"]]);
    // The answer came with its statement; ROLLBACK and reset are still on their way.
    for (const id of await engine.sessions(admin)) await engine.kill(admin, id);
    proxy.heal();
    await pause(100);
  },
  async "a cut network"({ proxy, start }) {
    const { outcome } = await start();
    proxy.cut();
    expect(await outcome).toBe("connection_lost");
  },
  async "a network that resets"({ proxy, start }) {
    const { outcome } = await start();
    proxy.reset();
    expect(await outcome).toBe("connection_lost");
  },
  async "a server that hangs up halfway"({ proxy, start }) {
    const { outcome } = await start();
    proxy.halfClose();
    expect(await outcome).toBe("connection_lost");
  },
  async "a network that resets while idle"({ proxy }) {
    proxy.reset();
    await pause(10);
  },
  async "a server that is away for a while"({ proxy, source }) {
    proxy.refuse();
    proxy.reset();
    await pause(10);
    expect(["connection_failed", "connection_lost"]).toContain(await outcomeOf(rowsOf(source, "SELECT 1")));
    proxy.heal();
  },
};

describe.each(engines)("$name", (engine) => {
  let admin: TestDatabase;
  let proxy: FaultProxy;
  beforeAll(async () => {
    admin = await engine.createDatabase();
    await admin.run("CREATE TABLE counter (n int)");
    await admin.run("INSERT INTO counter VALUES (0)");
    const { hostname, port } = new URL(admin.url);
    proxy = await openFaultProxy({
      host: hostname,
      port: Number(port || (engine.name === "postgres" ? 5432 : 3306)),
    });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await admin[Symbol.asyncDispose]();
  });

  const plainUrl = () => `${proxy.through(admin.url)}?sslmode=disable`;

  function sceneOf(source: Database): Scene {
    const start = async (timeoutMs = 20_000) => {
      const marker = `m${Math.random().toString(36).slice(2)}`;
      const outcome = outcomeOf(rowsOf(source, engine.endless(marker), { timeoutMs }));
      await until(async () => (await engine.running(admin, marker)).length === 1, 5_000);
      const [id = 0] = await engine.running(admin, marker);
      return {
        marker,
        id,
        outcome: outcome.finally(() => expect(proxy.countSent(marker), "sent more than once").toBe(1)),
      };
    };
    return { engine, admin, proxy, source, start };
  }

  test.each(Object.entries(faults))(
    `%s: the next call is right, ${count} times`,
    async (_, fail) => {
      await using source = engine.open(plainUrl());
      const scene = sceneOf(source);
      for (let turn = 0; turn < count; turn++) {
        await rowsOf(source, "SELECT n FROM counter");
        await fail(scene);
        await admin.run("UPDATE counter SET n = n + 1");
        const [row] = await admin.run("SELECT n FROM counter");
        expect(await rowsOf(source, "SELECT n FROM counter")).toEqual([[String(row?.n)]]);
      }
      // What a lost connection left on the server is gone as well.
      await until(async () => (await engine.sessions(admin)).length <= 2, 3_000);
    },
    20_000 + count * 2_000,
  );

  test("a frozen network is a timeout, and what hangs is replaced", async () => {
    await using source = engine.open(plainUrl());
    // Two sessions, so that one is idle when the network dies.
    await Promise.all([rowsOf(source, "SELECT 1"), rowsOf(source, "SELECT 1")]);
    proxy.freeze();
    const lost = ["timeout", "connection_failed"];
    expect(lost).toContain(await outcomeOf(rowsOf(source, "SELECT 2", { timeoutMs: 200 })));
    proxy.heal();
    // A session that hangs costs its caller a timeout at most; then it is replaced.
    const retry = () => outcomeOf(rowsOf(source, "SELECT 3", { timeoutMs: 200 }));
    await until(async () => (await retry()) === "answered", 12_000);
    expect(await rowsOf(source, "SELECT 3")).toEqual([["3"]]);
  });

  test("a slow network is slow, and right", async () => {
    await using source = engine.open(plainUrl());
    proxy.slow(50);
    for (let turn = 0; turn < 3; turn++) expect(await rowsOf(source, `SELECT ${turn}`)).toEqual([[String(turn)]]);
    proxy.heal();
  });

  test("a pool in full use says busy, and serves again afterwards", async () => {
    await using source = engine.open(plainUrl(), { poolSize: 2, connectTimeoutMs: 500 });
    await rowsOf(source, "SELECT 1");
    const abort = new AbortController();
    const held = [1, 2].map((n) => outcomeOf(rowsOf(source, engine.endless(`held${n}`), { signal: abort.signal })));
    await until(async () => (await engine.running(admin, "held")).length === 2, 5_000);
    expect(await outcomeOf(rowsOf(source, "SELECT 2"))).toBe("busy");
    abort.abort();
    expect(await Promise.all(held)).toEqual(["cancelled", "cancelled"]);
    expect(await rowsOf(source, "SELECT 3")).toEqual([["3"]]);
    expect(await engine.running(admin, "held")).toEqual([]);
  });
});
