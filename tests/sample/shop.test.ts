/** The sample shop as a value: complete, consistent, dirty only where it says so, and the same every time. */
import { createHash } from "node:crypto";
import {
  createShop,
  dirtyRows,
  type SampleCell,
  type SampleTable,
  sampleFingerprint,
} from "@database-interface/mcp-core/sample";
import { describe, expect, test } from "vitest";

const shop = createShop();

/** The values of some columns of every row. */
function values(table: string, columns: readonly string[]): SampleCell[][] {
  const all = shop.tables.find(({ name }) => name === table)?.columns.map(({ name }) => name) ?? [];
  const positions = columns.map((column) => all.indexOf(column));
  return shop.rows(table).map((row) => positions.map((position) => row[position] ?? null));
}

const column = (table: string, name: string): SampleCell[] => values(table, [name]).map(([value]) => value ?? null);

test("the rows are exactly those of the fingerprint", () => {
  const hash = createHash("sha256");
  for (const { name } of shop.tables) hash.update(JSON.stringify([name, shop.rows(name)]));
  expect(hash.digest("hex").slice(0, 16)).toBe(sampleFingerprint);
});

test("two shops are equal", () => {
  const other = createShop();
  expect(other.totals).toEqual(shop.totals);
  for (const { name } of shop.tables) expect(other.rows(name)).toEqual(shop.rows(name));
});

test("there are 12 tables with about 50,000 rows", () => {
  const counts = Object.values(shop.totals.rowCounts);
  expect(counts).toHaveLength(12);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(45_000);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThan(55_000);
});

test("an unknown table is refused", () => {
  expect(() => shop.rows("nothing")).toThrow(RangeError);
});

describe.each(shop.tables.map((table) => [table.name, table] as const))("%s", (name, table: SampleTable) => {
  test("has a value of the right form in every column", () => {
    const wrong = shop.rows(name).filter(
      (row) =>
        row.length !== table.columns.length ||
        table.columns.some(({ type, nullable }, position) => {
          const cell = row[position] ?? null;
          return cell === null ? nullable !== true : !fits(type)(cell);
        }),
    );
    expect(wrong).toEqual([]);
  });

  test("has unique keys, in order", () => {
    const keys = [table.primaryKey, ...table.indexes.filter(({ unique }) => unique).map(({ columns }) => columns)];
    for (const key of keys) {
      const found = values(name, key).map((cells) => JSON.stringify(cells));
      expect(new Set(found).size).toBe(found.length);
    }
  });

  test("refers only to rows that are there", () => {
    for (const { columns, table: other, referencedColumns } of table.references) {
      const targets = new Set(values(other, referencedColumns).map((cells) => JSON.stringify(cells)));
      const missing = values(name, columns).filter(
        (cells) => !cells.includes(null) && !targets.has(JSON.stringify(cells)),
      );
      expect(missing).toEqual([]);
    }
  });
});

function fits(type: SampleTable["columns"][number]["type"]): (cell: unknown) => boolean {
  const text = (pattern: RegExp) => (cell: unknown) => typeof cell === "string" && pattern.test(cell);
  switch (type.kind) {
    case "integer":
    case "bigint":
      return Number.isSafeInteger;
    case "boolean":
      return (cell) => typeof cell === "boolean";
    case "decimal":
      return text(new RegExp(`^-?\\d{1,${type.precision - type.scale}}\\.\\d{${type.scale}}$`));
    case "date":
      return text(/^\d{4}-\d\d-\d\d$/);
    case "timestamp":
      return text(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    case "json":
      return (cell) => typeof JSON.parse(String(cell)) === "object";
    case "enum":
      return (cell) => type.values.includes(String(cell));
    case "varchar":
      return (cell) => typeof cell === "string" && cell.length <= type.length;
    case "text":
      return (cell) => typeof cell === "string";
  }
}

describe("what is dirty is what the list says", () => {
  test("customers without an e-mail", () => {
    const without = values("customers", ["id", "email"]).filter(([, email]) => email === null);
    expect(without.every(([id]) => Number(id) % 97 === 0)).toBe(true);
    expect(without).toHaveLength(shop.totals.customersWithoutEmail);
    expect(shop.totals.customersWithoutEmail).toBeGreaterThan(30);
  });

  test("names with spaces behind them", () => {
    const spaced = values("customers", ["id", "full_name"]).filter(([, name]) => String(name).endsWith("   "));
    expect(spaced.length).toBeGreaterThan(20);
  });

  test("twelve customers registered twice", () => {
    const emails = column("customers", "email").filter((email) => email !== null);
    expect(emails.length - new Set(emails).size).toBe(12);
  });

  test("three orders without lines", () => {
    const withLines = new Set(column("order_items", "order_id"));
    expect(column("orders", "id").filter((id) => !withLines.has(id))).toEqual([1_201, 4_402, 6_803]);
    expect(shop.totals.ordersWithoutItems).toBe(3);
  });

  test("texts that read like instructions, formulas and invisible characters", () => {
    expect(column("orders", "note").filter((note) => String(note).startsWith("IGNORE PREVIOUS"))).toHaveLength(3);
    expect(column("orders", "note").filter((note) => String(note).startsWith("=HYPERLINK"))).toHaveLength(3);
    expect(column("reviews", "body").filter((body) => String(body).includes("DELETE FROM"))).toHaveLength(5);
    expect(column("reviews", "title").filter((title) => String(title).includes("\u202e"))).toHaveLength(3);
  });

  test("every listed place is in a table of the shop", () => {
    const names = shop.tables.map(({ name }) => name);
    expect(dirtyRows.filter(({ table }) => !names.includes(table))).toEqual([]);
  });
});

test("what was paid is what was sold", () => {
  expect(shop.totals.paid).toBe(shop.totals.revenue.revenue);
});
