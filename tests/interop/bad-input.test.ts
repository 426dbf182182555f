/**
 * What people get wrong, on both servers as real processes: a call that cannot work is answered with a code and a
 * remedy and the process stays; a start that cannot work ends with one readable line and a code other than zero.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable } from "../support/processes.js";

type Folder = "mcp-postgres" | "mcp-mysql";

interface ErrorReply {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

const bare = { PATH: process.env.PATH ?? "" };

/** A server over stdio until disposed. */
async function openServer(folder: Folder, args: readonly string[]) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [executable(folder), ...args],
    stderr: "pipe",
    env: bare,
  });
  let log = "";
  transport.stderr?.on("data", (chunk) => {
    log += chunk;
  });
  const client = new Client({ name: "bad-input", version: "1.0.0" });
  await client.connect(transport);
  return {
    pid: transport.pid ?? 0,
    log: () => log,
    async call(name: string, args: Record<string, unknown>) {
      const result = await client.callTool({ name, arguments: args }, { timeout: 30_000 });
      const block = result.content[0];
      return { isError: result.isError ?? false, text: block?.type === "text" ? block.text : "" };
    },
    async [Symbol.asyncDispose]() {
      await client.close();
    },
  };
}

/** Runs a command to its end. */
async function run(folder: Folder, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [executable(folder), ...args], { env: { ...bare, ...env }, stdio: "pipe" });
  let output = "";
  child.stderr.on("data", (chunk) => {
    output += chunk;
  });
  child.stdin.end();
  const [code] = await once(child, "close");
  return { code, output };
}

const engines: Record<Folder, { create: () => Promise<TestDatabase>; scheme: string; twoParams: string }> = {
  "mcp-postgres": { create: createPostgresDatabase, scheme: "postgres", twoParams: "SELECT $1::int + $2::int AS n" },
  "mcp-mysql": { create: createMysqlDatabase, scheme: "mysql", twoParams: "SELECT ? + ? AS n" },
};

