/** Sessions by reference id from code: their runs as typed events, their databases, their owners, and the next process. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Agent, type AgentEvent, createAgent, eventSchema, type Run } from "../../agent/src/index.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { temporaryFolder } from "./support.js";

let postgres: TestDatabase;
let mysql: TestDatabase;
let agent: Agent;
const folder = temporaryFolder();
const keys = `k1:${randomBytes(32).toString("base64")}`;
const kept = () => ({ store: `file:${join(folder.path, "sessions")}`, keys });

beforeAll(async () => {
  [postgres, mysql] = await Promise.all([createPostgresDatabase(), createMysqlDatabase()]);
  await postgres.run("CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Ada')");
  agent = createAgent({ gateway: { databases: { pg: postgres.url } }, ...kept() });
});
afterAll(async () => {
  await agent?.close();
  await Promise.all([postgres?.[Symbol.asyncDispose](), mysql?.[Symbol.asyncDispose]()]);
  folder[Symbol.dispose]();
});

async function eventsOf(run: Run<unknown>): Promise<AgentEvent[]> {
  const events: AgentEvent[] = [];
  for await (const event of run) events.push(v.parse(eventSchema, event));
  return events;
}
const typesOf = (events: readonly AgentEvent[]) =>
  events.map((event) => (event.type === "status" ? event.state : event.type));

describe("a session", () => {
  test("verifies, inspects and queries, each told by events that end with done", async () => {
    const session = await agent.session();
    const verified = session.verify();
    expect(typesOf(await eventsOf(verified))).toEqual(["verifying", "up", "done"]);
    expect(await verified.result).toMatchObject([{ name: "pg", state: "up", check: { server: "PostgreSQL" } }]);

    const inspected = session.inspect({ tables: ["people"] });
    expect(typesOf(await eventsOf(inspected))).toEqual(["inspecting", "inspected", "done"]);
    expect(await inspected.result).toMatchObject([{ subject: "people", description: expect.stringContaining("name") }]);

    const queried = session.query("SELECT id, name FROM people");
    const events = await eventsOf(queried);
    expect(typesOf(events)).toEqual(["sql", "rows", "done"]);
    expect(events[1]).toMatchObject({ columns: ["id", "name"], rows: [[1, "Ada"]], connection: "pg" });
    expect(events.at(-1)).toMatchObject({ session: session.id, ok: true, waiting: false });
    expect((await queried.result).rows).toEqual([[1, "Ada"]]);
  });

  test("a failure is an error event, a done that is not ok, and a result that rejects", async () => {
    const session = await agent.session();
    const failing = session.query("SELECT nme FROM people");
    const events = await eventsOf(failing);
    expect(typesOf(events)).toEqual(["sql", "error", "done"]);
    expect(events.at(-1)).toMatchObject({ ok: false });
    await expect(failing.result).rejects.toMatchObject({ code: "column_not_found" });

    const inspected = session.inspect({ tables: ["peeple"] });
    expect(typesOf(await eventsOf(inspected))).toEqual(["inspecting", "error", "inspected", "done"]);
    expect(await inspected.result).toMatchObject([{ error: { code: "table_not_found" } }]);
  });

  test("aborted before it began: cancelled", async () => {
    const session = await agent.session();
    const run = session.query("SELECT 1", { signal: AbortSignal.abort() });
    expect(typesOf(await eventsOf(run))).toEqual(["error", "done"]);
    await expect(run.result).rejects.toMatchObject({ code: "cancelled" });
  });

  test("takes a further database if it answers, and is as before if not", async () => {
    await using own = createAgent({ gateway: { databases: { pg: postgres.url } } });
    const session = await own.session();
    const gone = Object.assign(new URL(mysql.url), { port: "1" }).href;
    const refused = session.connect({ name: "gone", url: gone });
    expect(typesOf(await eventsOf(refused))).toEqual(["connecting", "verifying", "error", "down", "done"]);
    expect(await own.sources()).toEqual(["pg"]);

    const connected = session.connect({ name: "my", url: mysql.url });
    expect(typesOf(await eventsOf(connected))).toEqual(["connecting", "verifying", "up", "done"]);
    expect([...(await own.sources())].sort()).toEqual(["my", "pg"]);
    expect((await session.query("SELECT 1 AS one", { source: "my" }).result).rows).toEqual([[1]]);
    await expect(session.query("SELECT 1").result).rejects.toMatchObject({
      code: "source_required",
      report: { hint: expect.stringContaining("my") },
    });
    await expect(session.connect({ url: "no secret here" }).result).rejects.toMatchObject({
      code: "usage",
      message: expect.not.stringContaining("secret"),
    });
  });

  test("asks and chats only with a model, and says what to set", async () => {
    const session = await agent.session();
    for (const start of [() => session.ask("how many people?"), () => session.chat("hello")]) {
      await expect(start().result).rejects.toMatchObject({
        code: "model_unset",
        report: { hint: expect.stringContaining("DB_AGENT_MODEL") },
      });
    }
  });
});

describe("a reference id", () => {
  test("opens its session in the next process, with its report", async () => {
    const session = await agent.session();
    const report = await (await session.run({ statements: [{ sql: "SELECT 1 AS one" }] })).result;
    await using next = createAgent({ gateway: { databases: { pg: postgres.url } }, ...kept() });
    const again = await next.session(session.id);
    expect(await again.show()).toMatchObject({
      session: session.id,
      createdAt: expect.any(String),
      approvals: [],
      isCutOff: false,
      report,
    });
    expect((await next.sessions()).map((entry) => entry.session)).toContain(session.id);
    await next.deleteSession(session.id);
    await expect(agent.session(session.id)).rejects.toMatchObject({ code: "session_unknown" });
  });

  test("that nobody has seen, or another owner's, is unknown by the same words", async () => {
    const owned = await agent.session(undefined, { owner: "ada" });
    const words = (reference: string, owner?: string) =>
      agent.session(reference, { owner }).then(
        () => "opened",
        (error: unknown) => String(error),
      );
    expect(await words(owned.id, "ada")).toBe("opened");
    const unknown = await words("never-seen");
    expect(unknown).toContain("no session");
    expect([await words(owned.id), await words(owned.id, "bob")]).toEqual([unknown, unknown]);
    await expect(agent.deleteSession(owned.id, { owner: "bob" })).rejects.toMatchObject({ code: "session_unknown" });
    expect((await agent.sessions({ owner: "ada" })).map(({ session }) => session)).toEqual([owned.id]);
    expect((await agent.sessions()).map(({ session }) => session)).not.toContain(owned.id);
  });
});
