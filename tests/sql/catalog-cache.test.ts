/** What is remembered of a catalogue, on every database: used again for a time, never after somebody has changed it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cacheCatalog } from "../../mcp-core/src/sql/catalog-cache.js";
import type { Catalog, Database } from "../../mcp-core/src/sql/database.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { textOf, until } from "../gateway/gateways.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { connect, openSources, serverOf } from "./connect.js";

function withResolvers() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

const call = () => ({ signal: AbortSignal.timeout(20_000) });

describe.each([
  ["postgres", postgresKind, createPostgresDatabase],
  ["mysql", mysqlKind, createMysqlDatabase],
] as const)("%s", (_, kind, create) => {
  let own: TestDatabase;
  beforeAll(async () => {
    own = await create();
    await own.run("CREATE TABLE things (id int)");
  });
  afterAll(() => own[Symbol.asyncDispose]());

  /** The real database behind the cache, with a clock of ours and a list of what the database itself was asked. */
  function open({ fingerprint = "real" as "real" | "none" | "steady", ttlMs = 60_000, repeated = 1 } = {}) {
    const { list, ...sources } = openSources(kind as typeof postgresKind, { own: own.url }); // both are kinds
    const [{ database: real } = { database: undefined }] = list;
    if (real === undefined) throw new Error("no source");
    const asked: string[] = [];
    const noted = <Given extends unknown[], Answer>(name: string, ask: (...given: Given) => Answer) => {
      return (...given: Given): Answer => {
        asked.push(name);
        return ask(...given);
      };
    };
    const { catalog: asIs } = real;
    const look = fingerprint === "steady" ? async () => "same" : fingerprint === "real" ? asIs.fingerprint : undefined;
    const catalog: Catalog = {
      schemas: noted("schemas", asIs.schemas),
      search: noted("search", async (what, options) => {
        const found = await asIs.search(what, options);
        await gate;
        return Array.from({ length: repeated }, () => found).flat();
      }),
      describe: noted("describe", asIs.describe),
      ...(look === undefined ? {} : { fingerprint: noted("fingerprint", look) }),
    };
    let gate: Promise<void> | undefined;
    let now = 0;
    const watched = Object.assign(Object.create(real) as Database, { catalog });
    const cached = cacheCatalog(watched, { ttlMs, now: () => now });
    return {
      catalog: cached.catalog,
      cached,
      /** Answers of searches stay on their way until the function is called. */
      hold() {
        const { promise, resolve } = withResolvers();
        gate = promise;
        return resolve;
      },
      /** What was asked since the last look. */
      asked: () => asked.splice(0),
      pass: (ms: number) => {
        now += ms;
      },
      columns: async (name = "things") =>
        (await cached.catalog.describe({ name }, call())).columns.map((column) => column.name),
      [Symbol.asyncDispose]: () => sources[Symbol.asyncDispose](),
    };
  }

  test("the same question is answered once, another one is asked", async () => {
    await using source = open();
    expect(await source.columns()).toEqual(["id"]);
    expect(await source.columns()).toEqual(["id"]);
    expect(source.asked()).toEqual(["fingerprint", "describe"]);
    for (const kindOf of ["table", "view", "table"] as const)
      await source.catalog.search({ kind: kindOf, limit: 5 }, call());
    expect(await source.catalog.schemas(call())).toEqual(await source.catalog.schemas(call()));
    expect(source.asked()).toEqual(["search", "search", "schemas"]);
  });

  test("a change by somebody else is seen a second later; without a fingerprint, when the time is over", async () => {
    await using source = open();
    await using blind = open({ fingerprint: "none" });
    const before = await source.columns();
    await blind.columns();
    await own.run("ALTER TABLE things ADD COLUMN seen int");
    expect(await source.columns()).toEqual(before);
    source.pass(1_001);
    expect(await source.columns()).toEqual([...before, "seen"]);
    blind.pass(59_000);
    expect(await blind.columns()).toEqual(before);
    blind.pass(1_001);
    expect(await blind.columns()).toEqual([...before, "seen"]);
    await own.run("ALTER TABLE things DROP COLUMN seen");
  });

  test("an answer is used for its time at most, whatever the fingerprint says", async () => {
    await using source = open({ fingerprint: "steady", ttlMs: 10_000 });
    await source.columns();
    source.pass(9_000);
    source.asked();
    await source.columns();
    expect(source.asked()).not.toContain("describe");
    source.pass(1_001);
    await source.columns();
    expect(source.asked()).toContain("describe");
  });

  test("an error is not remembered, and 0 remembers nothing", async () => {
    await using source = open();
    await expect(source.columns("later")).rejects.toMatchObject({ code: "table_not_found" });
    await own.run("CREATE TABLE later (id int)");
    expect(await source.columns("later")).toEqual(["id"]);
    await using forgetful = open({ ttlMs: 0 });
    for (let time = 0; time < 3; time++) await forgetful.columns();
    expect(forgetful.asked()).toEqual(["describe", "describe", "describe"]);
  });

  test("what is found while somebody changes it is not kept", async () => {
    await using source = open();
    await source.columns();
    const { search } = source.catalog;
    const release = source.hold();
    const late = search({ kind: "table", limit: 7 }, call());
    source.pass(1_001);
    await own.run("CREATE TABLE meanwhile (id int)");
    await source.columns(); // looks, and forgets
    release();
    await late;
    source.asked();
    await search({ kind: "table", limit: 7 }, call());
    expect(source.asked()).toEqual(["search"]);
    await own.run("DROP TABLE meanwhile");
  });

  test("what is written through it is seen at once", async () => {
    await using source = open();
    const { writing } = source.cached;
    if (writing === undefined) return; // this database only reads
    await source.columns();
    source.asked();
    const sink = { columns: () => {}, row: () => true };
    const options = { ...call(), maxRows: 1, timeoutMs: 10_000, maxWireBytes: 1_000_000 };
    await writing.run({ sql: "CREATE TABLE written (id int)", params: [] }, sink, options);
    await source.columns();
    expect(source.asked()).toEqual(["describe"]);
    await own.run("DROP TABLE written");
  });

  test("of many answers those used last are kept, and a huge one is not", async () => {
    await using source = open({ repeated: 4_000 });
    const search = (limit: number) => source.catalog.search({ kind: "table", pattern: "things", limit }, call());
    for (let limit = 1; limit <= 5; limit++) await search(limit);
    source.asked();
    for (const limit of [5, 4, 1, 5]) await search(limit);
    expect(source.asked()).toEqual(["search"]);
    await using huge = open({ repeated: 6_000 });
    for (let time = 0; time < 2; time++)
      await huge.catalog.search({ kind: "table", pattern: "things", limit: 1 }, call());
    expect(huge.asked()).toEqual(["fingerprint", "search", "search"]);
  });

  test("tools answer from it, and a change reaches them", async () => {
    await using sources = openSources(kind as typeof postgresKind, { own: own.url }); // both are kinds
    const cached = sources.list.map((one) => ({ ...one, database: cacheCatalog(one.database, { ttlMs: 60_000 }) }));
    await using server = serverOf(kind as typeof postgresKind, cached);
    const client = await connect(server, "modern");
    const described = async () =>
      textOf(await client.callTool({ name: "describe_table", arguments: { table: "things" } }));
    const first = await described();
    expect(await described()).toBe(first);
    await own.run("ALTER TABLE things ADD COLUMN reached int");
    await until(async () => (await described()).includes("reached"), 5_000);
    await client.close();
  });
});