describe.each(Object.entries(engines))("%s", (name, engine) => {
  const folder = name === "mcp-mysql" ? "mcp-mysql" : "mcp-postgres";
  const huge = folder === "mcp-postgres" ? 100_000_000 : 15_000_000; // MariaDB's default packet holds 16 MB.
  let database: TestDatabase;
  let scratch: string;
  let server: Awaited<ReturnType<typeof openServer>>;

  beforeAll(async () => {
    [database, scratch] = await Promise.all([engine.create(), mkdtemp(join(tmpdir(), "bad-input-"))]);
    await database.run(`
      CREATE TABLE customers (id int PRIMARY KEY, email varchar(50), country char(2));
      INSERT INTO customers VALUES (1, 'a@example.com', 'DE'), (2, NULL, 'FR');
      CREATE TABLE attachments (id int, body ${folder === "mcp-postgres" ? "text" : "longtext"});
      INSERT INTO attachments VALUES (1, repeat('x', ${huge}));`);
    server = await openServer(folder, [database.url]);
  });

  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
    await rm(scratch, { recursive: true, force: true });
  });

  const calls: readonly [string, string, () => Record<string, unknown>, string, string][] = [
    ["empty SQL", "query", () => ({ sql: "" }), "sql_empty", ""],
    ["only blanks", "query", () => ({ sql: " \n\t " }), "sql_empty", ""],
    ["only a comment", "query", () => ({ sql: "-- nothing here" }), "sql_empty", ""],
    ["two statements", "query", () => ({ sql: "SELECT 1; SELECT 2" }), "multiple_statements", "one"],
    ["a misspelt table", "query", () => ({ sql: "SELECT * FROM custommers" }), "table_not_found", "customers"],
    ["a misspelt column", "query", () => ({ sql: "SELECT emial FROM customers" }), "column_not_found", "email"],
    ["a syntax error", "query", () => ({ sql: "SELECT id\nFROM customers WHERE AND" }), "syntax_error", "line 2"],
    ["too few parameters", "query", () => ({ sql: engine.twoParams, params: [1] }), "parameter_count", "2"],
    ["too many parameters", "query", () => ({ sql: engine.twoParams, params: [1, 2, 3] }), "parameter_count", "2"],
    ["an unknown cursor", "query", () => ({ cursor: "no-such-cursor" }), "cursor_unknown", 'cursor:"start"'],
    ["an unknown table", "describe_table", () => ({ table: "custommer" }), "table_not_found", "customers"],
    ["a SQL text of 200 kB", "query", () => ({ sql: `SELECT '${"x".repeat(200_000)}'` }), "sql_too_long", ""],
  ];

  test.each(calls)("%s is refused with a code and a remedy", async (_title, tool, args, code, remedy) => {
    const answer = await server.call(tool, args());
    expect(answer.isError).toBe(true);
    const error: ErrorReply = JSON.parse(answer.text);
    expect(error).toMatchObject({ code });
    expect(error.message.length).toBeGreaterThan(10);
    expect(error.hint ?? "").not.toBe("");
    expect(`${error.message} ${error.hint}`.toLowerCase()).toContain(remedy.toLowerCase());
  });

  test("an unknown tool and an unknown argument are refused, and the next call works", async () => {
    await expect(
      server
        .call("qeury", { sql: "SELECT 1" })
        .then(({ isError }) => (isError ? Promise.reject(new Error("isError")) : isError)),
    ).rejects.toThrow();
    expect(JSON.parse((await server.call("query", { sql: "SELECT 1 AS one" })).text).rows).toEqual([[1]]);
  });

  test("a cell of many megabytes is cut or refused, within the byte limit and with flat memory", async () => {
    const before = await peakMegabytes(server.pid);
    const answer = await server.call("query", { sql: "SELECT id, body FROM attachments" });
    expect(Buffer.byteLength(answer.text)).toBeLessThanOrEqual(65_536);
    if (answer.isError) expect(JSON.parse(answer.text)).toMatchObject({ code: "result_too_large" });
    else expect(JSON.parse(answer.text).rows[0][1]).toContain(`${huge} bytes`);
    expect((await peakMegabytes(server.pid)) - before).toBeLessThan(100);
    expect(JSON.parse((await server.call("query", { sql: "SELECT 1 AS one" })).text).rows).toEqual([[1]]);
  });

  const unreachable: readonly [string, () => string, string][] = [
    ["no server at the URL", () => `${engine.scheme}://someone:hunter2@127.0.0.1:1/db`, "connection_failed"],
    ["an unknown user", () => withUser(database.url, "nobody_here", "hunter2"), "authentication_failed"],
    ["an unknown database", () => withPath(database.url, "no_such_database"), "database_not_found"],
  ];

  test.each(unreachable)("%s: the server stays up and says so", async (_title, url, code) => {
    await using lost = await openServer(folder, [url(), "--timeout", "5s"]);
    const answer = await lost.call("query", { sql: "SELECT 1" });
    expect(answer.isError).toBe(true);
    expect(JSON.parse(answer.text)).toMatchObject({ code, hint: expect.stringMatching(/.{10,}/) });
    const again = await lost.call("check_connection", {});
    expect(again.text).toContain(code);
    expect(answer.text + again.text + lost.log()).not.toContain("hunter2");
  });

  test("an unknown source is refused with the names there are", async () => {
    await using several = await openServer(folder, [
      "--source",
      `sales=${database.url}`,
      "--source",
      `hr=${database.url}`,
    ]);
    const answer = await several.call("query", { sql: "SELECT 1", source: "sale" });
    expect(answer.isError).toBe(true);
    expect(answer.text).toContain("sales");
  });

  test("a backend killed in the middle loses that call only", async () => {
    const marker = `victim_${database.name}`;
    const lost = server.call("query", {
      sql: `SELECT count(*) AS ${marker} FROM information_schema.columns a, information_schema.columns b, information_schema.columns c`,
    });
    await killStatement(folder, database, marker);
    const answer = await lost;
    expect(answer.isError).toBe(true);
    expect(JSON.parse(answer.text)).toMatchObject({ code: "connection_lost", retryable: true });
    expect(JSON.parse((await server.call("query", { sql: "SELECT 1 AS one" })).text).rows).toEqual([[1]]);
  });

  const starts: readonly [string, () => readonly string[] | Promise<readonly string[]>, RegExp][] = [
    ["no source at all", () => [], /source|url/i],
    ["an unknown flag", () => [database.url, "--max-row", "5"], /--max-rows/],
    ["a port out of range", () => [database.url, "--transport", "http", "--port", "70000"], /port/i],
    ["a URL of another product", () => ["redis://127.0.0.1/0"], new RegExp(engine.scheme)],
    ["a port in the URL out of range", () => [`${engine.scheme}://u:hunter2@127.0.0.1:70000/db`], /port/i],
    ["an unknown option in the URL", () => [`${database.url}?multipleStatements=true`], /multipleStatements/i],
    ["two sources of one name", () => ["--source", `a=${database.url}`, "--source", `a=${database.url}`], /\ba\b/],
    ["a mode this version has not", () => [database.url, "--mode", "wild"], /read-only/],
    ["a file that is not there", () => ["--config", join(scratch, "absent.json")], /absent\.json/],
    ["a file that is not JSON", () => file("broken.json", '{\n  "sources": {,}\n}'), /broken\.json.*2|line 2/s],
    ["a file with an unknown key", () => file("key.json", '{"sourcs": {}}'), /sources/],
    [
      "a variable that is not set",
      () => file("variable.json", `{"sources": {"a": "\${NOT_SET_ANYWHERE}"}}`),
      /NOT_SET_ANYWHERE/,
    ],
    [
      "no token off loopback",
      () => [database.url, "--transport", "http", "--host", "0.0.0.0", "--port", "0"],
      /token/i,
    ],
  ];

  async function file(base: string, text: string): Promise<readonly string[]> {
    const path = join(scratch, base);
    await writeFile(path, text);
    return ["--config", path];
  }

  test.each(starts)("%s ends the start with one readable line", async (_title, args, expected) => {
    const { code, output } = await run(folder, await args());
    expect(code).toBeGreaterThan(0);
    expect(output).toMatch(expected);
    expect(output).not.toMatch(/\n\s+at /);
    expect(output).not.toContain("hunter2");
    expect(output.trim().split("\n").length).toBeLessThanOrEqual(4);
  });

  test("a busy port ends the start and names the port", async () => {
    const busy = createServer().listen(0, "127.0.0.1");
    await once(busy, "listening");
    const address = busy.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { code, output } = await run(folder, [database.url, "--transport", "http", "--port", String(port)]);
    busy.close();
    expect(code).toBeGreaterThan(0);
    expect(output).toContain(String(port));
  });

  test("stdin closed in the middle of a call ends the process and the statement", async () => {
    const marker = `orphan_${database.name}`;
    const child = spawn(process.execPath, [executable(folder), database.url], { env: bare, stdio: "pipe" });
    const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    send({
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
    });
    send({ method: "notifications/initialized" });
    send({
      id: 2,
      method: "tools/call",
      params: {
        name: "query",
        arguments: {
          sql: `SELECT count(*) AS ${marker} FROM information_schema.columns a, information_schema.columns b, information_schema.columns c`,
        },
      },
    });
    await waitUntil(async () => (await statements(folder, database, marker)).length === 1);
    const exited = once(child, "exit");
    child.stdin.end();
    await exited;
    await waitUntil(async () => (await statements(folder, database, marker)).length === 0);
  });
});

function withUser(url: string, user: string, password: string): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = password;
  return changed.href;
}

function withPath(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

async function peakMegabytes(pid: number): Promise<number> {
  return Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** Ids of the server's own threads that run a statement with this marker. */
async function statements(folder: Folder, database: TestDatabase, marker: string): Promise<readonly number[]> {
  const rows = await database.run(
    folder === "mcp-postgres"
      ? `SELECT pid AS id FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%${marker}%'`
      : `SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND info LIKE '%${marker}%'`,
  );
  return rows.map(({ id }) => Number(id));
}

async function killStatement(folder: Folder, database: TestDatabase, marker: string): Promise<void> {
  let ids: readonly number[] = [];
  await waitUntil(async () => {
    ids = await statements(folder, database, marker);
    return ids.length === 1;
  });
  await database.run(
    folder === "mcp-postgres" ? `SELECT pg_terminate_backend(${ids[0]})` : `KILL CONNECTION ${ids[0]}`,
  );
}

async function waitUntil(condition: () => Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > deadlineMs) throw new Error(`not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
