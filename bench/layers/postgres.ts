/** The layers of mcp-postgres one at a time, on its own session with its own statements. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import type { PostgresConfig } from "../../mcp-postgres/src/config.js";
import { createConnector, sessionDefaults } from "../../mcp-postgres/src/connect.js";
import { approve } from "../../mcp-postgres/src/guard.js";
import { createNameMemory } from "../../mcp-postgres/src/guard-memory.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { createPool } from "../../mcp-postgres/src/pool.js";
import { openSession } from "../../mcp-postgres/src/session.js";
import { begin, clean } from "../../mcp-postgres/src/transaction.js";
import { collect } from "../../tests/postgres/open.js";
import type { Observer, Place } from "../../tests/safety/corpus.js";
import { fillPostgres, observePostgres, postgresSessionSql } from "../../tests/safety/postgres-world.js";
import { startPostgres } from "../../tests/support/postgres-standby.js";
import {
  type Engine,
  type LayerName,
  type LayerSession,
  maxCallMs,
  maxReplyBytes,
  type Reply,
  timeLimitMs,
} from "./engine.js";
import { answered, failed, untilGone, watchMemory, wholeSession } from "./session.js";
import { takeSnapshot } from "./snapshot.js";

const log = { debug: () => {}, warn: () => {} };
const profile = { isShared: false, isWatched: false };
const options = { poolSize: 1, connectTimeoutMs: 5_000, log };
/** What the product takes from the wire for one call of these tests. */
const maxWireBytes = 4_000_000;
/** How often a backend's memory is read, in milliseconds. */
const memoryEveryMs = 20;
/** A backend that has more is cut off. */
const tooManyBytes = 1_000_000_000;

