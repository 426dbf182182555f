/** Tasks that do several things at a time, and that ask questions: what runs when, what is told, what waits for whom. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { TaskInput } from "../../agent/src/index.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type Conversing, drafted, isDraft, startConversing, textOf, toEnd } from "./conversation.js";
import { runAgent, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 120_000 });

const folder = temporaryFolder();
const store = `file:${join(folder.path, "sessions")}`;
const keys = `k1:${randomBytes(32).toString("base64")}`;
let database: TestDatabase;
let on: Conversing;

beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(
    "CREATE TABLE nuts (id int PRIMARY KEY, name text); INSERT INTO nuts VALUES (1, 'hex'), (2, 'wing')",
  );
  const gone = Object.assign(new URL(database.url), { port: "1" }).href;
  on = await startConversing({ databases: { pg: database.url, gone } }, { store, keys });
});
afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});
beforeEach(() =>
  on.stub.otherwise((request) => (isDraft(request) ? draftFor(textOf(request)) : { text: "There are 2." })),
);

/** Several questions come in any order: each is answered by its own words. */
function draftFor(text: string) {
  if (text.includes("pieces or kinds")) return { text: "CLARIFY: pieces or kinds? | pieces | kinds" };
  if (text.includes("colours")) return drafted("SELECT colour FROM nuts");
  return drafted("SELECT count(*) AS n FROM nuts", "ASSUMPTION: all of them");
}

const run = async (task: TaskInput) => toEnd(await on.agent.run({ connections: [{ name: "pg" }], ...task }));
const statusesOf = (of: readonly { readonly status: string }[] | undefined) => of?.map(({ status }) => status);

describe("statements at the same time", () => {
  const slow = (index: number) => ({ sql: `SELECT pg_sleep(${index === 0 ? 2 : 1}), ${index} AS n` });

  test("are as many as the task says, and reported in its order", async () => {
    const running = run({ parallel: 3, statements: Array.from({ length: 6 }, (_, index) => slow(index)) });
    const counts: number[] = [];
    let isOver = false;
    running.finally(() => {
      isOver = true;
    });
    const active = `SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()`;
    while (!isOver) counts.push(Number((await database.run(active))[0]?.n));
    const { result } = await running;
    expect(Math.max(...counts)).toBe(3);
    expect(result?.statements.map((statement) => statement.result?.rows[0]?.[1])).toEqual([0, 1, 2, 3, 4, 5]);
    expect(result?.ok).toBe(true);
  });

  test.each([
    ["continue", ["ok", "failed", "ok", "ok"]],
    ["stop", ["ok", "failed", "skipped", "skipped"]],
  ] as const)("with onError %s after one that failed", async (onError, statuses) => {
    const statements = ["SELECT 1", "SELECT wrong", "SELECT 3", "SELECT 4"].map((sql) => ({ sql }));
    const { result, events } = await run({ parallel: 2, onError, statements });
    expect(statusesOf(result?.statements)).toEqual(statuses);
    expect(events.at(-1)).toMatchObject({ type: "done", ok: false });
  });
});

