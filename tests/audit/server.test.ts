/** What a database server records of calls, on real databases: every field, and never a value. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuditTrail } from "../../mcp-core/src/host/audit/trail.js";
import { CodedError } from "../../mcp-core/src/host/errors.js";
import type { DatabaseKind } from "../../mcp-core/src/sql/database.js";
import { fingerprintOf, normaliseStatement } from "../../mcp-core/src/sql/fingerprint.js";
import { createDatabaseServer } from "../../mcp-core/src/sql/server.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { callJson, connect, eras, openSources } from "../sql/connect.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable } from "../support/processes.js";
import { filesIn, openFolder, openTrail, recordingLog, recordsIn } from "./folders.js";

const engines = {
  "mcp-postgres": { kind: postgresKind as DatabaseKind, create: createPostgresDatabase, mark: "$1" },
  "mcp-mysql": { kind: mysqlKind as DatabaseKind, create: createMysqlDatabase, mark: "?" }, // the tests hand the kind's own configs back to it
};

const settings = {
  mode: "read-only",
  tools: ["all"],
  structured: false,
  poolSize: 2,
  maxRows: 1_000,
  maxBytes: 65_536,
  timeoutMs: 10_000,
} as const;

const canary = "canary4711";

/** A client that is closed on dispose. */
async function openClient(...given: Parameters<typeof connect>) {
  const client = await connect(...given);
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

describe.each(Object.entries(engines))("%s", (name, { kind, create, mark }) => {
  let database: TestDatabase;
  let sources: ReturnType<typeof openSources>;

  beforeAll(async () => {
    database = await create();
    await database.run(
      `CREATE TABLE people (id int PRIMARY KEY, secret varchar(40)); CREATE TABLE jobs (id int);
       INSERT INTO people VALUES (1, '${canary}'), (2, '${canary}'), (3, '${canary}')`,
    );
    sources = openSources(kind, { shop: database.url });
  });

  afterAll(async () => {
    await sources?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  const serverWith = (audit: AuditTrail) =>
    createDatabaseServer({ kind, sources: sources.list, settings, log: recordingLog().log, audit });

  test.each(eras)("every field of a call, %s", async (era) => {
    await using folder = await openFolder();
    {
      await using trail = await openTrail(folder.path);
      await using server = serverWith(trail);
      await using client = await openClient(server, era);
      await callJson(client, "query", { sql: `SELECT id, secret FROM people WHERE id < ${mark}`, params: [3] });
    }
    const [header, call, end] = await recordsIn(folder.path);
    expect(header).toMatchObject({
      event: "open",
      name: "test-server",
      version: "1.0.0",
      pid: process.pid,
      sequence: 1,
    });
    expect(call).toEqual({
      sequence: 2,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      event: "call",
      call: expect.stringMatching(/^[0-9a-f]{16}$/),
      principal: "local",
      client: { name: "test", version: "1.0.0" },
      tool: "query",
      source: "shop",
      class: "select",
      fingerprint: fingerprintOf("select id,  secret FROM people where ID < 99", kind.lexis ?? "standard").fingerprint,
      tables: ["people"],
      rows: 2,
      bytes: expect.any(Number),
      ms: expect.any(Number),
      outcome: "ok",
      previous: header?.hash,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(end).toMatchObject({ event: "close", previous: call?.hash });
  });

  test("no value, literal, parameter, message or password is in any record, however a call ends", async () => {
    await using folder = await openFolder();
    const calls: [string, Record<string, unknown>, string][] = [
      ["query", { sql: `SELECT * FROM people WHERE secret = '${canary}'` }, "ok"],
      ["query", { sql: `SELECT * FROM people WHERE secret = ${mark}`, params: [canary] }, "ok"],
      ["query", { sql: `SELECT /* ${canary} */ 1 -- ${canary}` }, "ok"],
      ["query", { sql: `DELETE FROM people WHERE secret = '${canary}'` }, "read_only"],
      ["query", { sql: `WITH c AS (SELECT 1 AS one) SELECT * FROM c, people, jobs WHERE '${canary}' = ''` }, "ok"],
      ["query", { sql: `SELECT '${canary}` }, "syntax_error"],
      ["query", { sql: `SELECT nothing_like_it FROM people WHERE secret = '${canary}'` }, "column_not_found"],
      ["query", { sql: "SELECT 1", source: canary }, "source_unknown"],
      ["query", { sql: "SELECT 1", unknown: canary }, "parameter_invalid"],
      ["query", { cursor: canary }, "cursor_unknown"],
      ["explain", { sql: `SELECT * FROM people WHERE secret = '${canary}'` }, "ok"],
      ["search_objects", { pattern: canary }, "ok"],
      ["describe_table", { table: canary }, "table_not_found"],
      ["check_connection", {}, "ok"],
    ];
    {
      await using trail = await openTrail(folder.path);
      await using server = serverWith(trail);
      await using client = await openClient(server, "legacy");
      for (const [tool, args] of calls) await client.callTool({ name: tool, arguments: args });
    }
    const records = (await recordsIn(folder.path)).filter(({ event }) => event === "call");
    expect(records.map(({ tool, outcome }) => [tool, outcome])).toEqual(
      calls.map(([tool, , outcome]) => [tool, outcome]),
    );
    expect(records[3]).toMatchObject({ class: "delete", rows: 0 });
    expect(records[4]?.tables).toEqual(["jobs", "people"]);
    expect(records[10]).toMatchObject({ class: "select", tables: ["people"] });
    for (const file of await filesIn(folder.path)) {
      expect(await readFile(join(folder.path, file), "utf8")).not.toContain(canary);
    }
  });

  test("every page of a result is a call of its own and names the first one", async () => {
    await using folder = await openFolder();
    {
      await using trail = await openTrail(folder.path);
      await using server = serverWith(trail);
      await using client = await openClient(server, "legacy");
      let cursor = "start";
      for (let page = 0; page < 2; page++) {
        const sql = page === 0 ? { sql: "SELECT id FROM people ORDER BY id" } : {};
        ({ next_cursor: cursor } = await callJson(client, "query", { ...sql, cursor, max_rows: 2 }));
      }
    }
    const [first, second] = (await recordsIn(folder.path)).filter(({ event }) => event === "call");
    const { fingerprint, tables, source } = first ?? {};
    expect(first).toMatchObject({ tables: ["people"], outcome: "ok" });
    expect(second).toMatchObject({ result: first?.call, fingerprint, tables, source, outcome: "ok" });
    expect(second?.call).not.toBe(first?.call);
  });

  test("required: what cannot be recorded is refused, and works again when it can be", async () => {
    await using folder = await openFolder();
    const failing = { isFailing: false };
    await using real = await openTrail(folder.path);
    const refuse = async () => {
      throw new CodedError("audit_unavailable", "The disk is full.");
    };
    const trail = Object.assign(Object.create(real) as AuditTrail, {
      append: (record: object) => (failing.isFailing ? refuse() : real.append({ ...record })),
    });
    await using server = serverWith(trail);
    await using client = await openClient(server, "legacy");
    expect(await callJson(client, "query", { sql: "SELECT 1 AS one" })).toMatchObject({ isError: false });
    failing.isFailing = true;
    const answer = await callJson(client, "query", { sql: `SELECT secret FROM people` });
    expect(answer).toMatchObject({ isError: true, code: "audit_unavailable" });
    expect(JSON.stringify(answer)).not.toContain(canary);
    expect(await callJson(client, "query", { sql: "nonsense" })).toMatchObject({ code: "audit_unavailable" });
    failing.isFailing = false;
    expect(await callJson(client, "query", { sql: "SELECT 1 AS one" })).toMatchObject({ isError: false });
  });

  test("the command writes a trail and verifies it: 0 when whole, 1 and the line when not", async () => {
    await using folder = await openFolder();
    const program = executable(name as "mcp-postgres");
    const path = join(folder.path, "audit");
    const child = spawn(process.execPath, [program, database.url, "--audit", path, "--audit-required"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const ask = (id: number, method: string, params: object) =>
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    const clientInfo = { name: "by hand", version: "1" };
    ask(1, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
    ask(2, "tools/call", { name: "query", arguments: { sql: "SELECT count(*) FROM people" } });
    let out = "";
    for await (const chunk of child.stdout.setEncoding("utf8")) {
      out += chunk;
      if (out.includes('"id":2')) break;
    }
    child.stdin.end();
    if (child.exitCode === null) await once(child, "exit");
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, [program, "audit", ...args]).then(
        ({ stdout }) => ({ code: 0, stdout }),
        ({ code, stdout }) => ({ code, stdout }),
      );
    expect(await run("verify", path)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^whole: .*\.001: 3 records/),
    });
    expect((await run("tail", path, "--lines", "2")).stdout).toMatch(/"event":"call".*\n.*"event":"close"/);
    const file = join(path, (await filesIn(path))[0] ?? "");
    await writeFile(file, (await readFile(file, "utf8")).replace('"rows":1', '"rows":2'));
    expect(await run("verify", path)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^BROKEN: .*\.jsonl:2: edited/),
    });
    expect((await run("verify", join(folder.path, "nowhere"))).code).toBe(1);
  });
});

const statements: [string, "standard" | "backslash", string][] = [
  [
    "SELECT  a,\n b FROM T WHERE x = 'it''s' AND y IN (1, 2.5, -3)",
    "standard",
    "select a, b from t where x = ? and y in (?, -?)",
  ],
  ["select $$a'b$$, $x$c$x$, E'it\\'s', $1, \"Keep\"", "standard", 'select ?, "Keep"'],
  ["select 'C:\\', x /* 'a */ -- b", "standard", "select ?, x"],
  ["select t1.c2, x'ff', u&'\\0061'", "standard", "select t1.c2, x?, u&?"],
  ["select 'never closed", "standard", "select ?"],
  [
    "select \"a\\\"b\", 'it\\'s' # c\n, `Keep` from t1 where a = ? and b = 0x1F;",
    "backslash",
    "select ? , `Keep` from t1 where a = ? and b = ?",
  ],
];

test.each(statements)("%j has no literal left", (sql, lexis, normalised) => {
  expect(normaliseStatement(sql, lexis)).toBe(normalised);
});
