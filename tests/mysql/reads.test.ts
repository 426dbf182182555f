/** Reads end: by their limits, by the caller, by the server, and leave nothing behind. */
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { answerOf, bounds, eventually, failureOf, openSource } from "./open.js";

const endless = "SELECT COUNT(*) FROM seq_1_to_10000000 a, seq_1_to_10000000 b WHERE a.seq + b.seq > 0";
let database: TestDatabase;
let source: Database;
beforeAll(async () => {
  database = await createMysqlDatabase();
  await database.run("CREATE TABLE t (id INT PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
  source = openSource(database.url);
});
afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** Connections to this database other than the administrator's own, and what they run. */
const others = () =>
  database.run(`SELECT id, command, info FROM information_schema.processlist
    WHERE db = '${database.name}' AND id <> CONNECTION_ID()`);
// A thread that was killed already may take a moment to leave; it is none of these.
const runners = async () =>
  (await others()).filter(({ command, info }) => command === "Query" && String(info).includes("seq_1_to_"));
const isRunning = async () => (await runners()).length > 0;
const ids = async () => (await others()).map(({ id }) => Number(id)).sort();

describe("limits", () => {
  test("the server gives one row more than asked, which proves there are more", async () => {
    const { rows } = await answerOf(source, "SELECT seq FROM seq_1_to_1000000", [], { maxRows: 5 });
    expect(rows).toHaveLength(5);
    const delivered: unknown[] = [];
    const sink = { columns: () => {}, row: (cells: unknown) => delivered.push(cells) < 100 };
    await source.read({ sql: "SELECT seq FROM seq_1_to_1000000", params: [] }, sink, bounds({ maxRows: 5 }));
    expect(delivered).toHaveLength(6);
  });

  test("a sink that has enough stops the statement on the server, and the session goes on", async () => {
    await using own = openSource(database.url, { poolSize: 1 });
    await answerOf(own, "SELECT 1");
    const before = await others();
    let count = 0;
    const sink = { columns: () => {}, row: () => ++count < 3 };
    const sql = "SELECT seq, REPEAT('x', 100000) FROM seq_1_to_1000000";
    await own.read({ sql, params: [] }, sink, bounds({ maxRows: 1_000_000, maxWireBytes: 1_000_000_000 }));
    expect(count).toBe(3);
    expect((await answerOf(own, "SELECT 2")).rows).toEqual([["2"]]);
    expect((await others()).length).toBe(before.length);
  });

  test("one huge row is cut at the byte limit, without our memory following it", async () => {
    const before = process.memoryUsage().rss;
    const columns = Array.from({ length: 10 }, (_, index) => `REPEAT('${index}', 12000000)`).join(", ");
    expect(await failureOf(answerOf(source, `SELECT ${columns}`, [], { maxWireBytes: 8_000_000 }))).toMatchObject({
      code: "result_too_large",
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(120_000_000);
    expect((await answerOf(source, "SELECT 1")).rows).toEqual([["1"]]);
  });

  test.each([
    endless,
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT a.n + 1 FROM r AS a, seq_1_to_10000000 WHERE a.n < 9) SELECT COUNT(*) FROM r",
  ])("time: %s", async (sql) => {
    expect(await failureOf(answerOf(source, sql, [], { timeoutMs: 300 }))).toMatchObject({ code: "timeout" });
    expect(await isRunning()).toBe(false);
  });

  test("a source with all connections in use says busy, and recovers", async () => {
    await using own = openSource(database.url, { poolSize: 1, connectTimeoutMs: 200 });
    const held = failureOf(answerOf(own, endless, [], { timeoutMs: 1_500 }));
    expect(await failureOf(answerOf(own, "SELECT 1"))).toMatchObject({ code: "busy", retryable: true });
    await held;
    expect((await answerOf(own, "SELECT 1")).rows).toEqual([["1"]]);
  });

  test("calls beyond the pool wait their turn", async () => {
    await using own = openSource(database.url, { poolSize: 2 });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => answerOf(own, "SELECT ?", [index])));
    expect(answers.map(({ rows }) => rows[0]?.[0])).toEqual(Array.from({ length: 40 }, (_, index) => String(index)));
    expect((await others()).length).toBeLessThanOrEqual(6);
  });
});

describe("cancelling", () => {
  test("stops the statement on the server, only that one, and keeps the session", async () => {
    await using own = openSource(database.url, { poolSize: 2 });
    const neighbour = failureOf(answerOf(own, endless, [], { timeoutMs: 2_500 }));
    await eventually(isRunning);
    const stop = new AbortController();
    const cancelled = failureOf(answerOf(own, endless, [], { signal: stop.signal }));
    const running = async () => (await runners()).length;
    await eventually(async () => (await running()) === 2);
    const startedAt = performance.now();
    stop.abort();
    expect(await cancelled).toMatchObject({ code: "cancelled" });
    await eventually(async () => (await running()) === 1);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect((await answerOf(own, "SELECT 1")).rows).toEqual([["1"]]);
    expect(await neighbour).toMatchObject({ code: "timeout" });
  });

  test("a hundred cancels at random moments hit nothing but their own call", async () => {
    await using own = openSource(database.url, { poolSize: 2 });
    for (let round = 0; round < 100; round++) {
      const stop = new AbortController();
      setTimeout(() => stop.abort(), round % 10);
      await answerOf(own, "SELECT COUNT(*) FROM seq_1_to_200000", [], { signal: stop.signal }).catch((thrown) =>
        expect(thrown).toMatchObject({ code: "cancelled" }),
      );
      expect((await answerOf(own, "SELECT ?", [round])).rows).toEqual([[String(round)]]);
    }
    await eventually(async () => !(await isRunning()));
  });

  test("a signal that has fired already sends nothing", async () => {
    expect(await failureOf(answerOf(source, endless, [], { signal: AbortSignal.abort() }))).toMatchObject({
      code: "cancelled",
    });
  });

  test("closing the source stops what still runs", async () => {
    const own = openSource(database.url);
    const lost = failureOf(answerOf(own, endless));
    await eventually(isRunning);
    await own[Symbol.asyncDispose]();
    expect(await lost).toMatchObject({ code: "connection_lost" });
    await eventually(async () => !(await isRunning()));
    await own[Symbol.asyncDispose]();
    expect(await failureOf(answerOf(own, "SELECT 1"))).toMatchObject({ code: "connection_lost" });
  });
});

