/** Cancel, time, death: the statement stops on the server, only ours, and the source works again. */
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startInstance } from "../../mcp-postgres/src/instance.js";
import { findBinaries } from "../../mcp-postgres/src/instance-binaries.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { codeOf, collect, openSource } from "./open.js";

let database: TestDatabase;
let admin: postgres.Sql;
beforeAll(async () => {
  database = await createPostgresDatabase();
  admin = postgres(database.url, { max: 1, onnotice: () => {} });
});
afterAll(async () => {
  await admin.end({ timeout: 1 });
  await database[Symbol.asyncDispose]();
});

/** Server processes of this database that run a text with this mark. */
async function running(mark: string): Promise<number[]> {
  const rows = await admin<{ pid: number }[]>`
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() AND query LIKE ${`%${mark}%`}`;
  return rows.map(({ pid }) => pid);
}

async function until(isTrue: () => Promise<boolean>, deadlineMs = 5_000): Promise<number> {
  const startedAt = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - startedAt > deadlineMs) throw new Error("did not happen in time");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - startedAt;
}

const runs = (mark: string) => async () => (await running(mark)).length > 0;
const isGone = (mark: string) => async () => (await running(mark)).length === 0;

test("a cancelled read is gone from the server within a second, another's statement goes on", async () => {
  await using source = openSource(database.url);
  const other = collect(source, "SELECT pg_sleep(2) /* other */");
  await until(runs("other"));
  for (let round = 0; round < 10; round++) {
    const controller = new AbortController();
    const call = codeOf(collect(source, `SELECT pg_sleep(30) /* mine${round} */`, [], { signal: controller.signal }));
    await until(runs(`mine${round}`));
    controller.abort();
    expect(await call).toBe("cancelled");
    expect(await until(isGone(`mine${round}`))).toBeLessThan(1_000);
    expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
  }
  expect((await other).rows).toHaveLength(1);
});

test("a signal that has fired already starts nothing", async () => {
  await using source = openSource(database.url);
  expect(await codeOf(collect(source, "SELECT 1", [], { signal: AbortSignal.abort() }))).toBe("cancelled");
  expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
});

test("a signal at any moment of a short call leaves a source that answers rightly", async () => {
  await using source = openSource(database.url, 2);
  for (let round = 0; round < 60; round++) {
    const controller = new AbortController();
    const call = codeOf(collect(source, `SELECT ${round}`, [], { signal: controller.signal }));
    setTimeout(() => controller.abort(), round / 20);
    expect(["cancelled", undefined]).toContain(await call);
    expect((await collect(source, `SELECT ${round}`)).rows).toEqual([[String(round)]]);
  }
});

test("a sink that has enough stops the statement on the server", async () => {
  await using source = openSource(database.url);
  const sql = "SELECT pg_sleep(0.001), repeat('x', 1000) /* enough */ FROM generate_series(1, 100000)";
  const { rows } = await collect(source, sql, [], { maxRows: 100 });
  expect(rows).toHaveLength(100);
  expect(await until(isGone("enough"))).toBeLessThan(1_000);
});

test("the server's own timeout ends a statement", async () => {
  await using source = openSource(database.url);
  await expect(collect(source, "SELECT pg_sleep(30)", [], { timeoutMs: 300 })).rejects.toMatchObject({
    code: "timeout",
    sqlstate: "57014",
  });
  expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
});

test("a statement that someone else cancels says so", async () => {
  await using source = openSource(database.url);
  const call = codeOf(collect(source, "SELECT pg_sleep(30) /* foreign */"));
  await until(runs("foreign"));
  // a server between two messages of a statement takes it for done, and says nothing
  await until(async () => {
    for (const pid of await running("foreign")) await admin`SELECT pg_cancel_backend(${pid})`;
    return isGone("foreign")();
  });
  expect(await call).toBe("cancelled");
});

test("a backend killed in flight is a retryable error, and the next call works", async () => {
  await using source = openSource(database.url, 2);
  for (let round = 0; round < 20; round++) {
    const call = collect(source, `SELECT pg_sleep(30) /* kill${round} */`);
    call.catch(() => {});
    await until(runs(`kill${round}`));
    for (const pid of await running(`kill${round}`)) await admin`SELECT pg_terminate_backend(${pid})`;
    await expect(call).rejects.toMatchObject({ code: "connection_lost", retryable: true });
    expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
  }
});

