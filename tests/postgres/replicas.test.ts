/** Reads routed to a real streaming replica, whose lag is made by pausing its replay. */
import type { Database } from "@database-interface/mcp-core/sql";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { planSources } from "../../mcp-core/src/sql/sources.js";
import type { Instance } from "../../mcp-postgres/src/instance.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { type Standby, startPostgres, startStandby } from "../support/postgres-standby.js";
import { codeOf, collect, limits, openSource } from "./open.js";

let primary: Instance;
let standby: Standby;
let admin: postgres.Sql;
beforeAll(async () => {
  primary = await startPostgres();
  admin = postgres(primary.url("postgres"), { max: 1, onnotice: () => {} });
  await admin.unsafe("CREATE TABLE notes (id int PRIMARY KEY, body text); INSERT INTO notes VALUES (1, 'first')");
  standby = await startStandby(primary);
  await standby.catchUp();
});
afterAll(async () => {
  await admin.end({ timeout: 1 });
  await standby[Symbol.asyncDispose]();
  await primary[Symbol.asyncDispose]();
});

const open = (lag: string, port = standby.port) =>
  openSource(`${primary.url("postgres")}?replicas=127.0.0.1:${port}&max_replica_lag=${lag}`);

const isOnReplica = async (source: Database) =>
  (await collect(source, "SELECT pg_is_in_recovery()")).rows[0]?.[0] === "true";

