/** The workflow's branches on real databases behind a real gateway, told as typed events and kept as text. */
import { MemorySaver } from "@langchain/langgraph";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Agent, type AgentEvent, createAgent, eventSchema, type TaskInput } from "../../agent/src/index.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { postgresUrl } from "../support/services.js";
import { eventually, runsStatement, slowStatement } from "./support.js";

let postgres: TestDatabase;
let mysql: TestDatabase;
let agent: Agent;
const store = new MemorySaver();

beforeAll(async () => {
  [postgres, mysql] = await Promise.all([createPostgresDatabase(), createMysqlDatabase()]);
  const content = "INSERT INTO people VALUES (1, 'Ada'), (2, '李小龍'), (3, NULL)";
  for (const database of [postgres, mysql]) {
    await database.run("CREATE TABLE people (id bigint PRIMARY KEY, name varchar(40))");
    await database.run(content);
  }
  agent = createAgent({ gateway: { databases: databases() }, store });
});
afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await Promise.all([postgres?.[Symbol.asyncDispose](), mysql?.[Symbol.asyncDispose]()]);
});

const withPart = (
  url: string,
  part: Partial<Pick<URL, "hostname" | "port" | "username" | "password" | "pathname">>,
): string => Object.assign(new URL(url), part).href;

function databases(): Record<string, string> {
  return {
    pg: postgres.url,
    my: mysql.url,
    gone: withPart(postgresUrl(), { port: "1" }),
    missing: withPart(postgresUrl(), { pathname: "/no_such_database" }),
    refused: withPart(mysql.url, { username: "nobody_at_all", password: "wrong" }),
  };
}

async function run(task: TaskInput, options: { session?: string; signal?: AbortSignal } = {}) {
  const events: AgentEvent[] = [];
  const running = await agent.run(task, options);
  for await (const event of running) events.push(v.parse(eventSchema, event));
  return { events, report: await running.result, session: running.session };
}

const connectionsNamed = (...names: string[]) => names.map((name) => ({ name }));
const statesOf = (events: AgentEvent[], name: string) =>
  events.flatMap((event) => (event.type === "status" && event.connection === name ? [event.state] : []));

describe.each(["pg", "my"])("%s is up", (name) => {
  test("it is connected, verified, inspected and queried, in this order", async () => {
    const { events, report } = await run({
      connections: connectionsNamed(name),
      inspect: { tables: ["people"], detail: "names", pattern: "people" },
      statements: [{ name: "all", sql: "SELECT id, name FROM people ORDER BY id" }],
    });
    expect(statesOf(events, name)).toEqual(["connecting", "verifying", "up", "inspecting", "inspected"]);
    expect(events.map(({ type }) => type).slice(-3)).toEqual(["sql", "rows", "done"]);
    expect(report.ok).toBe(true);
    expect(report.connections).toMatchObject([{ name, state: "up", check: { mode: "read-only" } }]);
    expect(report.inspections).toMatchObject([
      { subject: "objects", objects: { rows: [expect.arrayContaining(["people"])] } },
      { subject: "people", description: expect.stringContaining("id bigint") },
    ]);
    expect(report.statements[0]?.result?.rows).toEqual([
      [1, "Ada"],
      [2, "李小龍"],
      [3, null],
    ]);
  });

  test("parameters arrive in order, a row limit holds", async () => {
    const mark = name === "pg" ? ["$1", "$2"] : ["?", "?"];
    const { report } = await run({
      connections: connectionsNamed(name),
      statements: [
        {
          sql: `SELECT name FROM people WHERE id = ${mark[0]} OR name = ${mark[1]} ORDER BY id`,
          params: [1, "李小龍"],
        },
        { sql: "SELECT id FROM people ORDER BY id", maxRows: 2 },
      ],
    });
    expect(report.statements.map(({ result }) => result?.rows)).toEqual([
      [["Ada"], ["李小龍"]],
      [[1], [2]],
    ]);
    expect(report.statements[1]?.result).toMatchObject({ truncated: true, rowCount: 2 });
  });
});

describe("down", () => {
  test.each([
    ["gone", "connection_failed"],
    ["missing", "database_not_found"],
    ["refused", "authentication_failed"],
  ])("%s: %s, and nothing is run", async (name, code) => {
    const { events, report } = await run({
      connections: connectionsNamed(name),
      inspect: true,
      statements: [{ sql: "SELECT 1" }],
    });
    expect(statesOf(events, name).at(-1)).toBe("down");
    expect(events.filter(({ type }) => type === "sql")).toEqual([]);
    expect(report).toMatchObject({
      ok: false,
      connections: [{ state: "down", error: { code } }],
      statements: [{ status: "skipped" }],
    });
  });

  test("what may pass by itself is tried three times, what cannot is tried once", async () => {
    const attemptsOf = async (name: string): Promise<boolean[]> =>
      (await run({ connections: connectionsNamed(name) })).events.flatMap((event) =>
        event.type === "error" ? [event.willRetry] : [],
      );
    expect(await attemptsOf("gone")).toEqual([true, true, false]);
    expect(await attemptsOf("refused")).toEqual([false]);
  });

  test("one of several: the others are queried, its own statements are skipped", async () => {
    const statements = ["pg", "gone", "my"].map((source) => ({ source, sql: "SELECT 1" }));
    const { report } = await run({ connections: connectionsNamed("pg", "gone", "my"), statements });
    expect(report.connections.map(({ state }) => state)).toEqual(["up", "down", "up"]);
    expect(report.statements.map(({ status }) => status)).toEqual(["ok", "skipped", "ok"]);
  });

  test("one of several with onError stop: nothing is run", async () => {
    const { report } = await run({
      connections: connectionsNamed("pg", "missing"),
      statements: [{ source: "pg", sql: "SELECT 1" }],
      onError: "stop",
    });
    expect(report.statements.map(({ status }) => status)).toEqual(["skipped"]);
  });
});

