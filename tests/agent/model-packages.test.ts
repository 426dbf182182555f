/** The same conversations over both clients of a model: the built-in one, and @langchain/openai as a user would install it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ChatOpenAI } from "@langchain/openai";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type Conversing, drafted, isDraft, startConversing, textOf, toEnd } from "./conversation.js";
import { runAgent, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 120_000 });

const key = "sk-canary-model";
const folder = temporaryFolder();
const config = join(folder.path, "gateway.json");
let database: TestDatabase;

beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(`
    CREATE TABLE stock (id int PRIMARY KEY, name text, quantity int);
    CREATE TABLE people (id int PRIMARY KEY, city text, ssn text, email text);
    INSERT INTO people SELECT n, (ARRAY['Bern','Lyon'])[1 + n % 2], 'ssncanary' || n, 'mail' || n || '@canary.example' FROM generate_series(1, 400) n;
    ANALYZE`);
  const hidden = { denyColumns: ["people.ssn"], mask: ["people.email=full"] };
  const databases = {
    shop: { url: database.url, settings: { mode: "approve" } },
    hr: { url: database.url, ...hidden },
  };
  writeFileSync(config, JSON.stringify({ databases }), { mode: 0o600 });
});
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const models = {
  "the built-in client": (url: string) => ({ name: "stub", url, key, backOffMs: 1 }),
  "@langchain/openai": (url: string) =>
    new ChatOpenAI({ model: "stub", apiKey: key, configuration: { baseURL: url }, streamUsage: true }),
};

describe.each(Object.entries(models))("over %s", (_, model) => {
  let on: Conversing;
  let from = 0;
  beforeAll(async () => {
    on = await startConversing({ config }, { model });
  });
  afterAll(() => on?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    from = on.stub.requests.length;
    await database.run("TRUNCATE stock; INSERT INTO stock VALUES (1, 'nut', 10), (2, 'bolt', 20)");
  });
  afterEach(() => expect(on.stub.unused()).toEqual([]));
  const sent = () => on.stub.requests.slice(from);
  const ask = async (question: string, source = "shop") => toEnd((await on.agent.session()).ask(question, { source }));

  test("an answer streams, with its tokens counted and its key sent", async () => {
    on.stub.answer(drafted("SELECT count(*) AS n FROM stock"), { text: ["There ", "are ", "2."] });
    const { result, events } = await ask("How many?");
    expect(result).toMatchObject({ text: "There are 2.", usage: { inputTokens: 200, outputTokens: 40 } });
    const words = events.flatMap((event) => (event.type === "token" ? [event.text] : []));
    expect(words).toEqual(["There ", "are ", "2."]);
    expect(sent().map(({ authorization }) => authorization)).toEqual([`Bearer ${key}`, `Bearer ${key}`]);
  });

  test("a chat calls tools, and their results go back", async () => {
    const call = (sql: string) => ({ name: "query", args: { sql, source: "shop" } });
    on.stub.answer({ toolCalls: [call("SELECT sum(quantity) AS s FROM stock"), call("SELECT wrong FROM stock")] });
    on.stub.answer({ text: "30 pieces." });
    const { result } = await toEnd((await on.agent.session()).chat("How many pieces?"));
    expect(result).toMatchObject({ status: "answered", text: "30 pieces." });
    const told = sent()[1]?.body.messages.filter(({ role }) => role === "tool");
    expect(told?.map(({ content }) => content)).toEqual([
      expect.stringContaining("[[30]]"),
      expect.stringContaining("column_not_found"),
    ]);
  });

  test("a server that fails once is asked again", async () => {
    on.stub.answer({ status: 500 }, drafted("SELECT count(*) AS n FROM stock"), { text: "2." });
    expect((await ask("How many?")).result).toMatchObject({ status: "answered", text: "2." });
    expect(sent().length).toBe(3);
  });

  test("a wrong column is repaired by the second draft", async () => {
    on.stub.answer(drafted("SELECT pieces FROM stock"), drafted("SELECT sum(quantity) AS pieces FROM stock"), {
      text: "30.",
    });
    expect((await ask("How many pieces?")).result).toMatchObject({ status: "answered", result: { rows: [[30]] } });
    const drafts = sent().filter(isDraft);
    expect(drafts.length).toBe(2);
    expect(textOf(drafts[1])).toContain('Column \\"pieces\\"');
  });

  test("three wrong drafts are given up", async () => {
    on.stub.answer(...["a", "b", "c"].map((column) => drafted(`SELECT ${column} FROM stock`)));
    expect((await ask("What?")).result).toMatchObject({ status: "failed", error: { code: "question_unanswered" } });
    expect(sent().length).toBe(3);
  });

  test("a write runs as a human has changed it", async () => {
    on.stub.answer(drafted("UPDATE stock SET quantity = 0"));
    const session = await on.agent.session();
    const { result } = await toEnd(session.ask("Empty the stock", { source: "shop" }));
    const sql = "UPDATE stock SET quantity = 7 WHERE id = 2";
    await session.answer(result?.approvals[0]?.approval ?? "", { type: "edit", sql }).result;
    const rows = await database.run("SELECT quantity FROM stock ORDER BY id");
    expect(rows.map(({ quantity }) => quantity)).toEqual([10, 7]);
  });

  test("no value of a denied or masked column is on the wire, whatever is asked for", async () => {
    const wanted = [
      "SELECT ssn FROM people",
      "SELECT ssn::int FROM people",
      "SELECT p FROM people p",
      "SELECT email::int FROM people",
      "SELECT * FROM people LIMIT 3",
    ];
    for (const sql of wanted) {
      on.stub.answer(drafted(sql));
      on.stub.otherwise((request) =>
        isDraft(request) ? drafted("SELECT count(email) AS n FROM people") : { text: "So." },
      );
      await ask("Which people are in Bern?", "hr");
      on.stub.answer({ toolCalls: [{ name: "query", args: { sql, source: "hr" } }] }, { text: "So." });
      await toEnd((await on.agent.session()).chat("Who is in Bern?", { source: "hr" }));
    }
    on.stub.otherwise(() => ({ status: 400 }));
    const wire = sent().map(textOf).join("\n");
    expect(wire).toContain("Bern"); // values of other columns are
    expect(wire).toContain("ssn"); // its name is
    expect(wire).not.toMatch(/ssncanary|canary\.example/);
  });
});

test("db-agent ask finds the package by its provider's name, and reads that provider's own variables", async () => {
  await using on = await startConversing({ config });
  on.stub.answer(drafted("SELECT 40 + 2 AS n"), { text: "42." });
  const { code, stdout, stderr } = await runAgent(["ask", "How much?", "--config", config, "--source", "shop"], {
    environment: {
      DB_AGENT_MODEL: "openai:stub",
      DB_AGENT_MODEL_URL: "",
      OPENAI_BASE_URL: on.stub.url,
      OPENAI_API_KEY: key,
      DB_AGENT_KNOWLEDGE: join(folder.path, "knowledge"),
    },
  });
  expect({ code, stderr, says: stdout.includes("42.") }).toMatchObject({ code: 0, says: true });
  expect(on.stub.requests.map(({ authorization }) => authorization)).toEqual([`Bearer ${key}`, `Bearer ${key}`]);
  expect(stdout + stderr).not.toContain(key);
});
