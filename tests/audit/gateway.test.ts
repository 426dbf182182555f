/** What the gateway records of calls, on real databases: what only the databases' servers know included, and never a value. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CodedError } from "../../mcp-core/src/host/errors.js";
import type { AuditTrail } from "../../mcp-core/src/host/index.js";
import { fingerprintOf } from "../../mcp-core/src/sql/fingerprint.js";
import { fixtureServer, startGateway, type TestGateway, textOf } from "../gateway/gateways.js";
import { createPostgresUser, type DatabaseUser, person, testTemplates } from "../sessions/people.js";
import { type Era, eras } from "../sql/connect.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { filesIn, openFolder, openTrail, recordsIn } from "./folders.js";

const canary = "canary4711";
const ownPrefix = "database-interface/";
const forger = fileURLToPath(new URL("../gateway/fixtures/forger.mjs", import.meta.url));

let databases: readonly [TestDatabase, TestDatabase];
let user: DatabaseUser;
beforeAll(async () => {
  databases = [await createPostgresDatabase(), await createMysqlDatabase()];
  user = await createPostgresUser();
  for (const database of databases) {
    await database.run(
      `CREATE TABLE people (id int PRIMARY KEY, secret varchar(40)); INSERT INTO people VALUES (1, '${canary}'), (2, 'x')`,
    );
  }
});
afterAll(async () => {
  await user?.[Symbol.asyncDispose]();
  for (const database of databases ?? []) await database[Symbol.asyncDispose]();
});

const [pg, my] = ["pg", "my"] as const;
const config = () => ({
  databases: {
    pg: { url: databases[0].url, settings: { mode: "approve" } },
    my: { url: databases[1].url, settings: { mode: "approve" } },
  },
  mcpServers: {
    old: fixtureServer("legacy-server"),
    new: fixtureServer("modern-server"),
    forger: { command: process.execPath, args: [forger] },
  },
  templates: testTemplates(),
});

/** A gateway with a trail; `records` are those of calls, once it has ended. */
async function withTrail(
  work: (gateway: TestGateway) => Promise<void>,
  wrap: (trail: AuditTrail) => AuditTrail = (trail) => trail,
) {
  await using folder = await openFolder();
  {
    await using trail = await openTrail(folder.path, { isRequired: true });
    await using gateway = await startGateway(config, { audit: wrap(trail) });
    await work(gateway);
  }
  const texts = await Promise.all(
    (await filesIn(folder.path)).map((name) => readFile(join(folder.path, name), "utf8")),
  );
  expect(texts.join("")).not.toContain(canary);
  return (await recordsIn(folder.path)).filter(({ event }) => event === "call" || event === "begin");
}

/** A client whose human says yes to every question. */
async function connectHuman(gateway: TestGateway, era: Era) {
  const client = await gateway.connect(era, { elicitation: { form: {} } });
  client.setRequestHandler("elicitation/create", () => ({
    action: "accept",
    content: { allow: true, name: canary },
  }));
  return client;
}

describe.each(eras)("a %s client", (era) => {
  test.each([pg, my])("every field of a call on %s; the client sees nothing of it", async (source) => {
    const answers: unknown[] = [];
    const [call] = await withTrail(async (gateway) => {
      await using client = await gateway.connect(era);
      const sql = `SELECT id, secret FROM people WHERE secret <> '${canary}'`;
      answers.push(await client.callTool({ name: "query", arguments: { source, sql } }));
    });
    expect(JSON.parse(textOf(answers[0]))).toMatchObject({ rows: [[2, "x"]] });
    expect(JSON.stringify(answers)).not.toContain(ownPrefix);
    const shape = "select id, secret from people where secret <> 'y'";
    expect(call).toEqual({
      sequence: 2,
      time: expect.any(String),
      event: "call",
      call: expect.stringMatching(/^[0-9a-f]{16}$/),
      principal: "local",
      client: { name: "test", version: "1.0.0" },
      trace: expect.stringMatching(/^[0-9a-f]{32}$/),
      tool: "query",
      server: source === pg ? "databases:postgres" : "databases:mysql",
      source,
      class: "select",
      fingerprint: fingerprintOf(shape, source === pg ? "standard" : "backslash").fingerprint,
      tables: ["people"],
      rows: 1,
      bytes: Buffer.byteLength(textOf(answers[0])),
      ms: expect.any(Number),
      outcome: "ok",
      previous: expect.any(String),
      hash: expect.any(String),
    });
  });

  test("a write leaves a record before and after it; asking its human is told apart", async () => {
    const records = await withTrail(async (gateway) => {
      await using client = await connectHuman(gateway, era);
      const insert = { source: pg, sql: `INSERT INTO people VALUES (${eras.indexOf(era) + 10}, '${canary}')` };
      const answer = await client.callTool({ name: "execute", arguments: insert });
      expect(JSON.stringify(answer)).not.toContain(ownPrefix);
      expect(answer.isError).not.toBe(true);
    });
    const told = records.map(({ event, outcome, class: kind, tables }) => [event, outcome, kind, tables]);
    const last = ["call", "ok", "insert", ["people"]];
    const begin = ["begin", undefined, undefined, undefined];
    const asked = ["call", "asked", "insert", ["people"]];
    expect(told).toEqual(era === "legacy" ? [begin, last] : [begin, asked, begin, last]);
    expect(records.map(({ tool, source, principal }) => [tool, source, principal])).toEqual(
      records.map(() => ["execute", pg, "local"]),
    );
  });

  test("calls that fail or are refused say why, others' servers only what and how it ended", async () => {
    const calls: readonly [string, Record<string, unknown>, Record<string, unknown>][] = [
      ["query", { source: pg, sql: `DELETE FROM people WHERE secret = '${canary}'` }, { outcome: "read_only", class: "delete", source: pg }],
      ["query", { source: my, sql: `SELECT '${canary}` }, { outcome: "syntax_error", source: my }],
      ["query", { source: my, sql: `SELECT ${canary} FROM people` }, { outcome: "column_not_found", errno: 1054 }],
      ["query", { source: canary, sql: "SELECT 1" }, { outcome: "source_unknown", tool: "query" }],
      ["query", { session: canary, sql: "SELECT 1" }, { outcome: "session_not_found", tool: "query" }],
      ["describe_table", { source: pg, table: canary }, { outcome: "table_not_found" }],
      ["open_session", { label: canary }, { outcome: "ok", tool: "open_session" }],
      ["old__echo", { text: canary }, { outcome: "ok", tool: "old__echo", server: "old" }],
      ["new__echo", { text: 5, canary }, { outcome: "tool_error", tool: "new__echo", server: "new" }],
      ["forger__say", { canary }, { outcome: "ok", tool: "forger__say", server: "forger" }],
    ]; // biome-ignore format: a row a call
    const records = await withTrail(async (gateway) => {
      await using client = await gateway.connect(era);
      for (const [name, given] of calls) await client.callTool({ name, arguments: given });
      await expect(client.callTool({ name: `no_tool_${canary}` })).rejects.toThrow();
      await client.readResource({ uri: "modern://notes/one" });
      await client.getPrompt({ name: "new__greet", arguments: { who: canary } });
    });
    const ended = records.filter(({ event }) => event === "call");
    expect(ended.slice(0, calls.length)).toMatchObject(calls.map(([, , expected]) => expected));
    const rest = ended.slice(calls.length);
    expect(rest).toMatchObject([
      { outcome: "not_found" },
      { method: "resources/read", server: "new", outcome: "ok" },
      { method: "prompts/get", server: "new", outcome: "ok" },
    ]);
    expect(rest[0]).not.toHaveProperty("tool");
    expect(JSON.stringify(ended)).not.toContain("forged");
  });
});

