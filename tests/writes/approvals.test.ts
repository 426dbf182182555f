/** A write needs a human's yes: by a form where the client has one, by a code from the operator's log elsewhere. */
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createApprovals } from "../../mcp-core/src/sql/approvals.js";
import { createOutcomes } from "../../mcp-core/src/sql/outcomes.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { callJson, eras } from "../sql/connect.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type Asked, openClient, openWriter, type Writer } from "./serve.js";

const engines = [
  ["PostgreSQL", postgresKind, createPostgresDatabase],
  ["MariaDB", mysqlKind, createMysqlDatabase],
] as const;

const update = { sql: "UPDATE t SET a = a + 1 WHERE id = 1", source: "one" };

describe.each(engines)("%s", (_title, kind, createDatabase) => {
  let database: TestDatabase;
  let writer: Writer;

  beforeAll(async () => {
    database = await createDatabase();
    const urls = { one: database.url, two: database.url };
    writer = openWriter(kind as typeof postgresKind, urls, { mode: "approve" });
    await database.run("CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL)");
  });
  afterAll(async () => {
    await writer[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await database.run("DELETE FROM t");
    await database.run("INSERT INTO t VALUES (1, 0), (2, 0)");
    writer.codes.length = 0;
  });

  const readA = async () => Number((await database.run("SELECT a FROM t WHERE id = 1"))[0]?.a);

  async function withClient<Result>(
    era: (typeof eras)[number],
    asked: Asked | undefined,
    run: (client: Client) => Promise<Result>,
  ): Promise<Result> {
    const client = await openClient(writer.server, era, asked);
    try {
      return await run(client);
    } finally {
      await client.close();
    }
  }

  describe.each(eras)("in the %s era", (era) => {
    test("an accepted write runs once; the human saw what it does", async () => {
      const asked: Asked = { answers: [{ action: "accept", content: { allow: true } }], shown: [] };
      const done = await withClient(era, asked, (client) => callJson(client, "execute", update));
      expect(done).toMatchObject({ isError: false, class: "update", rows_affected: 1 });
      expect(await readA()).toBe(1);
      expect(asked.shown).toHaveLength(1);
      expect(asked.shown[0]).toMatch(/UPDATE on t \(source one\)[\s\S]*a \+ 1[\s\S]*1 rows? affected/);
      expect(writer.codes).toEqual([]);
    });

    test.each([
      [{ action: "decline" }],
      [{ action: "cancel" }],
      [{ action: "accept", content: { allow: false } }],
    ] as const)("%j runs nothing", async (answer) => {
      const asked: Asked = { answers: [answer], shown: [] };
      const refused = await withClient(era, asked, (client) => callJson(client, "execute", update));
      expect(refused).toMatchObject({ isError: true, code: "approval_declined" });
      expect(await readA()).toBe(0);
    });

    test("without a form the code comes by the log alone, and counts once", async () => {
      await withClient(era, undefined, async (client) => {
        const first = await callJson(client, "execute", update);
        expect(first).toMatchObject({ isError: true, code: "approval_required" });
        const [approval = "none"] = writer.codes;
        expect(JSON.stringify(first)).not.toContain(approval);
        expect(await readA()).toBe(0);
        expect(await callJson(client, "execute", { ...update, approval })).toMatchObject({ rows_affected: 1 });
        expect(await callJson(client, "execute", { ...update, approval })).toMatchObject({ code: "approval_used" });
      });
      expect(await readA()).toBe(1);
    });

    test.each([
      ["an altered statement", { sql: "UPDATE t SET a = a + 1 WHERE id = 1 " }, "approval_mismatch"],
      ["another source", { source: "two" }, "approval_mismatch"],
      ["a made-up code", { approval: "ABCD-EFGH" }, "approval_unknown"],
    ])("%s is refused", async (_name, change, code) => {
      await withClient(era, undefined, async (client) => {
        await callJson(client, "execute", update);
        const args = { ...update, approval: writer.codes[0], ...change };
        expect(await callJson(client, "execute", args)).toMatchObject({ isError: true, code });
      });
      expect(await readA()).toBe(0);
    });
  });

  test("altered params are refused, and the code is spent", async () => {
    await withClient("legacy", undefined, async (client) => {
      const mark = kind.name === "postgres" ? "$1" : "?";
      const args = { sql: `UPDATE t SET a = 5 WHERE id = ${mark}`, params: [1], source: "one" };
      await callJson(client, "execute", args);
      const approval = writer.codes[0];
      expect(await callJson(client, "execute", { ...args, params: [2], approval })).toMatchObject({
        code: "approval_mismatch",
      });
      expect(await callJson(client, "execute", { ...args, approval })).toMatchObject({ code: "approval_used" });
    });
  });

  test("another connection's code is refused", async () => {
    await withClient("legacy", undefined, (client) => callJson(client, "execute", update));
    const refused = await withClient("legacy", undefined, (client) =>
      callJson(client, "execute", { ...update, approval: writer.codes[0] }),
    );
    expect(refused).toMatchObject({ code: "approval_unknown" });
    expect(await readA()).toBe(0);
  });

  test("an idempotency key makes a retry safe, at the same time and later, and stands for one write", async () => {
    await using free = openWriter(kind as typeof postgresKind, { one: database.url }, { mode: "write" });
    const client = await openClient(free.server, "legacy");
    const args = { sql: update.sql, idempotency_key: "k" };
    const both = await Promise.all([callJson(client, "execute", args), callJson(client, "execute", args)]);
    expect(both[1]).toEqual(both[0]);
    expect(await callJson(client, "execute", args)).toEqual(both[0]);
    expect(await readA()).toBe(1);
    const other = await callJson(client, "execute", { ...args, sql: "DELETE FROM t WHERE id = 2" });
    expect(other).toMatchObject({ code: "idempotency_conflict" });
    await client.close();
  });

  test("in mode read-only there is no execute, and query writes in no mode", async () => {
    await using reader = openWriter(kind as typeof postgresKind, { one: database.url }, { mode: "read-only" });
    const client = await openClient(reader.server, "legacy");
    expect((await client.listTools()).tools.map(({ name }) => name)).not.toContain("execute");
    await expect(client.callTool({ name: "execute", arguments: { sql: update.sql } })).rejects.toThrow(/no tool/);
    await client.close();
    await withClient("legacy", undefined, async (open) => {
      const { tools } = await open.listTools();
      expect(tools.find(({ name }) => name === "execute")?.annotations).toEqual({
        readOnlyHint: false,
        destructiveHint: true,
      });
      expect(await callJson(open, "query", update)).toMatchObject({ isError: true, code: "read_only" });
    });
  });
});

test("an approval expires, and too many wrong ones void all", () => {
  let now = 0;
  const approvals = createApprovals({ lifetimeMs: 1_000, maxOpen: 4, maxWrong: 3 }, () => now);
  const binding = { fingerprint: "f", caller: "c" };
  const late = approvals.open(binding, "code");
  now = 1_001;
  expect(() => approvals.redeem(late, binding)).toThrow(expect.objectContaining({ code: "approval_expired" }));
  const good = approvals.open(binding, "code");
  for (let wrong = 0; wrong < 3; wrong++) {
    expect(() => approvals.redeem("AAAA-AAAA", binding)).toThrow(expect.objectContaining({ code: "approval_unknown" }));
  }
  expect(() => approvals.redeem(good, binding)).toThrow(expect.objectContaining({ code: "approval_unknown" }));
  const typed = approvals.open(binding, "code").toLowerCase().replace("-", " ");
  expect(() => approvals.redeem(typed, binding)).not.toThrow();
});

test("a key whose write surely failed may be tried again; outcomes are forgotten in time", async () => {
  let now = 0;
  const outcomes = createOutcomes({ lifetimeMs: 1_000, maxKept: 2 }, () => now);
  const write = { key: "k", caller: "c", fingerprint: "f" };
  await expect(outcomes.once(write, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await outcomes.once(write, async () => "first")).toBe("first");
  expect(await outcomes.once(write, async () => "second")).toBe("first");
  now = 1_000;
  expect(outcomes.find(write)).toBeUndefined();
});