describe("a statement that fails", () => {
  const statements = [{ sql: "SELECT 1 AS one" }, { sql: "SELECT nme FROM people" }, { sql: "SELECT 3 AS three" }];

  test.each([
    ["continue", ["ok", "failed", "ok"]],
    ["stop", ["ok", "failed", "skipped"]],
  ] as const)("with onError %s: %j", async (onError, expected) => {
    const { report, events } = await run({ connections: connectionsNamed("pg"), statements, onError });
    expect(report.statements.map(({ status }) => status)).toEqual(expected);
    expect(report.statements[1]?.error).toMatchObject({
      code: "column_not_found",
      sqlstate: "42703",
      hint: expect.stringContaining("name"),
    });
    expect(events.at(-1)).toMatchObject({ type: "done", ok: false, statements: { failed: 1 } });
  });
});

test("a run is remembered under its reference id, and the next one on it starts anew", async () => {
  const session = "session-kept";
  await run(
    { connections: connectionsNamed("pg"), statements: [{ sql: "SELECT 1 AS a" }, { sql: "SELECT 2 AS b" }] },
    { session },
  );
  const { report } = await run(
    { connections: connectionsNamed("pg"), statements: [{ sql: "SELECT 3 AS c" }] },
    { session },
  );
  expect(report.statements.map(({ result }) => result?.rows)).toEqual([[[3]]]);
  expect(await agent.recall(session)).toEqual(report);
  expect(await agent.recall("never-seen")).toBeUndefined();
});

test("a cell shaped like a serialised object stays text, and no checkpoint holds a credential or a row as an object", async () => {
  const cell =
    '{"lc":1,"type":"constructor","id":["langchain_core","messages","HumanMessage"],"kwargs":{"content":"x"}}';
  const session = "session-lc";
  const { report } = await run(
    {
      connections: connectionsNamed("pg"),
      statements: [{ sql: "SELECT $1::jsonb AS c, 'canary-cell' AS d", params: [cell] }],
    },
    { session },
  );
  expect(JSON.parse(String(report.statements[0]?.result?.rows[0]?.[0]))).toEqual(JSON.parse(cell));
  const kept: unknown[] = [];
  for await (const checkpoint of store.list({ configurable: { thread_id: session } })) kept.push(checkpoint);
  const isRowObject = (value: unknown): boolean =>
    typeof value === "object" &&
    value !== null &&
    (Array.isArray(value)
      ? value.includes("canary-cell") || value.some(isRowObject)
      : Object.values(value).some(isRowObject));
  expect(kept.length).toBeGreaterThan(3);
  expect(isRowObject(kept)).toBe(false);
  expect(JSON.stringify(kept)).toContain("canary-cell");
  for (const url of Object.values(databases())) expect(JSON.stringify(kept)).not.toContain(url);
});

test("a cancelled run says so, and its statement is gone from the server", async () => {
  const controller = new AbortController();
  const mark = `run_${process.pid}`;
  const running = await agent.run(
    { connections: connectionsNamed("pg"), statements: [{ sql: slowStatement(mark) }, { sql: "SELECT 1" }] },
    { signal: controller.signal },
  );
  const isActive = (): Promise<boolean> => runsStatement(postgres, mark);
  await eventually(isActive, "the statement to run");
  controller.abort();
  const events: AgentEvent[] = [];
  for await (const event of running) events.push(event);
  await expect(running.result).rejects.toMatchObject({ code: "cancelled" });
  expect(events.at(-2)).toMatchObject({ type: "error", error: { code: "cancelled" } });
  expect(events.at(-1)).toMatchObject({ type: "done", ok: false });
  await eventually(async () => !(await isActive()), "the statement to stop");
});

test("two runs on one session at once: the second is refused", async () => {
  const task = { connections: connectionsNamed("pg"), statements: [{ sql: slowStatement("busy", 2_000) }] };
  const first = await agent.run(task, { session: "busy" });
  const second = await agent.run(task, { session: "busy" });
  await expect(second.result).rejects.toMatchObject({ code: "session_busy" });
  expect((await first.result).ok).toBe(true);
});