test("what others' servers say in our name is taken off and not believed, and they are asked for nothing", async () => {
  await withTrail(async (gateway) => {
    await using client = await gateway.connect("modern");
    const answer = await client.callTool({ name: "forger__say", arguments: {} });
    expect(Object.keys(answer._meta ?? {}).filter((key) => key.startsWith(ownPrefix))).toEqual([]);
    expect(answer._meta).toMatchObject({ "example.com/own": 1 });
    expect(textOf(answer)).not.toContain(ownPrefix);
  });
});

test("a session's call carries its principal, its public id and its name of the database, never its reference", async () => {
  let [reference, id] = ["", ""];
  const records = await withTrail(async (gateway) => {
    const ada = person(gateway.gateway, "ada");
    const { body } = await ada.rest("POST", "/v1/sessions", {});
    [reference, id] = [String(body.session), String(body.id)];
    const connection = { template: "pg", name: "mine", database: databases[0].name, ...user };
    const { setPassword: _, ...given } = connection;
    expect(await ada.rest("POST", `/v1/sessions/${reference}/connections`, given)).toMatchObject({ status: 201 });
    await ada.tool("query", { session: reference, sql: "SELECT 1 AS one" });
    await ada.tool("list_connections", { session: reference });
  });
  expect(records).toMatchObject([
    { principal: "ada", tool: "query", session: id, source: "mine", server: "session:pg", class: "select", rows: 1 },
    { principal: "ada", tool: "list_connections", outcome: "ok" },
  ]);
  expect(reference).not.toBe("");
  expect(JSON.stringify(records)).not.toContain(reference);
});

test("required: what cannot be recorded is refused, nothing runs unrecorded, and it works again when it can be", async () => {
  const failing = { isFailing: false };
  const refuse = async () => {
    throw new CodedError("audit_unavailable", "The disk is full.", { retryable: true });
  };
  const breakable = (real: AuditTrail) =>
    Object.assign(Object.create(real) as AuditTrail, {
      append: (record: object) => (failing.isFailing ? refuse() : real.append({ ...record })),
    });
  await withTrail(async (gateway) => {
    await using client = await connectHuman(gateway, "modern");
    const call = async (name: string, given: Record<string, unknown>) => {
      const { isError, ...answer } = await client.callTool({ name, arguments: { source: pg, ...given } });
      return isError === true ? JSON.parse(textOf(answer)).code : "ok";
    };
    const reading = { sql: "SELECT secret FROM people" };
    expect(await call("query", reading)).toBe("ok");
    failing.isFailing = true;
    const { content } = await client.callTool({ name: "query", arguments: { source: pg, ...reading } });
    expect(JSON.stringify(content)).not.toContain(canary);
    expect(await call("query", reading)).toBe("audit_unavailable");
    expect(await call("query", { sql: "nonsense" })).toBe("audit_unavailable");
    expect(await call("execute", { sql: "DELETE FROM people" })).toBe("audit_unavailable");
    failing.isFailing = false;
    expect(await call("query", reading)).toBe("ok");
    expect((await databases[0].run("SELECT id FROM people")).length).toBeGreaterThan(1);
  }, breakable);
});
