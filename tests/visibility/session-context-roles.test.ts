/**
 * Where a session context would not hold it is refused: users whom no rule on rows holds, calls without a name, settings
 * that are none; and whoever's name it is, and whatever a pooler lends, it arrives as it is and is gone afterwards.
 */
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPgbouncer } from "../../bin/pgbouncer-instance.mjs";
import type { CallOptions, Cell, Database } from "../../mcp-core/src/sql/database.js";
import { outcomeOf } from "../chaos/engines.js";
import { limits } from "../postgres/open.js";
import { ownRows, type RowsDatabase, rowsEngines } from "./whose-rows.js";

async function rowsOf(source: Database, sql: string, context?: CallOptions["context"]) {
  const rows: (readonly Cell[])[] = [];
  const sink = { columns: () => {}, row: (cells: readonly Cell[]) => rows.push(cells) > 0 };
  await source.read({ sql, params: [] }, sink, limits({ context }));
  return rows;
}

describe.each(rowsEngines)("$name", (engine) => {
  let database: RowsDatabase;
  beforeAll(async () => {
    database = await engine.create();
  });
  afterAll(() => database[Symbol.asyncDispose]());
  const flag = `--session-context=${engine.setting}=principal`;

  test.each(Object.entries(engine.unsafe))("%s is refused, at --check and at any call", async (_, [sql, said]) => {
    const url = await database.addUser(sql);
    const { code, text } = await engine.run([url, flag, "--check"]);
    expect(text).toMatch(said);
    expect(text).toContain("[context_unsafe]");
    expect(code).toBe(1);
    await using source = engine.open(url, [engine.setting]);
    const context = new Map([[engine.setting, "ada"]]);
    expect(await outcomeOf(rowsOf(source, "SELECT 1", context))).toBe("context_unsafe");
    expect(await outcomeOf(source.catalog.schemas(limits()))).toBe("context_unsafe");
  });

  test.each(Object.entries(engine.warned))("%s is let in, with a word on what is not held", async (_, [sql, said]) => {
    const { code, text } = await engine.run([await database.addUser(sql), flag, "--check"]);
    expect(text).toMatch(said);
    expect(code).toBe(0);
  });

  test.each([
    ["no value", engine.setting],
    ["another value", `${engine.setting}=bob`],
    ["a value of the call's", `${engine.setting}=arguments.user`],
    ["no name", "=principal"],
    ["SQL for a name", `${engine.setting}', 'x', true); SELECT 1 --=principal`],
    ["a setting of the server's", engine.name === "postgres" ? "role=principal" : "SESSION sql_mode=principal"],
  ])("a setting with %s is refused", async (_, text) => {
    const answer = await engine.run([database.readerUrl, `--session-context=${text}`, "--check"]);
    expect(answer).toMatchObject({ code: 2, text: expect.stringContaining(`Write ${engine.setting}=principal`) });
  });

  test("without a value for each setting the database itself runs nothing", async () => {
    await using source = engine.open(database.readerUrl, [engine.setting]);
    const statement = { sql: "SELECT 1", params: [] };
    for (const context of [undefined, new Map(), new Map([["other", "ada"]]), new Map([[engine.setting, ""]])]) {
      const sink = { columns: () => {}, row: () => true };
      const options = limits({ context });
      const calls = [
        source.read(statement, sink, options),
        source.openCursor(statement, options),
        source.explain(statement, { ...options, analyze: false }),
        source.writing?.plan({ ...statement, sql: "DELETE FROM orders" }, options),
        source.writing?.dryRun({ ...statement, sql: "DELETE FROM orders" }, options),
        source.writing?.run({ ...statement, sql: "DELETE FROM orders" }, sink, options),
      ];
      expect(await Promise.all(calls.map((call) => outcomeOf(Promise.resolve(call))))).toEqual(
        calls.map(() => "principal_required"),
      );
    }
  });

  test.each(["ada", "o'brien", "back\\slash", "\\'; DROP TABLE orders; --", "Zoë 日本 🙂", `"`, "' OR ''='", "a\nb"])(
    "the name %j arrives as it is, and is gone with its call",
    async (name) => {
      await using source = engine.open(database.readerUrl, []);
      const context = new Map([[engine.setting, name]]);
      expect(await rowsOf(source, engine.settingSql, context)).toEqual([[name]]);
      expect(await rowsOf(source, "SELECT count(*) FROM orders", context)).toEqual([[name === "ada" ? "60" : "0"]]);
      // The same session: there is only one.
      expect([[[""]], [[null]]]).toContainEqual(await rowsOf(source, engine.settingSql));
    },
  );
});

test("behind a pooler the caller's name stands before whatever another client left", async () => {
  const [engine] = rowsEngines;
  await using database = await engine.create();
  await using pooler = await startPgbouncer({
    url: database.readerUrl,
    settings: { default_pool_size: "1" },
    signal: AbortSignal.timeout(50_000),
  });
  const client = postgres(pooler.url, { max: 1, prepare: false, onnotice: () => {} });
  try {
    await client.unsafe("SET app.user_id = 'bob'; SET standard_conforming_strings = off; SET client_encoding = 'SJIS'");
    await using source = engine.open(pooler.url, [engine.setting]);
    for (const name of ["ada", "\\', 'bob', true) --", "表\\"]) {
      const context = new Map([[engine.setting, name]]);
      expect(await rowsOf(source, "SELECT current_setting('app.user_id')", context)).toEqual([[name]]);
      const own = await rowsOf(source, "SELECT count(*) FROM orders", context);
      expect(own).toEqual([[name === "ada" ? String(ownRows) : "0"]]);
    }
    expect(await client`SELECT current_setting('app.user_id') AS left`).toEqual([{ left: "bob" }]);
  } finally {
    await client.end({ timeout: 1 });
  }
});
