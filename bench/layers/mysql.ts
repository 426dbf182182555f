/** The layers of mcp-mysql one at a time, on the bare driver with the server's own statements. */
import { connect as connectTcp } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, createConnection } from "mariadb";
import type { MysqlConfig } from "../../mcp-mysql/src/config.js";
import { createConnector, limitSettings } from "../../mcp-mysql/src/connect.js";
import { approve } from "../../mcp-mysql/src/guard.js";
import { createNameCheck } from "../../mcp-mysql/src/guard-names.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { createPool } from "../../mcp-mysql/src/pool.js";
import { answerOf } from "../../tests/mysql/open.js";
import type { Observer, Place } from "../../tests/safety/corpus.js";
import { fillMysql, mysqlSessionSql, observeMysql } from "../../tests/safety/mysql-world.js";
import { startMariadb } from "../../tests/support/mariadb-instances.js";
import { type Engine, type LayerName, type LayerSession, maxCallMs, maxReplyBytes, timeLimitMs } from "./engine.js";
import { answered, failed, untilGone, watchMemory, wholeSession } from "./session.js";
import { takeSnapshot } from "./snapshot.js";

const log = { debug: () => {}, warn: () => {} };
const options = { poolSize: 1, connectTimeoutMs: 5_000, log };
/** What the product takes from the wire for one call of these tests. */
const maxWireBytes = 8_000_000;
/** How often the server is asked what a session uses, in milliseconds. */
const memoryEveryMs = 100;
/** What the product lets one session of MariaDB have. */
const sessionMemory = 256 * 1024 * 1024;

