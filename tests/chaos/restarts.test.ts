/**
 * A database server that is shut down, or dies, and comes back, at any moment of a call: no wrong answer, nothing stale,
 * no page of a result that is gone, no write twice, and the next call works. An error that nobody listens to would fail
 * the run. Servers of these tests' own; CHAOS_REPETITIONS=100 for the figures.
 */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Instance } from "../../mcp-core/src/sample/index.js";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { type FaultProxy, openFaultProxy } from "../support/fault-proxy.js";
import { runOn, startMariadb } from "../support/mariadb-instances.js";
import { runOnPostgres, startPostgres } from "../support/postgres-standby.js";
import { engines, outcomeOf, repetitions, rowsOf, until } from "./engines.js";

const count = repetitions(1);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The server and every process it has started, at once. */
async function crash(pid: number): Promise<void> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).split(" ").filter(Boolean).map(Number);
  for (const one of [pid, ...children]) process.kill(one, "SIGKILL");
  const isGone = (one: number) =>
    readFile(`/proc/${one}/stat`, "utf8").then(
      (stat) => / [ZX] /.test(stat),
      () => true,
    );
  await until(async () => (await Promise.all(children.map(isGone))).every(Boolean), 10_000);
}

const by = (signal: NodeJS.Signals) => (pid: number) => void process.kill(pid, signal);

/** The engines' private servers, durable, since what was committed must be there after a crash; and how they can end. */
const servers = {
  postgres: {
    async start() {
      const instance = await startPostgres(AbortSignal.timeout(3_600_000));
      // The command line says off; of the settings in the server only the database's own stands above it.
      await runOnPostgres(instance, "ALTER DATABASE postgres SET synchronous_commit = on");
      return instance;
    },
    database: "postgres",
    run: runOnPostgres,
    ends: { "a fast shutdown": by("SIGINT"), "an immediate shutdown": by("SIGQUIT"), "a crash": crash },
  },
  mysql: {
    start: () => startMariadb(AbortSignal.timeout(3_600_000), ["--innodb-flush-log-at-trx-commit=1"]),
    database: "test",
    run: runOn,
    ends: { "a shutdown": by("SIGTERM"), "a crash": crash },
  },
};

interface Scene {
  readonly source: Database;
  readonly proxy: FaultProxy;
  run(sql: string): Promise<readonly Record<string, unknown>[]>;
  /** A statement that nobody else stops; resolves to how it ended once it is known to run. */
  start(): Promise<{ readonly outcome: Promise<string> }>;
  restart(): Promise<void>;
}

const lost = ["connection_lost", "connection_failed"];

/** What goes on when the server goes away, and how it may end. */
const moments: Record<string, (scene: Scene) => Promise<void>> = {
  async idle({ source, restart }) {
    await Promise.all([rowsOf(source, "SELECT 1"), rowsOf(source, "SELECT 2")]);
    await restart();
  },
  async reading({ start, restart }) {
    const { outcome } = await start();
    await restart();
    expect(lost).toContain(await outcome);
  },
  async "holding a paged result"({ source, restart }) {
    const signal = new AbortController().signal;
    const options = { signal, maxRows: 10, timeoutMs: 10_000, maxWireBytes: 1_000_000 };
    const sql = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n";
    await using cursor = await source.openCursor({ sql, params: [] }, options);
    expect(await cursor.fetch(10, { signal })).toHaveLength(10);
    await restart();
    // A result that has been sent in full by now may be read on; rows of another it never gives.
    const next = await cursor.fetch(10, { signal }).catch((thrown) => outcomeOf(Promise.reject(thrown)));
    if (Array.isArray(next))
      expect(next.map(([cell]) => cell)).toEqual(Array.from({ length: 10 }, (_, i) => `${i + 11}`));
    else expect([...lost, "cursor_expired"]).toContain(next);
  },
  async "our own rollback"({ source, proxy, restart }) {
    await rowsOf(source, "SELECT 1");
    proxy.slow(20);
    expect(await rowsOf(source, "SELECT 7 AS seven")).toEqual([["7"]]);
    const restarted = restart();
    proxy.heal();
    await restarted;
  },
  async "a write"({ source, proxy, run, restart }) {
    const marker = `w${Math.random().toString(36).slice(2)}`;
    const signal = new AbortController().signal;
    const options = { signal, maxRows: 10, timeoutMs: 10_000, maxWireBytes: 1_000_000 };
    const statement = { sql: `INSERT INTO written VALUES ('${marker}')`, params: [] };
    const sink = { columns: () => {}, row: () => true };
    proxy.slow(15);
    const outcome = outcomeOf(source.writing?.run(statement, sink, options) ?? Promise.reject(new Error("no writing")));
    await pause(Math.random() * 150);
    await restart();
    proxy.heal();
    const how = await outcome;
    const [row] = await run(`SELECT count(*) AS n FROM written WHERE marker = '${marker}'`);
    const written = Number(row?.n);
    if (how === "answered") expect(written).toBe(1);
    else if (how === "outcome_unknown") expect(written).toBeLessThanOrEqual(1);
    else {
      expect(lost).toContain(how);
      expect(written).toBe(0);
    }
    expect(proxy.countSent(marker), "sent more than once").toBeLessThanOrEqual(1);
  },
};

describe.each(engines)("$name", (engine) => {
  const server = servers[engine.name];
  let instance: Instance;
  let proxy: FaultProxy;
  beforeAll(async () => {
    instance = await server.start();
    await server.run(instance, "CREATE TABLE counter (n int)");
    await server.run(instance, "INSERT INTO counter VALUES (0)");
    await server.run(instance, "CREATE TABLE written (marker varchar(50))");
    proxy = await openFaultProxy({ host: "127.0.0.1", port: instance.port });
  });
  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await instance?.[Symbol.asyncDispose]();
  });

  const cells = Object.entries(server.ends).flatMap(([how, end]) =>
    Object.entries(moments).map(([when, live]) => [how, when, end, live] as const),
  );
  test.each(cells)(
    `%s during %s: the next call is right, ${count} times`,
    async (_how, _when, end, live) => {
      await using source = engine.open(`${proxy.through(instance.url(server.database))}?sslmode=disable`);
      const run = (sql: string) => server.run(instance, sql);
      const start = async () => {
        const marker = `m${Math.random().toString(36).slice(2)}`;
        const outcome = outcomeOf(rowsOf(source, engine.endless(marker), { timeoutMs: 60_000 }));
        await until(async () => proxy.countSent(marker) === 1, 10_000);
        await pause(20);
        return { outcome: outcome.finally(() => expect(proxy.countSent(marker), "sent more than once").toBe(1)) };
      };
      const restart = async () => {
        await instance.restart(end);
        await pause(10);
      };
      for (let turn = 0; turn < count; turn++) {
        await live({ source, proxy, run, start, restart });
        await run("UPDATE counter SET n = n + 1");
        const [row] = await run("SELECT n FROM counter");
        expect(await rowsOf(source, "SELECT n FROM counter")).toEqual([[String(row?.n)]]);
      }
    },
    60_000 + count * 30_000,
  );
});
