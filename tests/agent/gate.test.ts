/** Every write stops for a human, in whichever process they answer, and runs once: real databases, a real gateway. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Decision, Session } from "../../agent/src/index.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type Conversing, drafted, kindsOf, startConversing, textOf, toEnd } from "./conversation.js";
import { temporaryFolder } from "./support.js";

const folder = temporaryFolder();
const keys = `k1:${randomBytes(32).toString("base64")}`;
const kept = () => ({ store: `file:${join(folder.path, "sessions")}`, keys });
let postgres: TestDatabase;
let mysql: TestDatabase;
let config: string;
let on: Conversing;

beforeAll(async () => {
  [postgres, mysql] = await Promise.all([createPostgresDatabase(), createMysqlDatabase()]);
  config = join(folder.path, "gateway.json");
  const settings = { mode: "approve" };
  const databases = { pg: { url: postgres.url, settings }, my: { url: mysql.url, settings } };
  writeFileSync(config, JSON.stringify({ databases }), { mode: 0o600 });
  on = await startConversing({ config }, kept());
});
afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await Promise.all([postgres?.[Symbol.asyncDispose](), mysql?.[Symbol.asyncDispose]()]);
  folder[Symbol.dispose]();
});
beforeEach(async () => {
  for (const database of [postgres, mysql]) {
    await database.run("DROP TABLE IF EXISTS stock");
    await database.run("CREATE TABLE stock (id int PRIMARY KEY, quantity int NOT NULL)");
    await database.run("INSERT INTO stock VALUES (1, 10), (2, 20), (3, 30)");
  }
});

const stock = async (database = postgres) =>
  (await database.run("SELECT quantity FROM stock ORDER BY id")).map(({ quantity }) => Number(quantity));
const update = "UPDATE stock SET quantity = 0 WHERE id < 3";

async function propose(session: Session, sql = update, source = "pg") {
  const run = await toEnd(session.execute(sql, { source }));
  const [asked] = run.result?.approvals ?? [];
  return { ...run, approval: asked?.approval ?? "", asked };
}

describe.each(["pg", "my"])("a write on %s", (source) => {
  const database = () => (source === "pg" ? postgres : mysql);

  test("is tried and rolled back, shown, and run once it is allowed", async () => {
    const session = await on.agent.session();
    const { events, asked, approval, result } = await propose(session, update, source);
    expect(kindsOf(events)).toEqual(["approval_required", "done"]);
    expect(result).toMatchObject({ status: "waiting", writes: [] });
    expect(asked).toMatchObject({ kind: "write", tool: "execute", connection: source, sql: update });
    expect(JSON.parse(asked?.dryRun?.reply ?? "")).toMatchObject({ dry_run: true, rows_affected: 2 });
    expect(await stock(database())).toEqual([10, 20, 30]);

    const allowed = await toEnd(session.answer(approval, { type: "approve" }));
    expect(allowed.error).toBeUndefined();
    expect(kindsOf(allowed.events)).toEqual(["sql", "rows", "done"]);
    expect(allowed.result).toMatchObject({
      status: "answered",
      text: "Done: 2 rows.",
      writes: [{ status: "done", sql: update }],
    });
    expect(await stock(database())).toEqual([0, 0, 30]);
  });
});

describe("a human", () => {
  test("who says no: nothing is run, and the session is free again", async () => {
    const session = await on.agent.session();
    const { approval } = await propose(session);
    const { result } = await toEnd(session.answer(approval, { type: "reject", reason: "not today" }));
    expect(result).toMatchObject({
      status: "answered",
      writes: [{ status: "rejected", error: { code: "approval_declined" } }],
    });
    expect(result?.text).toContain("not today");
    expect(await stock()).toEqual([10, 20, 30]);
    expect((await propose(session)).result?.status).toBe("waiting");
  });

  test("who changes the statement: theirs is run", async () => {
    const session = await on.agent.session();
    const { approval } = await propose(session);
    const sql = "UPDATE stock SET quantity = $1 WHERE id = 3";
    const { result } = await toEnd(session.answer(approval, { type: "edit", sql, params: [7] }));
    expect(result).toMatchObject({ status: "answered", writes: [{ status: "done", sql }] });
    expect(await stock()).toEqual([10, 20, 7]);
  });

  test("is not asked about a statement that fails by itself", async () => {
    const session = await on.agent.session();
    const { result, events } = await propose(session, "UPDATE stock SET nothing = 0");
    expect(result).toMatchObject({ status: "failed", approvals: [], error: { code: "column_not_found" } });
    expect(kindsOf(events)).toEqual(["error", "done"]);
  });

  test("may answer in another process, and once", async () => {
    const asking = await on.agent.session();
    const { approval } = await propose(asking);
    await using other = await startConversing({ config }, kept());
    const answering = await other.agent.session(asking.id);
    expect(await answering.pending()).toMatchObject([{ approval, sql: update, kind: "write" }]);
    expect((await toEnd(answering.answer(approval, { type: "approve" }))).result).toMatchObject({ status: "answered" });
    expect(await stock()).toEqual([0, 0, 30]);

    for (const session of [asking, answering]) {
      await expect(session.answer(approval, { type: "approve" }).result).rejects.toMatchObject({
        code: "approval_used",
      });
      expect(await session.pending()).toEqual([]);
    }
    expect(await stock()).toEqual([0, 0, 30]);
  });

  test("who answers at the same time in two processes is heard once", async () => {
    const asking = await on.agent.session();
    const { approval } = await propose(asking, "UPDATE stock SET quantity = quantity + 1");
    await using other = await startConversing({ config }, kept());
    const answering = await other.agent.session(asking.id);
    const both = await Promise.allSettled(
      [asking, answering].map((one) => one.answer(approval, { type: "approve" }).result),
    );
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(both.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { code: expect.stringMatching(/^(session_busy|approval_used)$/) },
    });
    expect(await stock()).toEqual([11, 21, 31]);
  });

  const refused: readonly [string, string | undefined, Decision, string][] = [
    ["to what was never asked", "never-asked", { type: "approve" }, "approval_unknown"],
    ["in words to a write", undefined, { type: "reply", text: "maybe" }, "approval_mismatch"],
  ];
  test.each(refused)("who answers %s is told so, and the question stays", async (_, named, decision, code) => {
    const session = await on.agent.session();
    const { approval } = await propose(session);
    await expect(session.answer(named ?? approval, decision).result).rejects.toMatchObject({ code });
    expect((await session.pending()).map((asked) => asked.approval)).toEqual([approval]);
    expect(await stock()).toEqual([10, 20, 30]);
  });

  test("who is late can only say no", async () => {
    await using hurried = await startConversing({ config }, { policy: { approvalMs: 1 } });
    const session = await hurried.agent.session();
    const { approval } = await propose(session);
    await expect(session.answer(approval, { type: "approve" }).result).rejects.toMatchObject({
      code: "approval_expired",
    });
    await session.answer(approval, { type: "reject" }).result;
    expect(await session.pending()).toEqual([]);
    expect(await stock()).toEqual([10, 20, 30]);
  });

  test("has to answer before anything else begins", async () => {
    const session = await on.agent.session();
    const { approval } = await propose(session);
    const others = [() => session.ask("how many?").result, async () => (await session.run({ statements: [] })).result];
    for (const start of others) await expect(start()).rejects.toMatchObject({ code: "approval_pending" });
    await session.answer(approval, { type: "reject" }).result;
  });
});

test("an agent whose policy refuses writes asks nobody", async () => {
  await using strict = await startConversing({ config }, { policy: { writes: "refuse" } });
  const { result } = await propose(await strict.agent.session());
  expect(result).toMatchObject({ status: "failed", approvals: [], error: { code: "not_allowed" } });
});

test("a question that asks for a change ends at the gate as well", async () => {
  on.stub.answer(drafted("UPDATE stock SET quantity = 5 WHERE id = 1"));
  const session = await on.agent.session();
  const asked = await toEnd(session.ask("Set the quantity of 1 to 5", { source: "pg" }));
  expect(asked.result).toMatchObject({ status: "waiting", approvals: [{ kind: "write", connection: "pg" }] });
  const answer = session.answer(asked.result?.approvals[0]?.approval ?? "", { type: "approve" });
  expect((await answer.result).text).toBe("Done: 1 row.");
  expect(await stock()).toEqual([5, 20, 30]);
});

describe("a chat", () => {
  const call = (sql: string, name = "execute") => ({ name, args: { sql, source: "pg" } });
  const writes = ["UPDATE stock SET quantity = 1 WHERE id = 1", "UPDATE stock SET quantity = 2 WHERE id = 2"];

  test("whose model calls several tools at once loses none by one no", async () => {
    on.stub.answer({
      toolCalls: [call("SELECT sum(quantity) AS s FROM stock", "query"), ...writes.map((sql) => call(sql))],
    });
    const session = await on.agent.session();
    const asked = await toEnd(session.chat("Sum it up, then set 1 and 2"));
    expect(asked.result?.approvals.map(({ sql }) => sql)).toEqual(writes);
    const [first, second] = asked.result?.approvals.map(({ approval }) => approval) ?? [];

    const rejected = await toEnd(session.answer(first ?? "", { type: "reject", reason: "leave 1 alone" }));
    expect(rejected.result?.approvals.map(({ approval }) => approval)).toEqual([second]);
    expect(await stock()).toEqual([10, 20, 30]);

    on.stub.answer({ text: "2 is set; 1 was left alone." });
    const done = await toEnd(session.answer(second ?? "", { type: "approve" }));
    expect(done.result).toMatchObject({
      status: "answered",
      text: "2 is set; 1 was left alone.",
      writes: [
        { sql: writes[0], status: "rejected" },
        { sql: writes[1], status: "done" },
      ],
    });
    expect(await stock()).toEqual([10, 2, 30]);

    const told = on.stub.requests.at(-1)?.body.messages.filter(({ role }) => role === "tool") ?? [];
    expect(told.map(({ content }) => content)).toEqual([
      expect.stringContaining("[[60]]"),
      expect.stringContaining("leave 1 alone"),
      expect.stringContaining('"rows_affected":1'),
    ]);
  });

  test("shows its model neither the dry run nor the keys of execute", async () => {
    on.stub.answer({ text: "hello" });
    await (await on.agent.session()).chat("hello").result;
    const sent = on.stub.requests.at(-1)?.body.tools as {
      function: { name: string; parameters: { properties: object } };
    }[];
    const execute = sent.find((tool) => tool.function.name === "execute");
    expect(Object.keys(execute?.function.parameters.properties ?? {}).sort()).toEqual(["params", "source", "sql"]);
    expect(textOf(on.stub.requests.at(-1))).not.toContain("idempotency_key");
  });
});