describe("a connection that dies", () => {
  test.each(["KILL", "KILL HARD"])(
    "%s while a statement runs: lost, retryable, and the next call works",
    async (kill) => {
      await using own = openSource(database.url, { poolSize: 1 });
      await answerOf(own, "SELECT 1");
      for (let round = 0; round < 20; round++) {
        const lost = failureOf(answerOf(own, endless));
        await eventually(isRunning);
        for (const { id } of await runners()) await database.run(`${kill} ${id}`);
        expect(await lost).toMatchObject({ code: "connection_lost", retryable: true });
        expect((await answerOf(own, "SELECT 1")).rows).toEqual([["1"]]);
      }
    },
  );

  test("killed while idle: the next call works", async () => {
    await using own = openSource(database.url, { poolSize: 1 });
    for (let round = 0; round < 20; round++) {
      const known = await ids();
      await answerOf(own, "SELECT 1");
      for (const id of await ids()) if (!known.includes(id)) await database.run(`KILL ${id}`);
      await eventually(async () => (await ids()).length <= known.length);
      expect((await answerOf(own, "SELECT 2")).rows).toEqual([["2"]]);
    }
  });

  test("nobody listens, nobody answers, and another protocol: clear and in time", async () => {
    const silent = createServer(() => {});
    const wrong = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await Promise.all(
      [silent, wrong].map((server) => new Promise<void>((done) => server.listen(0, "127.0.0.1", done))),
    );
    const portOf = (server: typeof silent) => Object(server.address()).port;
    const ports = [1, portOf(silent), portOf(wrong)];
    for (const port of ports) {
      await using own = openSource(`mysql://u:s3cret@127.0.0.1:${port}/d`, { connectTimeoutMs: 500 });
      const failure = await failureOf(answerOf(own, "SELECT 1"));
      expect(failure).toMatchObject({ code: "connection_failed", retryable: true });
      expect(JSON.stringify(failure)).not.toContain("s3cret");
    }
    silent.close();
    wrong.close();
  });
});

describe("nothing of a call is visible in the next", () => {
  test("limits, variables and the snapshot are fresh every time", async () => {
    await using own = openSource(database.url, { poolSize: 1 });
    await answerOf(own, "SELECT COUNT(*) FROM t");
    await database.run("INSERT INTO t VALUES (3, 'c')");
    expect((await answerOf(own, "SELECT COUNT(*) FROM t")).rows).toEqual([["3"]]);
    await answerOf(own, "SELECT 1", [], { timeoutMs: 1_234, maxRows: 7 });
    const settings = "SELECT @@max_statement_time, @@sql_select_limit, @@tx_read_only, @@in_transaction";
    const { rows } = await answerOf(own, settings, [], { timeoutMs: 2_500, maxRows: 9 });
    expect(rows).toEqual([["2.500000", "10", "1", "1"]]);
  });

  test("a session is read-only by itself, without its transaction and without the guard", async () => {
    const { createConnector } = await import("../../mcp-mysql/src/connect.js");
    const { parseSource } = await import("../../mcp-mysql/src/config.js");
    const log = { debug: () => {}, warn: () => {} };
    const connect = createConnector(parseSource(database.url, {}), { poolSize: 1, connectTimeoutMs: 5_000, log });
    const { session, setUp, limits } = await connect(new AbortController().signal);
    for (const sql of [
      "UPDATE t SET v = 'x'",
      "CREATE TABLE u (i INT)",
      "BEGIN NOT ATOMIC COMMIT; DELETE FROM t; END",
    ]) {
      expect(await failureOf(session.send({ sql }))).toMatchObject({ errno: 1792 });
    }
    await Promise.all([session.reset(), ...setUp(limits).map((sql) => session.send({ sql }))]);
    expect(await failureOf(session.send({ sql: "DELETE FROM t" }))).toMatchObject({ errno: 1792 });
    expect(await failureOf(session.send({ sql: "SELECT 1; SELECT 2" }))).toMatchObject({ errno: 1064 });
    await session[Symbol.asyncDispose]();
  });

  test("lexical modes of the server are not ours", async () => {
    const [before] = await database.run("SELECT @@global.sql_mode AS mode");
    await database.run("SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'");
    try {
      await using own = openSource(database.url);
      const { rows } = await answerOf(own, `SELECT "a\\"b", @@sql_mode, 'x' || 'y'`);
      expect(rows).toEqual([['a"b', "PIPES_AS_CONCAT", "xy"]]);
    } finally {
      await database.run(`SET GLOBAL sql_mode = '${before?.mode}'`);
    }
  });
});
