/** A result of a million rows: bounded when asked for at once, exact and in one snapshot when paged. */
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable } from "../support/processes.js";

const rowCount = 1_000_000;
const maxBytes = 65_536;

interface Reply {
  readonly rows: readonly (readonly unknown[])[];
  readonly row_count: number;
  readonly truncated?: boolean;
  readonly next_cursor?: string;
}

const engines = {
  postgres: {
    folder: "mcp-postgres" as const,
    create: createPostgresDatabase,
    fill: `CREATE TABLE big AS SELECT i AS id, 0 AS version, 'label ' || i AS label FROM generate_series(1, ${rowCount}) i; ALTER TABLE big ADD PRIMARY KEY (id);`,
  },
  mysql: {
    folder: "mcp-mysql" as const,
    create: createMysqlDatabase,
    fill: `SET SESSION max_recursive_iterations = ${rowCount + 1};
      CREATE TABLE big (id int PRIMARY KEY, version int NOT NULL, label varchar(20) NOT NULL);
      INSERT INTO big WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < ${rowCount}) SELECT i, 0, CONCAT('label ', i) FROM n;`,
  },
};

describe.each(Object.entries(engines))("%s", (_name, engine) => {
  let database: TestDatabase;
  let client: Client;

  beforeAll(async () => {
    database = await engine.create();
    await database.run(engine.fill);
    client = new Client({ name: "large", version: "1.0.0" });
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [executable(engine.folder), database.url, "--max-rows", "20000", "--max-bytes", "1m"],
        stderr: "ignore",
      }),
    );
  }, 120_000);

  afterAll(async () => {
    await client?.close();
    await database?.[Symbol.asyncDispose]();
  });

  async function query(args: Record<string, unknown>): Promise<{ text: string; reply: Reply }> {
    const result = await client.callTool({ name: "query", arguments: args }, { timeout: 60_000 });
    const block = result.content[0];
    if (block?.type !== "text" || result.isError) throw new Error(JSON.stringify(result.content));
    return { text: block.text, reply: JSON.parse(block.text) };
  }

  test("asked for at once is cut by rows or bytes, says so, and says how to go on", async () => {
    const { text, reply } = await query({ sql: "SELECT * FROM big", max_rows: 100_000 });
    expect(reply.truncated).toBe(true);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1_048_576);
    expect(reply.row_count).toBe(reply.rows.length);
    expect(text).toContain("cursor");
  });

  test("pages concatenate to the exact snapshot while another connection updates every row", async () => {
    const seen = new Uint8Array(rowCount + 1);
    let page = (await query({ sql: "SELECT id, version FROM big", cursor: "start" })).reply;
    const update = database.run("UPDATE big SET version = 1");
    for (;;) {
      for (const [id, version] of page.rows) {
        if (typeof id !== "number" || version !== 0) throw new Error(`row ${id} has version ${version}`);
        seen[id] = (seen[id] ?? 0) + 1;
      }
      if (page.next_cursor === undefined) break;
      page = (await query({ cursor: page.next_cursor })).reply;
    }
    await update;
    expect(seen.subarray(1).every((times) => times === 1)).toBe(true);
    const { reply } = await query({ sql: "SELECT count(*) AS n FROM big WHERE version = 1" });
    expect(reply.rows).toEqual([[rowCount]]);
  }, 180_000);
});

test("the default limits of a server keep a reply within 64 KiB and 1,000 rows", async () => {
  await using database = await createPostgresDatabase();
  await database.run("CREATE TABLE wide AS SELECT i AS id, repeat('x', 500) AS filler FROM generate_series(1, 5000) i");
  const client = new Client({ name: "large", version: "1.0.0" });
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [executable("mcp-postgres"), database.url],
      stderr: "ignore",
    }),
  );
  try {
    for (const [sql, expected] of [
      ["SELECT id FROM wide", 1000],
      ["SELECT * FROM wide", undefined],
    ] as const) {
      const result = await client.callTool({ name: "query", arguments: { sql } });
      const block = result.content[0];
      const text = block?.type === "text" ? block.text : "";
      const reply: Reply = JSON.parse(text);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
      expect(reply.truncated).toBe(true);
      if (expected !== undefined) expect(reply.row_count).toBe(expected);
    }
  } finally {
    await client.close();
  }
});
