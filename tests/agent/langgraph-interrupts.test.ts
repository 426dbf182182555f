/** LangGraph's own client is interrupted by a write and resumes it: in one server, in the next, and as a chat that streams. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type ModelStub, startModelStub } from "../support/model-stub.js";
import { openRest, type Rest } from "./rest-support.js";
import { temporaryFolder } from "./support.js";

const folder = temporaryFolder();
const keys = `k1:${randomBytes(32).toString("base64")}`;
let database: TestDatabase;
let stub: ModelStub;
let rests: readonly Rest[];
let clients: readonly Client[];

beforeAll(async () => {
  [database, stub] = await Promise.all([createPostgresDatabase(), startModelStub()]);
  const config = join(folder.path, "gateway.json");
  const databases = { pg: { url: database.url, settings: { mode: "approve" } } };
  writeFileSync(config, JSON.stringify({ databases }), { mode: 0o600 });
  const options = {
    gateway: { config },
    store: `file:${join(folder.path, "sessions")}`,
    keys,
    model: { name: "stub", url: stub.url, key: "sk-none" },
    knowledge: join(folder.path, "knowledge"),
  };
  rests = await Promise.all([openRest(options), openRest(options)]);
  clients = rests.map(({ url, token }) => new Client({ apiUrl: url, apiKey: token, callerOptions: { maxRetries: 0 } }));
});
afterAll(async () => {
  for (const rest of rests ?? []) await rest[Symbol.asyncDispose]();
  await stub?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});
beforeEach(async () => {
  await database.run("DROP TABLE IF EXISTS stock; CREATE TABLE stock (id int PRIMARY KEY, quantity int NOT NULL)");
  await database.run("INSERT INTO stock VALUES (1, 10), (2, 20)");
});

const stock = async () =>
  (await database.run("SELECT quantity FROM stock ORDER BY id")).map(({ quantity }) => Number(quantity));
const sql = "UPDATE stock SET quantity = 0 WHERE id = 1";

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const parts: T[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

function client(index = 0): Client {
  const found = clients[index];
  if (found === undefined) throw new Error("not open yet");
  return found;
}

/** A thread on which a write waits for a human, and what it asks. */
async function interrupted(first = client()) {
  const { thread_id: thread } = await first.threads.create();
  const parts = await collect(
    first.runs.stream(thread, "execute", { input: { sql, source: "pg" }, streamMode: ["updates", "values", "custom"] }),
  );
  const { interrupts, status } = await first.threads.get(thread);
  const [id = ""] = Object.keys(interrupts);
  return { thread, parts, status, id };
}

describe("a write", () => {
  test("interrupts its run, stands in the state, and runs once it is resumed", async () => {
    const { thread, parts, status, id } = await interrupted();
    expect(parts.map(({ event }) => event)).toEqual(
      expect.arrayContaining(["metadata", "custom", "updates", "values"]),
    );
    const asked = { id, value: { kind: "write", sql, connection: "pg" } };
    expect(parts.find(({ event }) => event === "updates")?.data).toMatchObject({ __interrupt__: [asked] });
    expect(parts.at(-1)).toMatchObject({ event: "values", data: { __interrupt__: [asked] } });
    expect(status).toBe("interrupted");
    expect(await client().threads.getState(thread)).toMatchObject({
      next: ["gate"],
      tasks: [{ interrupts: [asked] }],
    });
    expect(await stock()).toEqual([10, 20]);
    await expect(client().runs.wait(thread, "execute", { input: { sql } })).rejects.toThrow("approval_pending");

    const resumed = await collect(
      client().runs.stream(thread, "execute", { command: { resume: true }, streamMode: ["values", "custom"] }),
    );
    expect(resumed.at(-1)).toMatchObject({
      event: "values",
      data: { answer: { status: "answered", writes: [{ sql, status: "done" }] } },
    });
    expect(await stock()).toEqual([0, 20]);
    expect(await client().threads.getState(thread)).toMatchObject({ next: [], tasks: [] });
    expect(await client().threads.get(thread)).toMatchObject({ status: "idle", interrupts: {} });
    await expect(client().runs.wait(thread, "execute", { command: { resume: true } })).rejects.toThrow("404");
    expect(await stock()).toEqual([0, 20]);
  });

  test.each<[string, (id: string) => unknown, readonly number[]]>([
    ["a no", () => false, [10, 20]],
    [
      "a no with its reason, by the interrupt's id",
      (id) => ({ [id]: { type: "reject", reason: "not now" } }),
      [10, 20],
    ],
    ["a yes by the interrupt's id", (id) => ({ [id]: { type: "approve" } }), [0, 20]],
    ["another statement", () => ({ type: "edit", sql: "UPDATE stock SET quantity = 7 WHERE id = 2" }), [10, 7]],
  ])("resumed with %s", async (_, resume, expected) => {
    const { thread, id } = await interrupted();
    const values = await client().runs.wait(thread, "execute", { command: { resume: resume(id) } });
    expect(values).toMatchObject({ answer: { status: "answered" } });
    expect(await stock()).toEqual(expected);
    expect(await client().threads.get(thread)).toMatchObject({ status: "idle" });
  });

  test("resumed with what is no answer: it goes on waiting", async () => {
    const { thread } = await interrupted();
    for (const resume of [{ type: "perhaps" }, "yes please", 1]) {
      await expect(client().runs.wait(thread, "execute", { command: { resume } })).rejects.toThrow("400");
    }
    expect(await client().threads.get(thread)).toMatchObject({ status: "interrupted" });
    expect(await stock()).toEqual([10, 20]);
  });

  test("is resumed at another server that shares the store", async () => {
    const { thread, id } = await interrupted(client(0));
    expect(await client(1).threads.getState(thread)).toMatchObject({
      next: ["gate"],
      tasks: [{ interrupts: [{ id }] }],
    });
    const values = await client(1).runs.wait(thread, "execute", { command: { resume: true } });
    expect(values).toMatchObject({ answer: { writes: [{ status: "done" }] } });
    expect(await stock()).toEqual([0, 20]);
    expect(await client(0).threads.getState(thread)).toMatchObject({ next: [] });
  });
});

test("a chat streams its words, is interrupted by a tool that writes, and goes on where it was", async () => {
  const { thread_id: thread } = await client().threads.create();
  stub.answer({ toolCalls: [{ name: "execute", args: { sql, source: "pg" } }] });
  const messages = { role: "user", content: "Sell all nuts" };
  const asked = await collect(
    client().runs.stream(thread, "chat", { input: { messages: [messages] }, streamMode: ["values", "messages-tuple"] }),
  );
  expect(asked.at(-1)).toMatchObject({
    event: "values",
    data: { __interrupt__: [{ value: { tool: "execute", sql } }] },
  });
  expect(await stock()).toEqual([10, 20]);

  stub.answer({ text: ["Sold", ", all ", "of them."] });
  const told = await collect(
    client().runs.stream(thread, "chat", { command: { resume: true }, streamMode: ["values", "messages-tuple"] }),
  );
  const pieces = told.filter(({ event }) => event === "messages").map(({ data }) => (data as [{ content: string }])[0]);
  expect(pieces.map(({ content }) => content).join("")).toBe("Sold, all of them.");
  expect(await stock()).toEqual([0, 20]);
  const { values } = await client().threads.getState<{ messages: { type: string; content: string }[] }>(thread);
  expect(values.messages.map(({ type }) => type)).toEqual(["human", "ai", "tool", "ai"]);
  expect(values.messages.at(-1)?.content).toBe("Sold, all of them.");
});
