/** LangGraph's own client against `db-agent serve`: threads, runs that stream, state; as its users write it. */
import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { openRest, type Rest } from "./rest-support.js";
import { eventually, runsStatement, slowStatement } from "./support.js";

let database: TestDatabase;
let rest: Rest;
let client: Client;

beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run("CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Ada')");
  rest = await openRest({ gateway: { databases: { pg: database.url } } });
  client = new Client({ apiUrl: rest.url, apiKey: rest.token, callerOptions: { maxRetries: 0 } });
});
afterAll(async () => {
  await rest?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const parts: T[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

describe("threads", () => {
  test("are created, found, read and deleted", async () => {
    const thread = await client.threads.create();
    expect(thread).toMatchObject({ status: "idle", values: { messages: [] } });
    expect(await client.threads.get(thread.thread_id)).toMatchObject({ thread_id: thread.thread_id });
    expect((await client.threads.search({ limit: 100 })).map(({ thread_id: id }) => id)).toContain(thread.thread_id);
    expect(await client.threads.create({ threadId: thread.thread_id, ifExists: "do_nothing" })).toMatchObject({
      thread_id: thread.thread_id,
    });
    await expect(client.threads.create({ threadId: thread.thread_id })).rejects.toThrow("409");
    await expect(client.threads.create({ threadId: "chosen-by-me" })).rejects.toThrow("404");
    expect(await client.threads.getState(thread.thread_id)).toMatchObject({ next: [], tasks: [] });
    expect(await client.threads.getHistory(thread.thread_id)).toHaveLength(1);
    await client.threads.delete(thread.thread_id);
    await expect(client.threads.get(thread.thread_id)).rejects.toThrow("404");
  });

  test("the assistants are the graphs there are", async () => {
    const found = await client.assistants.search();
    expect(found.map(({ assistant_id: id }) => id)).toEqual(["query", "execute", "workflow", "ask", "chat"]);
    expect(await client.assistants.get("ask")).toMatchObject({ graph_id: "ask" });
  });
});

describe("runs", () => {
  test("stream their events and values, and are remembered", async () => {
    const { thread_id: thread } = await client.threads.create();
    let created: { run_id: string } | undefined;
    const parts = await collect(
      client.runs.stream(thread, "workflow", {
        input: { connections: [{ name: "pg" }], statements: [{ sql: "SELECT name FROM people" }] },
        streamMode: ["custom", "values"],
        onRunCreated: (run) => {
          created = run;
        },
      }),
    );
    expect(parts.map(({ event }) => event).filter((event) => event !== "custom")).toEqual(["metadata", "values"]);
    const custom = parts.filter(({ event }) => event === "custom").map(({ data }) => (data as { type: string }).type);
    expect(custom).toEqual(expect.arrayContaining(["status", "sql", "rows", "done"]));
    expect(parts.at(-1)?.data).toMatchObject({ report: { ok: true, statements: [{ result: { rows: [["Ada"]] } }] } });
    expect(await client.threads.getState(thread)).toMatchObject({ values: { report: { ok: true } }, next: [] });
    expect(await client.runs.get(thread, created?.run_id ?? "")).toMatchObject({ status: "success" });
    expect(await client.runs.list(thread)).toHaveLength(1);
  });

  test("are waited for; a failure is an error", async () => {
    const { thread_id: thread } = await client.threads.create();
    const values = await client.runs.wait(thread, "query", { input: { sql: "SELECT 42 AS n" } });
    expect(values).toMatchObject({ result: { rows: [[42]] } });
    await expect(client.runs.wait(thread, "query", { input: { sql: "SELECT wrong" } })).rejects.toThrow(
      "column_not_found",
    );
    const parts = await collect(client.runs.stream(thread, "query", { input: { sql: "SELECT wrong" } }));
    expect(parts.at(-1)).toMatchObject({ event: "error", data: { error: "column_not_found" } });
    expect(await client.threads.get(thread)).toMatchObject({ status: "error" });
    await expect(client.runs.wait(thread, "query", { input: { nothing: 1 } })).rejects.toThrow("400");
    await expect(client.runs.wait(thread, "nobody", { input: {} })).rejects.toThrow("400");
  });

  test("go on in the background, one at a time on a thread, until they are cancelled on the server", async () => {
    const { thread_id: thread } = await client.threads.create();
    const mark = `langgraph_${process.pid}`;
    const isActive = () => runsStatement(database, mark);
    const run = await client.runs.create(thread, "query", { input: { sql: slowStatement(mark) } });
    await eventually(isActive, "the statement to run");
    expect(await client.threads.get(thread)).toMatchObject({ status: "busy" });
    await expect(client.runs.wait(thread, "query", { input: { sql: "SELECT 1" } })).rejects.toThrow("409");
    await client.runs.cancel(thread, run.run_id, true);
    await eventually(async () => !(await isActive()), "the statement to stop");
    await expect(client.runs.join(thread, run.run_id)).resolves.toMatchObject({ __error__: { error: "cancelled" } });
  });

  test("nothing to resume is told", async () => {
    const { thread_id: thread } = await client.threads.create();
    await expect(client.runs.wait(thread, "execute", { command: { resume: true } })).rejects.toThrow("404");
  });
});