/** Reads until one is answered by the wanted server. */
async function untilOn(source: Database, server: "replica" | "primary"): Promise<void> {
  const deadline = performance.now() + 10_000;
  while ((await isOnReplica(source)) !== (server === "replica")) {
    if (performance.now() > deadline) throw new Error(`no read went to the ${server}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("reads, pages and analysed plans go to the replica once it is known to be fresh; the first read does not wait", async () => {
  await using source = open("5s");
  expect(await isOnReplica(source)).toBe(false);
  await untilOn(source, "replica");
  for (let call = 0; call < 10; call++) expect(await isOnReplica(source)).toBe(true);
  await using cursor = await source.openCursor({ sql: "SELECT pg_is_in_recovery()", params: [] }, limits());
  expect(await cursor.fetch(1, limits())).toEqual([["true"]]);
  expect((await source.check(limits())).warnings.join()).not.toContain("replica");
});

test("a replica beyond the bound gets no reads, and gets them again once it has caught up", async () => {
  await using source = open("300ms");
  await untilOn(source, "replica");
  await standby.run("SELECT pg_wal_replay_pause()");
  try {
    await admin.unsafe("INSERT INTO notes VALUES (2, 'second')");
    await untilOn(source, "primary");
    for (let call = 0; call < 20; call++) expect(await isOnReplica(source)).toBe(false);
    expect((await collect(source, "SELECT count(*) FROM notes")).rows).toEqual([["2"]]);
    expect((await source.check(limits())).warnings.join()).toContain("is more than 300 ms behind");
  } finally {
    await standby.run("SELECT pg_wal_replay_resume()");
  }
  await untilOn(source, "replica");
});

test("what is in the log and written out for no commit keeps no replica out", async () => {
  await using source = open("1s");
  // The server itself writes it out every 15 s: twice within less is not by chance.
  for (let round = 0; round < 2; round++) {
    await admin.unsafe("BEGIN; SELECT pg_logical_emit_message(false, 'tidy', 'x'); ROLLBACK");
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await untilOn(source, "replica");
  }
});

test("a commit that waits to be written out is missed by no read, though no replica can have it", async () => {
  await admin.unsafe("ALTER SYSTEM SET wal_writer_delay = '5s'");
  await admin.unsafe("SELECT pg_reload_conf()");
  await using source = open("300ms");
  try {
    for (let round = 1; round <= 5; round++) {
      await admin.unsafe(`SET synchronous_commit = off; INSERT INTO notes VALUES (${1_000 + round}, 'late')`);
      await new Promise((resolve) => setTimeout(resolve, 350));
      const sql = "SELECT count(*) FROM notes WHERE body = 'late'";
      for (let call = 0; call < 5; call++) expect((await collect(source, sql)).rows).toEqual([[String(round)]]);
    }
  } finally {
    await admin.unsafe("ALTER SYSTEM RESET wal_writer_delay");
    await admin.unsafe("SELECT pg_reload_conf(), set_config('synchronous_commit', 'on', false)");
  }
});

test("a write goes to the primary, and what follows reads it, however late the replica is within its bound", async () => {
  await using source = open("60m");
  await untilOn(source, "replica");
  await standby.run("SELECT pg_wal_replay_pause()");
  try {
    const statement = { sql: "INSERT INTO notes VALUES ($1, 'mine')", params: [3] };
    await source.writing?.run(statement, { columns() {}, row: () => true }, limits());
    for (let call = 0; call < 20; call++) {
      expect((await collect(source, "SELECT body FROM notes WHERE id = 3")).rows).toEqual([["mine"]]);
    }
  } finally {
    await standby.run("SELECT pg_wal_replay_resume()");
  }
  await untilOn(source, "replica");
  expect((await collect(source, "SELECT body FROM notes WHERE id = 3")).rows).toEqual([["mine"]]);
});

test("a paged result stays on its server while the replica falls behind", async () => {
  await using source = open("300ms");
  await using cursor = await openOnReplica(source, "SELECT pg_is_in_recovery() FROM generate_series(1, 4)");
  await standby.run("SELECT pg_wal_replay_pause()");
  try {
    await admin.unsafe("INSERT INTO notes SELECT g, 'x' FROM generate_series(100, 200) AS g");
    await untilOn(source, "primary");
    expect(await cursor.fetch(9, limits())).toEqual([["true"], ["true"]]);
  } finally {
    await standby.run("SELECT pg_wal_replay_resume()");
  }
});

/** A paged result of the replica, of which two rows are read. */
async function openOnReplica(source: Database, sql: string) {
  for (;;) {
    await untilOn(source, "replica");
    const cursor = await source.openCursor({ sql, params: [] }, limits());
    if ((await cursor.fetch(2, limits()))[0]?.[0] === "true") return cursor;
    // It has fallen behind just now, as it may on a busy machine.
    await cursor[Symbol.asyncDispose]();
  }
}

test("a replica that dies costs no call", async () => {
  const dying = await startStandby(primary);
  await dying.catchUp();
  await using source = open("5s", dying.port);
  await untilOn(source, "replica");
  await dying[Symbol.asyncDispose]();
  for (let call = 0; call < 10; call++) expect(await isOnReplica(source)).toBe(false);
});

test("a statement's own error is not tried again on the primary", async () => {
  await using source = open("5s");
  await untilOn(source, "replica");
  expect(await codeOf(collect(source, "SELECT nope FROM notes"))).toBe("column_not_found");
  expect(await isOnReplica(source)).toBe(true);
});

test("what is no replica of this primary is not read from, and the check says why", async () => {
  await using other = await startPostgres();
  await using itself = open("5s", primary.port);
  expect((await itself.check(limits())).warnings.join()).toContain("is no standby");
  const url = `${primary.url("postgres")}?replicas=127.0.0.1:${other.port},127.0.0.1:1`;
  await using wrong = openSource(url);
  const warnings = (await wrong.check(limits())).warnings.join();
  expect(warnings).toContain(`127.0.0.1:1 cannot be reached`);
  expect(warnings).toMatch(/belongs to another cluster|is no standby/);
  for (let call = 0; call < 10; call++) expect(await isOnReplica(wrong)).toBe(false);
});

test("a config file names them beside the URL", () => {
  const [source] = planSources(postgresKind, {
    urls: [],
    flags: [],
    file: { shop: { url: "postgres://u@p/shop", replicas: ["r1", "[::1]:5433"], maxReplicaLag: "2s" } },
    environment: {},
  });
  expect(source?.config.replicas).toEqual([
    { host: "r1", port: 5432 },
    { host: "::1", port: 5433 },
  ]);
  expect(source?.config.maxReplicaLagMs).toBe(2_000);
  for (const option of ["replicas=a,,b", "max_replica_lag=soon", "max_replica_lag=1ms"]) {
    expect(() => postgresKind.parseSource(`postgres://u@p/d?${option}`, {})).toThrow(/replica/);
  }
});
