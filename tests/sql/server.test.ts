/** The tools, resources and prompts over real databases, in both eras of the protocol. */
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServerSettings, Source } from "../../mcp-core/src/sql/call.js";
import type { DatabaseKind } from "../../mcp-core/src/sql/database.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { callJson, callText, connect, type Era, eras, openSources, serverOf } from "./connect.js";

const fill = `
  CREATE TABLE customers (id int PRIMARY KEY, full_name varchar(40) NOT NULL, country char(2));
  CREATE TABLE orders (
    id int PRIMARY KEY,
    customer_id int NOT NULL,
    total decimal(10,2) NOT NULL,
    CONSTRAINT order_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
  );
  INSERT INTO customers VALUES ${Array.from({ length: 2_500 }, (_, index) => `(${index + 1}, 'customer ${index + 1}', 'DE')`).join(",")};
  INSERT INTO orders VALUES (1, 1, 12.50), (2, 1, 7.00);
  CREATE VIEW totals AS SELECT customer_id, sum(total) AS total FROM orders GROUP BY customer_id;`;

const endless = "customers a, customers b, customers c WHERE a.id + b.id + c.id < 0";

const engines = {
  "mcp-postgres": {
    kind: postgresKind as DatabaseKind, // the tests hand the kind's own configs back to it
    create: createPostgresDatabase,
    schemaOf: () => "public",
    extra: `COMMENT ON TABLE customers IS E'who \\u202e buys\\n"quoted"'; CREATE TABLE "Odd Name" ("Mixed Case" int);`,
    odd: '"Odd Name"',
    mark: "$1",
  },
  "mcp-mysql": {
    kind: mysqlKind as DatabaseKind, // as above
    create: createMysqlDatabase,
    schemaOf: (database: TestDatabase) => database.name,
    extra: `ALTER TABLE customers COMMENT 'who \u202e buys\n"quoted"'; CREATE TABLE \`Odd Name\` (\`Mixed Case\` int);`,
    odd: "`Odd Name`",
    mark: "?",
  },
};

