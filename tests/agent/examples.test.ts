/** Every example runs, on both engines where it can, and answers what the sample's own rows add up to. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createShop } from "@database-interface/mcp-core/sample";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Report } from "../../agent/src/index.js";
import { loadShop as loadMysql } from "../../mcp-mysql/src/demo.js";
import { loadShop as loadPostgres } from "../../mcp-postgres/src/demo.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { startModelStub } from "../support/model-stub.js";
import { drafted, isDraft, textOf } from "./conversation.js";
import { runAgent, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 120_000 }); // several processes a test, on a machine that may be busy

const example = (name: string): string =>
  fileURLToPath(new URL(`../../examples/${name.endsWith(".json") ? "tasks/" : ""}${name}`, import.meta.url));
const { totals } = createShop();
const databases: Record<string, TestDatabase> = {};
const urlOf = (engine: string): string => databases[engine]?.url ?? "";

beforeAll(async () => {
  [databases.PostgreSQL, databases.MariaDB] = await Promise.all([createPostgresDatabase(), createMysqlDatabase()]);
  await Promise.all([loadPostgres(urlOf("PostgreSQL")), loadMysql(urlOf("MariaDB"))]);
}, 120_000);
afterAll(async () => {
  await Promise.all(Object.values(databases).map((database) => database[Symbol.asyncDispose]()));
});

describe.each(["PostgreSQL", "MariaDB"])("on %s", (engine) => {
  test("shop-report.json shows the shop's exact totals", async () => {
    const { stdout, code } = await runAgent(["run", example("shop-report.json"), "-o", "json", "-q"], {
      environment: { DATABASE_URL: urlOf(engine) },
    });
    const report: Report = JSON.parse(stdout);
    const rowsOf = (name: string) =>
      report.statements.find((statement) => statement.name.startsWith(name))?.result?.rows;
    expect({ code, ok: report.ok }).toEqual({ code: 0, ok: true });
    expect(rowsOf("Revenue")?.[0]?.slice(0, 2)).toEqual([totals.revenue.orders, totals.revenue.revenue]);
    expect(new Set(rowsOf("Orders by status"))).toEqual(
      new Set(totals.ordersByStatus.map(({ status, orders }) => [status, orders])),
    );
    expect(rowsOf("Revenue by month")).toEqual(
      totals.revenueByMonth
        .filter(({ month }) => month >= "2025-07")
        .map(({ month, orders, revenue }) => [month, orders, revenue]),
    );
    expect(rowsOf("Revenue by country")?.map((row) => row.slice(1))).toEqual(
      totals.revenueByCountry.slice(0, 5).map(({ orders, revenue }) => [orders, revenue]),
    );
    expect(rowsOf("Top products")?.map(([sku, , quantity, revenue]) => [sku, Number(quantity), revenue])).toEqual(
      totals.topProducts.slice(0, 5).map(({ sku, quantity, revenue }) => [sku, quantity, revenue]),
    );
    expect(rowsOf("What is wrong")?.[0]?.[1]).toBe(totals.customersWithoutEmail);
    expect(rowsOf("What is wrong")?.[1]?.[1]).toBeGreaterThan(0);
    expect(rowsOf("What is wrong")?.[2]?.[1]).toBe(totals.ordersWithoutItems);
  });

  test.each(["query.mjs", "run-a-task.mjs"])("%s asserts what it shows", async (name) => {
    const { stdout } = await promisify(execFile)(process.execPath, [example(name)], {
      env: { ...process.env, DATABASE_URL: urlOf(engine) },
    });
    expect(stdout).not.toBe("");
    if (name === "query.mjs") expect(stdout).toContain(`${totals.rowCounts.order_items} order lines`);
  });

  test("exports.json writes each statement's rows into a file of its own, all of them, and a report", async () => {
    using folder = temporaryFolder();
    const { code, stderr } = await runAgent(["run", example("exports.json")], {
      environment: { DATABASE_URL: urlOf(engine), EXPORT_FOLDER: folder.path },
    });
    expect({ code, said: stderr.includes(`${totals.rowCounts.order_items} rows are in`) }).toEqual({
      code: 0,
      said: true,
    });
    const lines = (name: string) => readFileSync(join(folder.path, name), "utf8").trimEnd().split(/\r?\n/);
    expect(new Set(lines("orders-by-status.csv").slice(1))).toEqual(
      new Set(totals.ordersByStatus.map(({ status, orders }) => `${status},${orders}`)),
    );
    expect(lines("order-lines.jsonl")).toHaveLength(totals.rowCounts.order_items ?? 0); // beyond maxRows
    expect(lines("countries.md").slice(0, 2)).toEqual(["| code | name | vat_rate |", "| --- | --- | --: |"]);
    const report = JSON.parse(lines("report.json").join("\n"));
    expect(report.files.map(({ statement, rows }: { statement: string; rows: number }) => [statement, rows])).toEqual([
      ["Orders by status", totals.ordersByStatus.length],
      ["Order lines", totals.rowCounts.order_items],
      ["Countries", totals.rowCounts.countries],
    ]);
    expect(readdirSync(folder.path).sort()).toEqual([
      "countries.md",
      "order-lines.jsonl",
      "orders-by-status.csv",
      "report.json",
    ]);
  });

  test("shop-questions.json runs its statements at once and asks its questions", async () => {
    await using stub = await startModelStub();
    stub.otherwise((request) => {
      if (!isDraft(request)) return { text: "So it is." };
      if (textOf(request).includes("How many countries")) return drafted("SELECT COUNT(*) AS countries FROM countries");
      return drafted("SELECT status FROM orders GROUP BY status ORDER BY COUNT(*) DESC LIMIT 1");
    });
    const { code, stdout } = await runAgent(["run", example("shop-questions.json"), "-q"], {
      environment: { DATABASE_URL: urlOf(engine), DB_AGENT_MODEL: "stub", DB_AGENT_MODEL_URL: stub.url },
    });
    const { statements, questions }: Report = JSON.parse(stdout);
    const most = [...totals.ordersByStatus].sort((a, b) => b.orders - a.orders)[0]?.status;
    expect({ code, cells: [...statements, ...questions].map(({ result }) => result?.rows[0]?.[0]) }).toEqual({
      code: 0,
      cells: [...["customers", "orders", "products", "countries"].map((table) => totals.rowCounts[table]), most],
    });
  });

  test("schema-overview.json writes a document", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "overview.md");
    const { code } = await runAgent(["run", example("schema-overview.json")], {
      environment: { DATABASE_URL: urlOf(engine), OVERVIEW_FILE: file },
    });
    expect(code).toBe(0);
    expect(readFileSync(file, "utf8")).toMatch(
      /^# What is in the database[\s\S]*view \S*order_totals[\s\S]*## Tables and their columns[\s\S]*\| --- \| --: \|/,
    );
  });
});

test("compare-databases.json asks two engines at once", async () => {
  const environment = { LIVE_URL: urlOf("PostgreSQL"), ARCHIVE_URL: urlOf("MariaDB") };
  const { code, stdout } = await runAgent(["run", example("compare-databases.json"), "-q"], { environment });
  expect(code).toBe(0);
  const tables = [...stdout.matchAll(/\| status \| orders \|\n[^\n]+\n((?:\|[^\n]+\n)+)/g)].map(([, rows]) =>
    rows?.trim().split("\n").sort(),
  );
  expect(tables).toHaveLength(2);
  expect(tables[0]).toEqual(tables[1]);
});
