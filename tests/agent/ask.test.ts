/** A question in words over a real database, its model answered from a script on the real wire. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type Conversing, drafted, isDraft, kindsOf, startConversing, textOf, toEnd } from "./conversation.js";

let database: TestDatabase;
let on: Conversing;
beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(`
    CREATE TABLE customers (id int PRIMARY KEY, full_name text NOT NULL, city text NOT NULL);
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, status text NOT NULL,
      total numeric(10,2) NOT NULL);
    COMMENT ON TABLE orders IS 'One row per order';
    INSERT INTO customers SELECT n, 'Person Canaryname' || n, (ARRAY['Bern','Lyon','Graz'])[1 + n % 3] FROM generate_series(1, 60) n;
    INSERT INTO orders SELECT n, 1 + n % 60, (ARRAY['paid','open','late'])[1 + n % 3], n FROM generate_series(1, 90) n;
    ANALYZE`);
  on = await startConversing({ databases: { shop: database.url } });
});
afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});
let from = 0;
beforeEach(() => {
  from = on.stub.requests.length;
});
afterEach(() => expect(on.stub.unused()).toEqual([]));
const sent = () => on.stub.requests.slice(from);
const ask = async (question: string) => toEnd((await on.agent.session()).ask(question));

test("is drafted, looked at, run and answered, and each step is told", async () => {
  on.stub.answer(
    drafted("SELECT count(*) AS orders FROM orders WHERE status = 'paid'", "ASSUMPTION: paid is the status paid"),
  );
  on.stub.answer({ text: ["30 orders ", "are paid."] });
  const { result, events } = await ask("How many orders are paid?");
  expect(result).toMatchObject({
    status: "answered",
    text: "30 orders are paid.",
    sql: "SELECT count(*) AS orders FROM orders WHERE status = 'paid'",
    connection: "shop",
    result: { columns: ["orders"], rows: [[30]] },
    caveats: ["paid is the status paid"],
    usage: { inputTokens: 200, outputTokens: 40 },
  });
  expect(kindsOf(events)).toEqual(["usage", "sql", "rows", "token", "usage", "done"]);
  expect(events.filter(({ type }) => type === "token")).toEqual([
    { type: "token", text: "30 orders " },
    { type: "token", text: "are paid." },
  ]);
  expect(events.at(-1)).toMatchObject({ ok: true, answer: "30 orders are paid.", usage: { inputTokens: 200 } });
  const [draft, words] = sent().map(textOf);
  expect(draft).toContain("table public.orders (about 90 rows)");
  expect(draft).toContain("PostgreSQL");
  expect(words).toContain("[[30]]");
});

describe("a statement that is wrong", () => {
  test("in a column: the database's own words go back, and the second draft does", async () => {
    on.stub.answer(drafted("SELECT count(*) FROM orders WHERE sttus = 'paid'"));
    on.stub.answer(drafted("SELECT count(*) AS n FROM orders WHERE status = 'paid'"), { text: "30." });
    const { result, events } = await ask("How many orders are paid?");
    expect(result).toMatchObject({ status: "answered", text: "30.", result: { rows: [[30]] } });
    const drafts = sent().filter(isDraft);
    expect(drafts).toHaveLength(2);
    expect(textOf(drafts[1])).toContain("column_not_found");
    expect(textOf(drafts[1])).toContain("Did you mean status?");
    expect(events.filter(({ type }) => type === "sql")).toHaveLength(1); // the wrong one was planned, not run
    expect(events).toContainEqual(
      expect.objectContaining({
        type: "error",
        willRetry: true,
        error: expect.objectContaining({ code: "column_not_found" }),
      }),
    );
  });

  test("in a table: it is seen before anything is sent", async () => {
    on.stub.answer(drafted("SELECT count(*) FROM ordrs"), drafted("SELECT count(*) AS n FROM orders"), { text: "90." });
    const { result } = await ask("How many orders are there?");
    expect(result).toMatchObject({ status: "answered", result: { rows: [[90]] } });
    expect(textOf(sent().filter(isDraft)[1])).toContain("Did you mean public.orders?");
  });

  test("three times: the agent gives up, and says what was wrong last", async () => {
    on.stub.answer(...["a", "b", "c"].map((column) => drafted(`SELECT ${column} FROM orders`)));
    const { result, events } = await ask("What is it?");
    expect(result).toMatchObject({
      status: "failed",
      sql: "SELECT c FROM orders",
      error: { code: "question_unanswered", message: expect.stringContaining('Column "c"') },
    });
    expect(sent()).toHaveLength(3);
    expect(events.at(-1)).toMatchObject({ type: "done", ok: false });
  });

  test("because it is none at all: the model is told the form", async () => {
    on.stub.answer({ text: "I would rather talk about poetry." }, drafted("SELECT 1 AS one FROM orders LIMIT 1"), {
      text: "1",
    });
    expect((await ask("One?")).result).toMatchObject({ status: "answered" });
    expect(textOf(sent().filter(isDraft)[1])).toContain("```sql block");
  });

  test("because it would write, where nothing may: it goes back as well", async () => {
    on.stub.answer(drafted("DELETE FROM orders"), { text: "CANNOT: the database is only read" });
    const { result } = await ask("Delete all orders");
    expect(result).toMatchObject({ status: "answered", text: "the database is only read", writes: [] });
    expect(textOf(sent()[1])).toContain("read_only");
    expect(await database.run("SELECT count(*)::int AS n FROM orders")).toEqual([{ n: 90 }]);
  });
});

test("what the database cannot answer is said, and nothing is run", async () => {
  on.stub.answer({ text: "CANNOT: there is nothing about the weather here" });
  const { result, events } = await ask("Will it rain?");
  expect(result).toMatchObject({ status: "answered", text: "there is nothing about the weather here", caveats: [] });
  expect(kindsOf(events)).toEqual(["usage", "done"]);
});

describe("a result of nothing", () => {
  test("sends the model the values there are, and takes its second word", async () => {
    on.stub.answer(drafted("SELECT id FROM customers WHERE city = 'Berne'"));
    on.stub.answer(drafted("SELECT count(*) AS n FROM customers WHERE city = 'Bern'"), { text: "20 live in Bern." });
    const { result } = await ask("How many customers live in Berne?");
    expect(result).toMatchObject({ text: "20 live in Bern.", result: { rows: [[20]] } });
    const second = textOf(sent().filter(isDraft)[1]);
    expect(second).toContain("public.customers.city is nowhere");
    expect(second).toContain("Bern");
  });

  test("that stays nothing is the answer, and says so", async () => {
    const sql = "SELECT id FROM customers WHERE city = 'Oslo'";
    on.stub.answer(drafted(sql), drafted(sql), { text: "Nobody lives in Oslo." });
    const { result } = await ask("Who lives in Oslo?");
    expect(result).toMatchObject({ status: "answered", text: "Nobody lives in Oslo.", result: { rows: [] } });
    expect(result?.caveats[0]).toBe("The statement found nothing.");
  });
});

test("a question that can be read in two ways is asked back, and answered in words", async () => {
  on.stub.answer({ text: "CLARIFY: by orders or by money? | by number of orders | by total" });
  const session = await on.agent.session();
  const asked = await toEnd(session.ask("Which customer is the best?"));
  const [approval] = asked.result?.approvals ?? [];
  expect(asked.result?.status).toBe("waiting");
  expect(approval).toMatchObject({
    kind: "question",
    message: "by orders or by money?",
    choices: ["by number of orders", "by total"],
  });
  expect(kindsOf(asked.events)).toEqual(["usage", "approval_required", "done"]);
  expect(asked.events.at(-1)).toMatchObject({ ok: true, waiting: true });

  on.stub.answer(drafted("SELECT customer_id FROM orders GROUP BY 1 ORDER BY sum(total) DESC, 1 LIMIT 1"), {
    text: "31.",
  });
  const answered = await toEnd(session.answer(approval?.approval ?? "", { type: "reply", text: "by total" }));
  expect(answered.result).toMatchObject({ status: "answered", text: "31.", result: { rows: [[31]] } });
  expect(textOf(sent().filter(isDraft)[1])).toContain("by orders or by money? by total");
});

test("a follow-up knows what was asked and answered before", async () => {
  const session = await on.agent.session();
  on.stub.answer(drafted("SELECT count(*) AS n FROM orders WHERE status = 'paid'"), { text: "30 are paid." });
  await session.ask("How many are paid?").result;
  on.stub.answer(drafted("SELECT count(*) AS n FROM orders WHERE status = 'late'"), { text: "30 are late." });
  await session.ask("And late?").result;
  const second = textOf(sent().filter(isDraft)[1]);
  expect(second).toContain("How many are paid?");
  expect(second).toContain("30 are paid.");
  expect((await session.show()).messages.map(({ from }) => from)).toEqual(["human", "model", "human", "model"]);
});

test("a model that fails while it words the answer loses no row", async () => {
  on.stub.answer(drafted("SELECT count(*) AS n FROM orders"), { status: 401 });
  const { result } = await ask("How many orders?");
  expect(result).toMatchObject({ status: "answered", text: "1 row.", result: { rows: [[90]] } });
  expect(result?.caveats.join()).toContain("401");
});