export async function openMysqlEngine(): Promise<Engine> {
  const server = await startMariadb(new AbortController().signal);
  const place = await fillMysql(server.url("test"));
  const [where] = await place.database.run("SELECT @@datadir AS folder");
  const dataFolder = String(where?.folder).replace(/\/$/, "");
  const snapshot = await takeSnapshot(server, dataFolder, { clean: "SIGTERM", now: "SIGKILL" });
  let watcher = await watch(place);
  return {
    name: "MariaDB",
    administrator: "root",
    place,
    maxBytes: 300_000_000,
    fill: (sql) => watcher.fill(sql),
    state: () => watcher.state(),
    open: (layer, url) => openLayer(layer, url, watcher),
    async restore() {
      if (await watcher.mend()) return;
      await snapshot.restore();
      await watcher[Symbol.asyncDispose]();
      await place.surroundings.clear();
      watcher = await watch(place);
    },
    async [Symbol.asyncDispose]() {
      await snapshot[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await watcher[Symbol.asyncDispose]();
      await place.surroundings[Symbol.asyncDispose]();
    },
  };
}

interface Watcher extends Observer {
  /** Undoes what is quickly undone; false when the world is not as it was after that. */
  mend(): Promise<boolean>;
  fill(sql: string): string;
  /** The most memory a session has used, in bytes. */
  peakBytes(threadId: number): Promise<number>;
  /** Whether the session has a transaction open; undefined when it is gone. */
  transactionOf(threadId: number): Promise<string | undefined>;
  kill(threadId: number): Promise<void>;
}

/** The world of the tests, and whether anything keeps others from writing. */
async function watch(place: Place): Promise<Watcher> {
  const observer = await observeMysql(place);
  const url = new URL(place.database.url);
  const login = { host: url.hostname, port: Number(url.port), user: url.username, password: url.password };
  const admin = await createConnection({ ...login, database: place.database.name });
  admin.on("error", () => {});
  await admin.query("SET SESSION lock_wait_timeout = 1");
  const untouched = await observer.state();
  const ask = async (sql: string, value: number) => (await admin.query(sql, [value]))[0];
  return {
    fill: observer.fill,
    async mend() {
      try {
        for (const table of ["canary", "canary_myisam", "canary_mem"]) {
          await admin.query(`DELETE FROM ${table}`);
          await admin.query(`INSERT INTO ${table} VALUES (1, 'untouched')`);
        }
        await place.surroundings.clear();
        return (await observer.state()) === untouched;
      } catch {
        return false;
      }
    },
    async state() {
      const state = await Promise.race([observer.state(), sleep(5_000).then(() => "unreachable")]);
      const locked = await admin
        .query("LOCK TABLES canary WRITE, orders WRITE, canary_myisam WRITE")
        .then(() => "", String);
      await admin.query("UNLOCK TABLES");
      return `${state} ${locked}`;
    },
    async peakBytes(threadId) {
      const row = await ask("SELECT MAX_MEMORY_USED AS n FROM information_schema.processlist WHERE id = ?", threadId);
      return Number(row?.n ?? 0);
    },
    async transactionOf(threadId) {
      const row = await ask(
        `SELECT (SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = p.id) AS n
          FROM information_schema.processlist AS p WHERE id = ?`,
        threadId,
      );
      return row === undefined ? undefined : String(row.n);
    },
    kill: async (threadId) => void (await admin.query(`KILL ${threadId}`)),
    async [Symbol.asyncDispose]() {
      await observer[Symbol.asyncDispose]();
      admin.destroy();
    },
  };
}

async function openLayer(layer: LayerName, url: string, watcher: Watcher): Promise<LayerSession> {
  const config = mysqlKind.parseSource(url, {});
  return layer === "all" ? await openAll(config, watcher) : await openAlone(layer, config, watcher);
}

/** The product as it is. */
async function openAll(config: MysqlConfig, watcher: Watcher): Promise<LayerSession> {
  const database = mysqlKind.open(config, options);
  const run = (sql: string) => answerOf(database, sql, [], { timeoutMs: timeLimitMs, maxWireBytes, maxRows: 100 });
  const threadId = Number((await run("SELECT CONNECTION_ID()")).rows[0]?.[0]);
  const memory = watchMemory(() => watcher.peakBytes(threadId), memoryEveryMs);
  return wholeSession(database, run, { sessionSql: mysqlSessionSql, memory });
}

async function openAlone(layer: LayerName, config: MysqlConfig, watcher: Watcher): Promise<LayerSession> {
  const [endpoint] = config.endpoints;
  if (endpoint === undefined || !("host" in endpoint)) throw new Error("The URL names no host.");
  let received = 0;
  let isCut = false;
  let limit = Number.POSITIVE_INFINITY;
  const socket = connectTcp({ host: endpoint.host, port: endpoint.port });
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    received += chunk.length;
    if (received > limit) socket.destroy(new Error("too much"));
  });
  const isOne = layer === "one statement";
  const connection = await createConnection({
    host: endpoint.host,
    port: endpoint.port,
    user: config.user,
    password: config.password?.() ?? "",
    database: config.database,
    stream: () => socket,
    multipleStatements: !isOne,
    permitLocalInfile: !isOne,
    rowsAsArray: true,
    checkDuplicate: false,
    logger: { warning: () => {} },
  });
  connection.on("error", () => {});
  const threadId = Number(connection.threadId);
  const guard = layer === "understanding" ? createGuard(config) : undefined;
  const isReadOnly = layer === "read-only session and transaction";
  for (const sql of setUpOf(layer)) await connection.query(sql);
  const cut = () => {
    isCut = true;
    socket.destroy(new Error("cut"));
  };
  const memory = watchMemory(() => watcher.peakBytes(threadId), memoryEveryMs);
  await send("SELECT 1");

  async function send(sql: string): Promise<string> {
    try {
      if (isReadOnly) await connection.query("START TRANSACTION READ ONLY");
      const rows = await connection.query(sql);
      return JSON.stringify(rows, (_, value) => (typeof value === "bigint" ? String(value) : value)).slice(
        0,
        1_000_000,
      );
    } finally {
      if (isReadOnly) await quietly(connection, "ROLLBACK");
      if (layer === "reset") {
        await quietly(connection, "ROLLBACK");
        await connection.reset().catch(() => {});
        await quietly(connection, `USE ${config.database}`);
      }
    }
  }

  return {
    async call(sql) {
      try {
        if (guard !== undefined) await guard.assert(sql);
      } catch (thrown) {
        return { ...failed(thrown), ending: "refused" };
      }
      received = 0;
      limit = layer === "limits" ? maxWireBytes : maxReplyBytes;
      const timer = setTimeout(cut, maxCallMs);
      const reply = await send(sql).then(answered, failed);
      clearTimeout(timer);
      const isFlooded = layer !== "limits" && received > limit;
      return isCut || isFlooded ? { ...reply, ending: "cut" } : reply;
    },
    async left() {
      if (socket.destroyed || !connection.isValid()) return undefined;
      const found: string[] = [];
      for (const sql of [mysqlSessionSql, ...remains]) found.push(await send(sql).catch(String));
      return `${found} ${await watcher.transactionOf(threadId).catch(() => "unreachable")}`;
    },
    peakBytes: () => memory.peakBytes,
    async [Symbol.asyncDispose]() {
      memory.stop();
      await guard?.[Symbol.asyncDispose]();
      socket.destroy();
      await untilGone(
        async () => (await watcher.transactionOf(threadId)) === undefined,
        () => watcher.kill(threadId),
      );
    },
  };
}

/** What no variable tells: a temporary table, an open handler, a prepared statement of the corpora. */
const remains = ["SELECT COUNT(*) FROM t1", "HANDLER canary READ FIRST", "EXECUTE keep"];

const quietly = (connection: Connection, sql: string): Promise<void> =>
  connection.query(sql).then(
    () => {},
    () => {},
  );

function setUpOf(layer: LayerName): readonly string[] {
  const [time = "", rows = ""] = limitSettings(true, { timeoutMs: timeLimitMs, maxRows: 101 });
  if (layer === "read-only session and transaction") return ["SET SESSION TRANSACTION READ ONLY"];
  if (layer === "time limits") {
    return [`SET ${time}, SESSION lock_wait_timeout = 5, SESSION innodb_lock_wait_timeout = 5`];
  }
  return layer === "limits" ? [`SET ${rows}, SESSION max_session_mem_used = ${sessionMemory}`] : [];
}

/** The guard with a pool of its own, from which it asks the catalogue. */
function createGuard(config: MysqlConfig) {
  const pool = createPool({
    size: 1,
    waitMs: 5_000,
    connect: createConnector(config, options),
    watch: () => () => {},
    log,
  });
  const nothing = { schemas: undefined, columnRules: [], sessionContext: [] };
  const source = { pool, checkNames: createNameCheck(pool, config.database), database: config.database, ...nothing };
  return {
    assert: (sql: string) => approve(source, { sql, params: [] }, { signal: new AbortController().signal }),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}
