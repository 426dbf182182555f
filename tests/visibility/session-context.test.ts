/**
 * Rows that belong to callers: with `--session-context` the database is told who calls, by the door and nobody else, so
 * that its own rules show each caller their rows; over HTTP and through the gateway, in both eras.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../gateway/gateways.js";
import { eras } from "../sql/connect.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import {
  answerOf,
  connectAs,
  ownRows,
  type Person,
  people,
  type RowsDatabase,
  rowsEngines,
  tokenOf,
  writeTokens,
} from "./whose-rows.js";

const other = { ada: "bob", bob: "ada" } as const;
const notesOf = (person: Person) => Array.from({ length: ownRows }, (_, index) => `${person}-${index + 1}`);
const sql = "SELECT note FROM orders ORDER BY id";

describe.each(rowsEngines)("$name", (engine) => {
  let database: RowsDatabase;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const servers = new Map<string, RunningServer>();
  const urlOf = (way: string) => servers.get(way)?.url ?? "";

  beforeAll(async () => {
    database = await engine.create();
    folder = await temporaryFolder();
    const tokens = ["--tokens-file", await writeTokens(folder.path)];
    const own = [
      database.readerUrl,
      "--mode",
      "write",
      "--session-context",
      `${engine.setting}=principal`,
      "--pool",
      "2",
    ];
    const http = ["--transport", "http", "--port", "0"];
    const config = join(folder.path, "gateway.json");
    const entry = { url: database.readerUrl, sessionContext: [`${engine.setting}=principal`] };
    await writeFile(
      config,
      JSON.stringify({ databases: { shop: { ...entry, settings: { mode: "write", pool: 2 } } } }),
    );
    const cache = { XDG_CACHE_HOME: folder.path };
    servers.set("by itself", await startHttpServer(executable(engine.folder), [...own, ...http, ...tokens]));
    servers.set("without names", await startHttpServer(executable(engine.folder), [...own, ...http]));
    const gateway = [executable("mcp-gateway"), ["--config", config, "--port", "0"]] as const;
    servers.set("behind the gateway", await startHttpServer(gateway[0], [...gateway[1], ...tokens], cache));
    servers.set("behind a gateway without names", await startHttpServer(gateway[0], gateway[1], cache));
  });
  afterAll(async () => {
    for (const server of servers.values()) await server[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const ways = ["by itself", "behind the gateway"].flatMap((way) => eras.map((era) => [way, era] as const));

  test.each(ways)("%s, %s: each caller sees their own rows, however many call at once", async (way, era) => {
    await using ada = await connectAs(urlOf(way), tokenOf("ada"), era);
    await using bob = await connectAs(urlOf(way), tokenOf("bob"), era);
    const clients = { ada, bob };
    const calls = Array.from({ length: 20 }, () => people).flat();
    const answers = await Promise.all(calls.map((person) => answerOf(clients[person], "query", { sql })));
    expect(answers.map(({ rows }) => rows.flat())).toEqual(calls.map(notesOf));
  });

  test.each(ways)("%s, %s: pages are their own caller's, and another's token is unknown", async (way, era) => {
    await using ada = await connectAs(urlOf(way), tokenOf("ada"), era);
    await using bob = await connectAs(urlOf(way), tokenOf("bob"), era);
    let page = await answerOf(ada, "query", { sql, cursor: "start", max_rows: 25 });
    const read: string[] = [];
    for (;;) {
      read.push(...page.rows.flat());
      if (page.next_cursor === undefined) break;
      expect(await answerOf(bob, "query", { cursor: page.next_cursor })).toMatchObject({ code: "cursor_unknown" });
      page = await answerOf(ada, "query", { cursor: page.next_cursor, max_rows: 25 });
    }
    expect(read).toEqual(notesOf("ada"));
  });

  test.each(ways)("%s, %s: no statement makes a caller somebody else", async (way, era) => {
    await using ada = await connectAs(urlOf(way), tokenOf("ada"), era);
    for (const spoof of engine.spoofs) {
      for (const [tool, more] of [
        ["query", {}],
        ["query", { cursor: "start" }],
        ["execute", {}],
      ] as const) {
        const answer = await answerOf(ada, tool, { sql: spoof, ...more });
        expect(answer.code, `${tool} ${spoof}: ${JSON.stringify(answer)}`).toMatch(
          /^(not_allowed|read_only|multiple_statements|syntax_error|table_not_found|permission_denied)$/,
        );
      }
      expect((await answerOf(ada, "query", { sql })).rows.flat(), spoof).toEqual(notesOf("ada"));
    }
  });

  test.each(ways)("%s, %s: nothing a client sends says who it is", async (way, era) => {
    await using ada = await connectAs(urlOf(way), tokenOf("ada"), era);
    const _meta = { "database-interface/principal": { id: "bob", roles: ["use"] } };
    const forged = await ada.callTool({ name: "query", arguments: { sql }, _meta });
    expect(JSON.stringify(forged.content)).not.toContain("bob-");
    const asked = await ada.callTool({ name: "query", arguments: { sql, principal: "bob" } }).catch(String);
    expect(JSON.stringify(asked)).not.toContain("bob-");
    expect((await answerOf(ada, "query", { sql: engine.settingSql })).rows).toEqual([["ada"]]);
  });

  test.each(ways)("%s, %s: callers do not see each other's statements", async (way, era) => {
    await using ada = await connectAs(urlOf(way), tokenOf("ada"), era);
    for (const statement of engine.eavesdropping) {
      const answer = await answerOf(ada, "query", { sql: statement });
      expect(answer.code, `${statement}: ${JSON.stringify(answer)}`).toBe("not_allowed");
    }
  });

  test.each(ways)("%s, %s: writes reach one's own rows alone", async (way, era) => {
    await using ada = await connectAs(urlOf(way), tokenOf("ada"), era);
    await using bob = await connectAs(urlOf(way), tokenOf("bob"), era);
    const before = (await database.notes()).toSorted();
    const clients = { ada, bob };
    for (const person of people) {
      const execute = (statement: string, more = {}) =>
        clients[person].callTool({ name: "execute", arguments: { sql: statement, ...more } });
      const textOf = async (call: ReturnType<typeof execute>) => JSON.stringify((await call).content);
      const insert = (owner: string) => `INSERT INTO orders (owner, note) VALUES ('${owner}', 'new of ${owner}')`;
      expect((await execute(insert(other[person]))).isError).toBe(true);
      expect((await execute(insert(person))).isError ?? false).toBe(false);
      expect(await textOf(execute("UPDATE orders SET note = 'taken'", { dry_run: true }))).toContain(
        `rows_affected\\":${ownRows + 1},`,
      );
      expect(await textOf(execute(`DELETE FROM orders WHERE owner = '${other[person]}'`))).toContain(
        'rows_affected\\":0',
      );
      expect((await execute("DELETE FROM orders WHERE note LIKE 'new of %'")).isError ?? false).toBe(false);
      for (const statement of engine.unheld) {
        expect(await answerOf(clients[person], "execute", { sql: statement })).toMatchObject({ code: "not_allowed" });
      }
    }
    expect((await database.notes()).toSorted()).toEqual(before);
  });

  test.each(["without names", "behind a gateway without names"])("%s: who is nobody sees nothing", async (way) => {
    for (const era of eras) {
      await using client = await connectAs(urlOf(way), undefined, era);
      for (const [tool, args] of [
        ["query", { sql }],
        ["query", { sql, cursor: "start" }],
        ["explain", { sql }],
        ["execute", { sql: "DELETE FROM orders" }],
        ["execute", { sql: "DELETE FROM orders", dry_run: true }],
      ] as const) {
        expect(await answerOf(client, tool, args)).toMatchObject({ code: "principal_required" });
      }
    }
  });
});