describe("questions", () => {
  const questions = [
    { name: "count", text: "How many nuts are there?" },
    { name: "which", text: "How many, pieces or kinds?" },
    { text: "Which colours are there?", source: "pg" },
  ];

  test("are answered, wait or fail each in a session of its own, and are told under their names", async () => {
    const { result, events } = await run({ statements: [{ sql: "SELECT 1" }], questions, parallel: 3 });
    expect(result).toMatchObject({
      ok: false,
      statements: [{ status: "ok" }],
      questions: [
        {
          name: "count",
          status: "answered",
          sql: "SELECT count(*) AS n FROM nuts",
          result: { rows: [[2]] },
          answer: "There are 2.",
          caveats: ["all of them"],
          connection: "pg",
        },
        { name: "which", status: "waiting" },
        { name: "question 3", status: "failed", error: { code: "question_unanswered" } },
      ],
    });
    expect(new Set(result?.questions.map(({ session }) => session)).size).toBe(3);
    expect(events.at(-1)).toMatchObject({
      questions: { answered: 1, waiting: 1, failed: 1, skipped: 0 },
      waiting: true,
    });
    expect(events.some(({ type }) => type === "token")).toBe(false);
    expect(events.flatMap((event) => (event.type === "rows" ? [event.statement] : []))).toEqual([
      "statement 1",
      "count",
    ]);

    expect((await on.agent.recall(result?.session ?? ""))?.questions).toEqual(result?.questions);
    const waiting = await on.agent.session(result?.questions[1]?.session);
    const [asked] = await waiting.pending();
    expect(asked).toMatchObject({ kind: "question", choices: ["pieces", "kinds"] });
    on.stub.answer(drafted("SELECT count(name) AS kinds FROM nuts"), { text: "2 kinds." });
    const answered = await waiting.answer(asked?.approval ?? "", { type: "reply", text: "kinds" }).result;
    expect(answered.text).toBe("2 kinds.");
  });

  test.each([
    ["a statement failed and onError is stop", { statements: [{ sql: "SELECT wrong" }], onError: "stop" as const }],
    ["their database is down", { connections: [{ name: "gone" }] }],
  ])("are skipped where %s, and cost no call", async (_, task) => {
    const before = on.stub.requests.length;
    const { result } = await run({ questions: [{ text: "How many nuts?" }], ...task });
    expect(result?.questions).toMatchObject([{ status: "skipped", error: { code: "skipped" } }]);
    expect(on.stub.requests.length).toBe(before);
  });

  test("of one run leave nothing behind for the next one on its session", async () => {
    const first = await run({ questions: [{ text: "How many nuts?" }] });
    const session = first.result?.session ?? "";
    const next = await toEnd(await on.agent.run({ connections: [{ name: "pg" }], statements: [] }, { session }));
    expect(next.result?.questions).toEqual([]);
  });

  const task = (asked: object[]) =>
    JSON.stringify({
      connections: [{ name: "pg", url: database.url }],
      statements: [{ sql: "SELECT 1" }],
      questions: asked,
    });
  const environment = () => ({
    DB_AGENT_MODEL: "stub",
    DB_AGENT_MODEL_URL: on.stub.url,
    DB_AGENT_KNOWLEDGE: join(folder.path, "knowledge"),
    MCP_KEYS: keys,
  });

  test("from a file: a human who is missing is exit code 3, and answers from another process", async () => {
    const waiting = await runAgent(["run", "-", "--store", store], {
      input: task(questions.slice(0, 2)),
      environment: environment(),
    });
    expect(waiting.code).toBe(3);
    expect(waiting.stdout).toMatch(
      /count \(pg\)\nHow many nuts are there\?\nSELECT count[\s\S]*There are 2\.\n! all of them/,
    );
    expect(waiting.stdout).toContain("1 of 2 questions answered, 1 waits for a human");
    const session = /which waits for a human: db-agent answer (\S+)/.exec(waiting.stderr)?.[1] ?? "";
    on.stub.answer(drafted("SELECT count(name) AS kinds FROM nuts"), { text: "2 kinds." });
    const config = join(folder.path, "gateway.json");
    writeFileSync(config, JSON.stringify({ databases: { pg: database.url } }), { mode: 0o600 });
    const answered = await runAgent(["answer", session, "reply", "kinds", "--store", store, "--config", config], {
      environment: environment(),
    });
    expect({ code: answered.code, words: answered.stdout.includes("2 kinds.") }).toEqual({ code: 0, words: true });
    const failed = await runAgent(["run", "-", "-o", "json", "-q"], {
      input: task(questions.slice(1)),
      environment: environment(),
    });
    expect({ code: failed.code, statuses: statusesOf(JSON.parse(failed.stdout).questions) }).toEqual({
      code: 1,
      statuses: ["waiting", "failed"],
    });
  });

  test("without a model nothing runs, and it says what to set", async () => {
    const { code, stdout, stderr } = await runAgent(["run", "-"], {
      input: task(questions.slice(0, 1)),
      environment: { DB_AGENT_MODEL: "" },
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("[model_unset]");
    expect(stderr).not.toContain("is up");
  });
});