test("backends killed while idle, or at any moment, are replaced; no answer is wrong", async () => {
  await using source = openSource(database.url, 3);
  let lastKill: Promise<unknown> = Promise.resolve();
  const killer = setInterval(() => {
    lastKill =
      admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mcp-postgres' AND datname = current_database()`.catch(
        () => {},
      );
  }, 7);
  const codes = new Map<string, number>();
  try {
    for (let round = 0; round < 300; round++) {
      const call = collect(source, `SELECT ${round}, pg_sleep(0.001)`);
      const code = await codeOf(call);
      codes.set(String(code), (codes.get(String(code)) ?? 0) + 1);
      if (code === undefined) expect((await call).rows[0]?.[0]).toBe(String(round));
    }
  } finally {
    clearInterval(killer);
    await lastKill;
  }
  await until(async () => (await codeOf(collect(source, "SELECT 1"))) === undefined);
  expect(
    [...codes.keys()].filter((code) => !["undefined", "connection_lost", "connection_failed"].includes(code)),
  ).toEqual([]);
  expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
});

test("more calls than connections wait their turn; beyond the wait it is busy", async () => {
  await using source = openSource(database.url, 2);
  const calls = Array.from({ length: 20 }, (_, index) => collect(source, `SELECT ${index}, pg_sleep(0.01)`));
  expect((await Promise.all(calls)).map(({ rows }) => rows[0]?.[0])).toEqual(calls.map((_, index) => String(index)));
  const rows =
    await admin`SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'mcp-postgres' AND datname = current_database()`;
  expect(rows[0]?.n).toBeLessThanOrEqual(2);
});

test("dispose ends statements and connections, twice without harm", async () => {
  const source = openSource(database.url);
  const call = codeOf(collect(source, "SELECT pg_sleep(30) /* disposed */"));
  await until(runs("disposed"));
  await source[Symbol.asyncDispose]();
  await source[Symbol.asyncDispose]();
  expect(await call).toBe("connection_lost");
  expect(await until(isGone("disposed"))).toBeLessThan(2_000);
  expect(await codeOf(collect(source, "SELECT 1"))).toBe("connection_lost");
});

test("nothing of a call is left for the next", async () => {
  await using source = openSource(database.url, 1);
  // A function that lies about being harmless: what the layers below the guard are for.
  await database.run(`CREATE FUNCTION meddle() RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN
    PERFORM set_config('search_path', 'pg_temp', false), set_config('a.b', 'c', false), pg_advisory_lock(7);
    RETURN 1; END $$`);
  expect((await collect(source, "SELECT meddle()")).rows).toEqual([["1"]]);
  const sql = `SELECT current_setting('search_path'), current_setting('a.b', true),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), current_setting('default_transaction_read_only')`;
  const [row] = (await collect(source, sql)).rows;
  expect(row?.[0]).toContain("public");
  expect(row?.[1] ?? "").toBe("");
  expect(row?.slice(2)).toEqual(["0", "on"]);
});

test("a server that crashes and recovers is waited for, and its sessions are replaced", async () => {
  const log = { debug: () => {}, warn: () => {} };
  const signal = AbortSignal.timeout(60_000);
  await using instance = await startInstance({ binaries: await findBinaries({ signal, log }), signal });
  await using source = openSource(instance.url("postgres"));
  const call = collect(source, "SELECT pg_sleep(30)");
  call.catch(() => {});
  expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
  // A backend that dies by SIGKILL makes the postmaster end all sessions and run recovery.
  const superuser = postgres(instance.url("postgres"), { max: 1, onnotice: () => {} });
  await superuser.unsafe("COPY (SELECT 1) TO PROGRAM 'kill -9 $PPID'").catch(() => {});
  await superuser.end({ timeout: 1 });
  await expect(call).rejects.toMatchObject({ code: "connection_lost", retryable: true });
  await until(async () => (await codeOf(collect(source, "SELECT 1"))) === undefined, 10_000);
});
