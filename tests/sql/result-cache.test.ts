/** Results that are used again, on every database: only where an operator says so, never another principal's, never after a write or change. */
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { principalMetaKey } from "../../mcp-core/src/host/principal.js";
import { afterWrites } from "../../mcp-core/src/sql/after-writes.js";
import type { ServerSettings } from "../../mcp-core/src/sql/call.js";
import { watchCatalog } from "../../mcp-core/src/sql/catalog-watch.js";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { createResultStore } from "../../mcp-core/src/sql/result-cache.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { callJson, connect, type Era, eras, openSources, serverOf } from "./connect.js";

const count = "SELECT count(*) AS n FROM things";

describe.each([
  ["postgres", postgresKind, createPostgresDatabase],
  ["mysql", mysqlKind, createMysqlDatabase],
] as const)("%s", (_, anyKind, create) => {
  const kind = anyKind as typeof postgresKind; // both are kinds
  let own: TestDatabase;
  beforeAll(async () => {
    own = await create();
    await own.run("CREATE TABLE things (id int, name varchar(20))");
  });
  beforeEach(async () => {
    await own.run("DELETE FROM things");
    await own.run("INSERT INTO things VALUES (1, 'a'), (2, 'b')");
  });
  afterAll(() => own[Symbol.asyncDispose]());

  /** A server of two sources on one database, `kept` remembering and `plain` not, with a clock of ours. */
  async function open({ ttlMs = 60_000, era = "modern" as Era, settings = {} as Partial<ServerSettings> } = {}) {
    const { list, ...opened } = openSources(kind, { kept: own.url, plain: own.url });
    const clock = { now: 1_000_000 };
    const now = () => clock.now;
    const store = createResultStore(now);
    const reads: string[] = [];
    let gate: Promise<void> | undefined;
    const stopped: unknown[] = [];
    const sources = list.map((source) => {
      const watched = Object.assign(Object.create(source.database) as Database, {
        read: async (...[statement, sink, options]: Parameters<Database["read"]>) => {
          reads.push(statement.sql);
          options.signal.addEventListener("abort", () => stopped.push(statement.sql));
          await source.database.read(statement, sink, options);
          await gate;
          options.signal.throwIfAborted();
        },
      });
      const database = afterWrites(watched, store.forget);
      const watch = watchCatalog(database.catalog, now);
      const results = source.name === "kept" ? store.open({ name: source.name, ttlMs, watch }) : undefined;
      return { ...source, database, results };
    });
    const server = serverOf(kind, sources, settings);
    const client = await connect(server, era);
    return {
      client,
      clock,
      stopped,
      /** How often the database was read since the last look. */
      reads: () => reads.splice(0).length,
      /** How many reads of it have begun since then. */
      begun: () => reads.length,
      query: (sql: string, more: Record<string, unknown> = {}) =>
        callJson(client, "query", { sql, source: "kept", ...more }),
      /** Reads end only when the function is called. */
      hold() {
        let release = () => {};
        gate = new Promise((resolve) => {
          release = resolve;
        });
        return release;
      },
      async [Symbol.asyncDispose]() {
        await client.close();
        await server[Symbol.asyncDispose]();
        await opened[Symbol.asyncDispose]();
      },
    };
  }

  test.each(eras)("an equal question is answered once and says how old it is (%s)", async (era) => {
    await using source = await open({ era });
    const first = await source.query(count);
    expect(first).not.toHaveProperty("cached_ms_ago");
    await own.run("INSERT INTO things VALUES (3, 'c')");
    source.clock.now += 900; // others' changes are not looked for yet
    expect(await source.query(count)).toEqual({ ...first, cached_ms_ago: 900 });
    expect(source.reads()).toBe(1);
  });

  test("a client can ask past memory, and what it reads is remembered", async () => {
    await using source = await open();
    await source.query(count);
    await own.run("INSERT INTO things VALUES (3, 'c')");
    expect(await source.query(count, { fresh: true })).toMatchObject({ rows: [[3]] });
    expect(await source.query(count)).toMatchObject({ rows: [[3]], cached_ms_ago: 0 });
    expect(source.reads()).toBe(2);
  });

  test("a result is used for its time at most", async () => {
    await using source = await open({ ttlMs: 800 });
    await source.query(count);
    source.clock.now += 799;
    expect(await source.query(count)).toHaveProperty("cached_ms_ago");
    source.clock.now += 2;
    expect(await source.query(count)).not.toHaveProperty("cached_ms_ago");
  });

  test("another statement, parameter, limit or source is another question", async () => {
    await using source = await open();
    const mark = kind.name === "postgres" ? "$1" : "?";
    const byId = `SELECT name FROM things WHERE id = ${mark}`;
    await source.query(byId, { params: [1] });
    source.reads();
    for (const [sql, more] of [
      [byId, { params: [2] }],
      [byId, { params: ["1"] }],
      [`${byId} `, { params: [1] }],
      [byId, { params: [1], max_rows: 1 }],
      [byId, { params: [1], source: "plain" }],
      [byId, { params: [1], source: "plain" }],
    ] as const)
      expect(await source.query(sql, more)).not.toHaveProperty("cached_ms_ago");
    expect(source.reads()).toBe(6);
  });

  test("never across principals", async () => {
    await using source = await open({ era: "legacy", settings: { isParentTrusted: true } });
    const as = async (id: string) => {
      const { _meta } = await source.client.callTool({
        name: "query",
        arguments: { sql: count, source: "kept" },
        _meta: { [principalMetaKey]: { id, roles: ["use"] } },
      });
      return _meta?.["database-interface/cache"];
    };
    expect([await as("ada"), await as("bob"), await as("ada"), await as("bob")]).toEqual([
      "miss",
      "miss",
      "hit",
      "hit",
    ]);
  });

  test("a write through the server forgets, by whichever source it went", async () => {
    await using source = await open({ settings: { mode: "write" } });
    for (const through of ["kept", "plain"]) {
      const before = await source.query(count);
      await callJson(source.client, "execute", { sql: "INSERT INTO things VALUES (9, 'z')", source: through });
      const after = await source.query(count);
      expect(after).not.toHaveProperty("cached_ms_ago");
      expect(after.rows[0][0]).toBe(before.rows[0][0] + 1);
    }
  });

  test("a change of the schema by anybody forgets when it is seen", async () => {
    await using source = await open();
    await source.query("SELECT * FROM things ORDER BY id");
    await own.run("ALTER TABLE things ADD COLUMN seen int");
    source.clock.now += 1_001;
    expect(await source.query("SELECT * FROM things ORDER BY id")).toMatchObject({ columns: ["id", "name", "seen"] });
    await own.run("ALTER TABLE things DROP COLUMN seen");
  });

  test("an error is not remembered", async () => {
    await using source = await open();
    const missing = "SELECT id FROM comes_later";
    expect(await source.query(missing)).toMatchObject({ isError: true, code: "table_not_found" });
    await own.run("CREATE TABLE comes_later (id int)");
    expect(await source.query(missing)).toMatchObject({ isError: false, row_count: 0 });
    await own.run("DROP TABLE comes_later");
  });

  test("what was read while something was written is not kept", async () => {
    await using source = await open({ settings: { mode: "write" } });
    const release = source.hold();
    const late = source.query(count);
    await expect.poll(source.begun).toBe(1);
    await callJson(source.client, "execute", { sql: "INSERT INTO things VALUES (9, 'z')", source: "plain" });
    const next = source.query(count);
    await expect.poll(source.begun).toBe(2); // it does not wait for the one from before the write
    release();
    expect((await late).rows).toEqual([[2]]);
    expect((await next).rows).toEqual([[3]]);
    expect(await source.query(count)).toMatchObject({ rows: [[3]], cached_ms_ago: 0 });
  });

  test("many at once are read once; one that gives up takes nothing from the others; the last one stops it", async () => {
    await using source = await open();
    const release = source.hold();
    const callers = Array.from({ length: 20 }, () => source.query(count));
    const given = new AbortController();
    const impatient = source.client
      .callTool({ name: "query", arguments: { sql: count, source: "kept" } }, { signal: given.signal })
      .catch(() => "gone");
    await expect.poll(source.begun).toBe(1);
    given.abort();
    expect(await impatient).toBe("gone");
    release();
    for (const answer of await Promise.all(callers)) expect(answer.rows).toEqual([[2]]);
    expect([source.reads(), source.stopped]).toEqual([1, []]);

    const last = source.hold();
    const only = new AbortController();
    const alone = source.client
      .callTool({ name: "query", arguments: { sql: `${count} `, source: "kept" } }, { signal: only.signal })
      .catch(() => "gone");
    await expect.poll(source.begun).toBe(1);
    only.abort();
    expect(await alone).toBe("gone");
    await expect.poll(() => source.stopped).toEqual([`${count} `]);
    last();
  });

  test("what answers differently each time is never shared nor kept", async () => {
    await using source = await open();
    const chance = `SELECT ${kind.name === "postgres" ? "gen_random_uuid()" : "uuid()"} AS id FROM things LIMIT 1`;
    const answers = await Promise.all(Array.from({ length: 8 }, () => source.query(chance)));
    answers.push(await source.query(chance));
    expect(new Set(answers.map(({ rows }) => rows[0][0])).size).toBe(9);
  });

  test("fresh is listed only where a source remembers", async () => {
    await using source = await open();
    const argumentsOf = async (client: Client) =>
      Object.keys((await client.listTools()).tools.find(({ name }) => name === "query")?.inputSchema.properties ?? {});
    expect(await argumentsOf(source.client)).toContain("fresh");
    await using plain = openSources(kind, { plain: own.url });
    await using server = serverOf(kind, plain.list);
    const client = await connect(server, "modern");
    expect(await argumentsOf(client)).not.toContain("fresh");
    expect(await callJson(client, "query", { sql: count, fresh: true })).toMatchObject({ rows: [[2]] });
    await client.close();
  });
});