export async function openPostgresEngine(): Promise<Engine> {
  const server = await startPostgres(new AbortController().signal);
  const place = await fillPostgres(server.url("postgres"));
  // It would take transaction ids of its own.
  await place.database.run("ALTER SYSTEM SET autovacuum = off");
  // Its log is read from the start.
  await place.database.run("ALTER SYSTEM SET wal_keep_size = '2GB'");
  const [where] = await place.database.run("SHOW data_directory");
  const snapshot = await takeSnapshot(server, String(where?.data_directory), { clean: "SIGINT", now: "SIGQUIT" });
  let watcher = await watch(place);
  return {
    name: "PostgreSQL",
    administrator: "superuser",
    place,
    fill: place.fill,
    maxBytes: tooManyBytes,
    state: () => watcher.state(),
    open: (layer, url) => openLayer(layer, url, watcher),
    async restore() {
      if (await watcher.mend()) return;
      await watcher[Symbol.asyncDispose]();
      await snapshot.restore();
      await place.surroundings.clear();
      watcher = await watch(place);
    },
    async [Symbol.asyncDispose]() {
      await watcher[Symbol.asyncDispose]();
      await snapshot[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await place.surroundings[Symbol.asyncDispose]();
    },
  };
}

interface Watcher extends Observer {
  /** Undoes what is quickly undone; false when the world is not as it was after that. */
  mend(): Promise<boolean>;
  /** What `pg_stat_activity` says of a process; undefined when it is gone. */
  activityOf(processId: number): Promise<string | undefined>;
  terminate(processId: number): Promise<void>;
}

/** The world of the tests, and what can be told on a server of one's own: transaction ids, log records, messages. */
async function watch(place: Place): Promise<Watcher> {
  const observer = await observePostgres(place);
  const admin = postgres(place.database.url, { max: 1, onnotice: () => {}, connection: { statement_timeout: 5_000 } });
  let messages = 0;
  await admin.listen("safety_chan", () => {
    messages++;
  });
  const [start] = await admin`SELECT pg_current_wal_flush_lsn() AS lsn,
    current_setting('server_version_num')::int >= 170000 AS is_new`;
  const checkpoints = start?.is_new
    ? "SELECT num_requested FROM pg_stat_checkpointer"
    : "SELECT checkpoints_req FROM pg_stat_bgwriter";
  const counters = `SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xid, (${checkpoints}) AS checkpoints,
    CASE WHEN pg_current_wal_flush_lsn() > '${start?.lsn}' THEN (SELECT string_agg(record_type, ',')
      FROM pg_get_wal_records_info('${start?.lsn}', pg_current_wal_flush_lsn())
      WHERE resource_manager = 'LogicalMessage' OR record_type IN ('SWITCH', 'RESTORE_POINT')) END AS records`;
  const untouched = await observer.state();
  return {
    async mend() {
      try {
        await admin.unsafe("DELETE FROM shop.canary; INSERT INTO shop.canary VALUES (1, 'untouched')");
        await admin.unsafe("SELECT setval('shop.seq', 100, false)");
        await place.surroundings.clear();
        return (await observer.state()) === untouched;
      } catch {
        return false;
      }
    },
    async state() {
      const state = await Promise.race([observer.state(), sleep(5_000).then(() => "unreachable")]);
      const [more] = await admin.unsafe(counters);
      return JSON.stringify({ state, more, messages });
    },
    async activityOf(processId) {
      const [row] = await admin`SELECT state FROM pg_stat_activity WHERE pid = ${processId}`;
      return row?.state;
    },
    async terminate(processId) {
      await admin`SELECT pg_terminate_backend(${processId})`;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([observer[Symbol.asyncDispose](), admin.end({ timeout: 0 })]);
    },
  };
}

async function openLayer(layer: LayerName, url: string, watcher: Watcher): Promise<LayerSession> {
  const config = postgresKind.parseSource(url, {});
  return layer === "all" ? await openAll(config) : await openAlone(layer, config, watcher);
}

/** The product as it is. */
async function openAll(config: PostgresConfig): Promise<LayerSession> {
  const database = postgresKind.open(config, options);
  const run = (sql: string) => collect(database, sql, [], { timeoutMs: timeLimitMs, maxWireBytes, maxRows: 100 });
  const processId = Number((await run("SELECT pg_backend_pid()")).rows[0]?.[0]);
  const memory = watchMemory(() => residentBytes(processId), memoryEveryMs);
  return wholeSession(database, run, { sessionSql: postgresSessionSql, memory });
}

async function openAlone(layer: LayerName, config: PostgresConfig, watcher: Watcher): Promise<LayerSession> {
  const { signal } = new AbortController();
  const [endpoint] = config.endpoints;
  if (endpoint === undefined) throw new Error("The URL names no host.");
  const password = config.password?.() ?? "";
  const defaults = defaultsOf(layer);
  const session = await openSession({ config, endpoint, protection: "plain", password, defaults, signal });
  const { processId } = session.greeting;
  const connected = { session, profile };
  const guard = layer === "understanding" ? createGuard(config) : undefined;
  const isReadOnly = layer === "read-only session and transaction";
  const isOne = layer === "one statement";
  let isCut = false;
  const cut = () => {
    isCut = true;
    session.destroy(new Error("cut"));
  };
  const memory = watchMemory(() => {
    const bytes = residentBytes(processId);
    if (bytes > tooManyBytes) cut();
    return bytes;
  }, memoryEveryMs);
  await send("SELECT 1");

  async function send(sql: string): Promise<string> {
    const limits = { timeoutMs: 0, maxWireBytes, signal };
    if (isReadOnly) await begin(connected, limits);
    let text = "";
    const onRow = (row: readonly (string | null)[]) => {
      if (text.length < 1_000_000) text += JSON.stringify(row).slice(0, 1_000_000);
    };
    try {
      await session.send({ sql, simple: !isOne, onRow });
      return text;
    } finally {
      if (isReadOnly) await session.send({ sql: "ROLLBACK", simple: true }).catch(() => {});
      if (layer === "reset") await clean(connected, Promise.resolve()).catch(() => {});
    }
  }

  async function call(sql: string): Promise<Reply> {
    try {
      if (guard !== undefined) await guard.assert(sql);
    } catch (thrown) {
      return { ...failed(thrown), ending: "refused" };
    }
    session.limit(layer === "limits" ? maxWireBytes : maxReplyBytes);
    const timer = setTimeout(cut, maxCallMs);
    const reply = await send(sql).then(answered, failed);
    clearTimeout(timer);
    const isFlooded = layer !== "limits" && reply.text.includes("result_too_large");
    return isCut || isFlooded ? { ...reply, ending: "cut" } : reply;
  }

  return {
    call,
    async left() {
      if (!session.isOpen) return undefined;
      // The driver waits for ever after some copies.
      const timer = setTimeout(cut, maxCallMs);
      const text = await send(postgresSessionSql).catch(async (thrown) => {
        // A connection that was cut is known to be a moment later.
        await sleep(100);
        return String(thrown);
      });
      clearTimeout(timer);
      return session.isOpen ? `${text} ${await watcher.activityOf(processId)}` : undefined;
    },
    peakBytes: () => memory.peakBytes,
    async [Symbol.asyncDispose]() {
      memory.stop();
      await guard?.[Symbol.asyncDispose]();
      await session[Symbol.asyncDispose]();
      await untilGone(
        async () => (await watcher.activityOf(processId)) === undefined,
        () => watcher.terminate(processId),
      );
    },
  };
}

function defaultsOf(layer: LayerName): Readonly<Record<string, string>> {
  const pick = (...names: string[]) =>
    Object.fromEntries(Object.entries(sessionDefaults).filter(([name]) => names.includes(name)));
  if (layer === "read-only session and transaction") return pick("default_transaction_read_only");
  if (layer !== "time limits") return {};
  const patience = pick("lock_timeout", "idle_in_transaction_session_timeout");
  return { ...patience, statement_timeout: String(timeLimitMs) };
}

/** The guard with a pool of its own, from which it asks the catalogue. */
function createGuard(config: PostgresConfig) {
  const connect = createConnector(config, options);
  const pool = createPool({ size: 1, waitMs: 5_000, connect, stop: async () => {}, log });
  const nothing = { schemas: undefined, columnRules: [], sessionContext: [] };
  const source = { pool, tls: config.tls, typeNames: new Map(), names: createNameMemory(), ...nothing };
  return {
    assert: (sql: string) => approve(source, { sql, params: [] }, { signal: new AbortController().signal }),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

/** The private memory of a backend; none when it is gone. */
function residentBytes(processId: number): number {
  try {
    return Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${processId}/status`, "utf8"))?.[1] ?? 0) * 1_024;
  } catch {
    return 0; // It is gone.
  }
}