describe.each(Object.entries(engines))("%s", (_name, { kind, create, schemaOf, extra, odd, mark }) => {
  let database: TestDatabase;
  let sources: AsyncDisposable & { readonly list: readonly Source[] };

  beforeAll(async () => {
    database = await create();
    await database.run(fill);
    await database.run(extra);
    sources = openSources(kind, { shop: database.url });
  });

  afterAll(async () => {
    await sources?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  async function withClient(
    era: Era,
    use: (client: Client) => Promise<void>,
    settings: Partial<ServerSettings> = {},
    list = sources.list,
  ): Promise<void> {
    await using server = serverOf(kind, list, settings);
    const client = await connect(server, era);
    try {
      await use(client);
    } finally {
      await client.close();
    }
  }

  describe.each(eras)("in the %s era", (era) => {
    test("query gives columns, types and exact rows, and takes parameters", () =>
      withClient(era, async (client) => {
        const sql = `SELECT id, total FROM orders WHERE id = ${mark}`;
        expect(await callJson(client, "query", { sql, params: [1] })).toMatchObject({
          columns: ["id", "total"],
          rows: [[1, "12.50"]],
          row_count: 1,
        });
      }));

    test("max_rows cuts, says so, and proves that there is more", () =>
      withClient(era, async (client) => {
        const cut = await callJson(client, "query", { sql: "SELECT id FROM customers ORDER BY id", max_rows: 3 });
        expect(cut).toMatchObject({ rows: [[1], [2], [3]], truncated: true, hint: expect.stringContaining("cursor") });
        const all = await callJson(client, "query", { sql: "SELECT id FROM orders", max_rows: 2 });
        expect(all).not.toHaveProperty("truncated");
      }));

    test("pages concatenate to the whole result, each by the token of the one before", () =>
      withClient(era, async (client) => {
        const ids: unknown[] = [];
        let page = await callJson(client, "query", { sql: "SELECT id FROM customers ORDER BY id", cursor: "start" });
        for (;;) {
          ids.push(...page.rows.flat());
          if (page.next_cursor === undefined) break;
          page = await callJson(client, "query", { cursor: page.next_cursor, max_rows: 700 });
        }
        expect(ids).toEqual(Array.from({ length: 2_500 }, (_, index) => index + 1));
      }));

    test("pages bounded by bytes lose no row", () =>
      withClient(
        era,
        async (client) => {
          const names: unknown[] = [];
          let pages = 0;
          let next: Record<string, unknown> = { sql: "SELECT full_name FROM customers ORDER BY id", cursor: "start" };
          for (;;) {
            const { text } = await callText(client, "query", next);
            expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4_096);
            const page = JSON.parse(text);
            names.push(...page.rows.flat());
            pages++;
            if (page.next_cursor === undefined) break;
            next = { cursor: page.next_cursor };
          }
          expect(pages).toBeGreaterThan(5);
          expect(names).toEqual(Array.from({ length: 2_500 }, (_, index) => `customer ${index + 1}`));
        },
        { maxBytes: 4_096 },
      ));

    test("a page's token works once, and one of another statement is refused", () =>
      withClient(era, async (client) => {
        const page = await callJson(client, "query", { sql: "SELECT id FROM customers", cursor: "start", max_rows: 5 });
        const other = await callJson(client, "query", { cursor: page.next_cursor, sql: "SELECT 1" });
        expect(other).toMatchObject({ isError: true, code: "parameter_invalid" });
        expect(await callJson(client, "query", { cursor: page.next_cursor, max_rows: 5 })).toMatchObject({
          row_count: 5,
        });
        expect(await callJson(client, "query", { cursor: page.next_cursor })).toMatchObject({
          isError: true,
          code: "cursor_unknown",
        });
      }));

    test("paged results are bounded in number, and a server's end closes them", async () => {
      await withClient(era, async (client) => {
        const open = () => callJson(client, "query", { sql: "SELECT id FROM customers", cursor: "start", max_rows: 1 });
        expect((await open()).isError).toBe(false);
        expect((await open()).isError).toBe(false);
        expect(await open()).toMatchObject({ isError: true, code: "cursor_limit", retryable: true });
        expect(await callJson(client, "query", { sql: "SELECT 1 AS one" })).toMatchObject({ rows: [[1]] });
      });
      await withClient(era, async (client) => {
        expect(
          await callJson(client, "query", { sql: "SELECT id FROM customers", cursor: "start", max_rows: 1 }),
        ).toMatchObject({ isError: false });
      });
    });

    test("a misspelt table, column and argument come with what was probably meant", () =>
      withClient(era, async (client) => {
        const table = await callJson(client, "query", { sql: "SELECT * FROM custommers" });
        expect(table).toMatchObject({
          isError: true,
          code: "table_not_found",
          hint: expect.stringContaining(".customers"),
        });
        const column = await callJson(client, "query", { sql: "SELECT c.ful_name\nFROM customers c" });
        expect(column).toMatchObject({ code: "column_not_found", hint: expect.stringContaining("full_name") });
        const unknown = await callJson(client, "query", { sql: "SELECT wholly_other FROM orders" });
        expect(unknown.hint).toContain("orders has id, customer_id, total");
        const argument = await callJson(client, "query", { sql: "SELECT 1", maxrows: 3 });
        expect(argument).toMatchObject({ isError: true, code: "parameter_invalid", hint: "Did you mean `max_rows`?" });
        expect(await callJson(client, "describe_table", { table: "order" })).toMatchObject({
          code: "table_not_found",
          hint: expect.stringContaining(".orders"),
        });
      }));

    test("a syntax error points at its line", () =>
      withClient(era, async (client) => {
        const error = await callJson(client, "query", { sql: "SELECT id\nFROM customers WHERE AND id = 1" });
        expect(error).toMatchObject({ isError: true, code: "syntax_error" });
        expect(`${error.message} ${error.hint}`.toLowerCase()).toContain("line 2");
      }));

    test("describe_table is compact text with keys both ways, comments quoted and visible", () =>
      withClient(era, async (client) => {
        const { text } = await callText(client, "describe_table", { table: "customers" });
        expect(text.split("\n")[0]).toMatch(/^table .*customers \(.+\) -- "who \\u202e buys\\n\\"quoted\\""$/);
        expect(text).toContain("\n  id int");
        expect(text).toMatch(/\n {2}full_name .*char.*\(40\) not null/);
        expect(text).toContain("\nprimary key (id)");
        expect(text).toMatch(/\nreferenced by .*orders \(customer_id\) on \(id\)/);
        expect((await callText(client, "describe_table", { table: "orders" })).text).toMatch(
          /\nforeign key \(customer_id\) references .*customers \(id\)/,
        );
        expect((await callText(client, "describe_table", { table: odd })).text).toContain(odd);
      }));

    test("search_objects finds by kind and pattern, in the detail asked for", () =>
      withClient(era, async (client) => {
        const names = await callJson(client, "search_objects", {
          pattern: "cust",
          kind: "table",
          schema: schemaOf(database),
          detail: "names",
        });
        expect(names).toMatchObject({
          columns: ["kind", "schema", "name"],
          rows: [["table", schemaOf(database), "customers"]],
        });
        const columns = await callJson(client, "search_objects", { pattern: "customer_id", kind: "column" });
        expect(columns.columns).toEqual(expect.arrayContaining(["table", "name", "definition"]));
        expect(columns.rows.map((row: unknown[]) => row[columns.columns.indexOf("table")])).toContain("orders");
        const full = await callJson(client, "search_objects", {
          pattern: "orders",
          kind: "table",
          schema: schemaOf(database),
          detail: "full",
        });
        expect(full.rows[0].at(-1)).toContain("foreign key (customer_id)");
      }));

    test("explain gives findings and the plan", () =>
      withClient(era, async (client) => {
        const { text } = await callText(client, "explain", { sql: "SELECT * FROM customers WHERE country = 'DE'" });
        expect(text).toMatch(/^findings:\n- .+\n(?:- .+\n)*plan:\n {2}.*customers/s);
      }));

    test("check_connection reports the connection and the mode", () =>
      withClient(era, async (client) => {
        expect(await callJson(client, "check_connection", {})).toMatchObject({
          source: "shop",
          reachable: true,
          round_trip_ms: expect.any(Number),
          mode: "read-only",
          warnings: expect.any(Array),
        });
      }));

    test("resources list tables and the index, read as descriptions, and complete", () =>
      withClient(era, async (client) => {
        const schema = schemaOf(database);
        const uri = `schema://shop/${schema}/orders`;
        const uris = (await client.listResources()).resources.map((resource) => resource.uri);
        expect(uris).toEqual(expect.arrayContaining(["schema://shop", uri, `schema://shop/${schema}/totals`]));
        const read = async (address: string) => {
          const [content] = (await client.readResource({ uri: address })).contents;
          return content !== undefined && "text" in content ? content.text : "";
        };
        expect(await read(uri)).toContain("customer_id");
        expect(await read("schema://shop")).toContain("customers");
        expect(await read(`schema://shop/${schema}/Odd%20Name`)).toContain(odd);
        await expect(client.readResource({ uri: `schema://shop/${schema}/absent` })).rejects.toThrow(/./);
        const ref = { type: "ref/resource" as const, uri: "schema://{source}/{schema}/{table}" };
        const complete = async (name: string, value: string, known: Record<string, string>) =>
          (await client.complete({ ref, argument: { name, value }, context: { arguments: known } })).completion.values;
        expect(await complete("source", "s", {})).toEqual(["shop"]);
        expect(await complete("schema", schema.slice(0, 4), { source: "shop" })).toContain(schema);
        expect(await complete("table", "ord", { source: "shop", schema })).toEqual(["orders"]);
      }));

    test("prompts lead through the tools, and complete their arguments", () =>
      withClient(era, async (client) => {
        expect((await client.listPrompts()).prompts.map(({ name }) => name)).toEqual([
          "explore",
          "explain-slow-query",
          "draft-report",
        ]);
        const { messages } = await client.getPrompt({
          name: "draft-report",
          arguments: { question: "sales by country" },
        });
        expect(messages[0]?.content).toMatchObject({ type: "text", text: expect.stringContaining("sales by country") });
        await expect(client.getPrompt({ name: "draft-report", arguments: {} })).rejects.toThrow(/question/);
        const schema = schemaOf(database);
        const { completion } = await client.complete({
          ref: { type: "ref/prompt", name: "explore" },
          argument: { name: "schema", value: schema.slice(0, 4) },
        });
        expect(completion.values).toContain(schema);
      }));

    test("a long call reports rising progress from about its first second, and a cancel stops it on the server", () =>
      withClient(era, async (client) => {
        const abort = new AbortController();
        const ticks: number[] = [];
        const marker = `progress_${era}`;
        const call = client
          .callTool(
            { name: "query", arguments: { sql: `SELECT count(*) AS ${marker} FROM ${endless}` } },
            {
              signal: abort.signal,
              onprogress: ({ progress }) => {
                ticks.push(progress);
                if (ticks.length === 2) abort.abort();
              },
            },
          )
          .then(
            () => "answered",
            () => "rejected",
          );
        expect(await call).toBe("rejected");
        expect(ticks[0]).toBeGreaterThan(0.5);
        expect(ticks[1]).toBeGreaterThan(ticks[0] ?? 0);
        expect(await callJson(client, "query", { sql: "SELECT 1 AS one" })).toMatchObject({ rows: [[1]] });
      }));

    test("a statement over --timeout is a timeout error", () =>
      withClient(
        era,
        async (client) => {
          expect(await callJson(client, "query", { sql: `SELECT count(*) AS n FROM ${endless}` })).toMatchObject({
            isError: true,
            code: "timeout",
          });
        },
        { timeoutMs: 500 },
      ));

    test("--structured adds the same content as data, described by an output schema", () =>
      withClient(
        era,
        async (client) => {
          const { tools } = await client.listTools();
          expect(tools.find(({ name }) => name === "query")?.outputSchema).toMatchObject({ type: "object" });
          const result = await client.callTool({ name: "query", arguments: { sql: "SELECT 1 AS one" } });
          const [block] = result.content;
          expect(result.structuredContent).toEqual(JSON.parse(block?.type === "text" ? block.text : ""));
        },
        { structured: true },
      ));

    test("with several sources a call must name one, and a wrong name gets the right ones", async () => {
      await using two = openSources(kind, { sales: database.url, archive: database.url });
      await withClient(
        era,
        async (client) => {
          expect(await callJson(client, "query", { sql: "SELECT 1 AS one" })).toMatchObject({
            code: "source_required",
            hint: expect.stringContaining("sales, archive"),
          });
          expect(await callJson(client, "query", { sql: "SELECT 1 AS one", source: "sale" })).toMatchObject({
            code: "source_unknown",
            hint: "Did you mean sales?",
          });
          const page = await callJson(client, "query", {
            sql: "SELECT id FROM customers",
            source: "sales",
            cursor: "start",
          });
          expect(await callJson(client, "query", { cursor: page.next_cursor })).toMatchObject({ isError: false });
          const { sources: checked } = await callJson(client, "check_connection", {});
          expect(checked).toMatchObject([
            { source: "sales", reachable: true },
            { source: "archive", reachable: true },
          ]);
        },
        {},
        two.list,
      );
    });
  });
});
