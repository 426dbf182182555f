/** Names in and out, and the hints made of them. */
import { describe, expect, test } from "vitest";
import { pointAt } from "../../mcp-core/src/sql/hints.js";
import { parseTableName, quoteName } from "../../mcp-core/src/sql/identifiers.js";
import { similarNames } from "../../mcp-core/src/sql/similar-names.js";

describe("a table's name", () => {
  const read: readonly [string, object][] = [
    ["orders", { name: "orders" }],
    ["sales.orders", { schema: "sales", name: "orders" }],
    [' "sales"."Order Items" ', { schema: "sales", name: "Order Items" }],
    ["`sales`.`a``b`", { schema: "sales", name: "a`b" }],
    ['"with.dot"', { name: "with.dot" }],
    ['"say ""hi"""', { name: 'say "hi"' }],
    ["sales . orders", { schema: "sales", name: "orders" }],
    ["order items", { name: "order items" }],
  ];
  test.each(read)("%s is understood", (text, name) => {
    expect(parseTableName(text)).toEqual(name);
  });

  test.each(["", "  ", "a.b.c", "a.", ".b", '"open', '"a"b'])("%j is refused", (text) => {
    expect(() => parseTableName(text)).toThrow(expect.objectContaining({ code: "parameter_invalid" }));
  });

  test("is quoted only where it must be, and shows what cannot be seen", () => {
    expect(quoteName("orders_2", '"')).toBe("orders_2");
    expect(quoteName("Order Items", '"')).toBe('"Order Items"');
    expect(quoteName('a"b', '"')).toBe('"a""b"');
    expect(quoteName("a`b", "`")).toBe("`a``b`");
    expect(quoteName("a\u202eb", '"')).toBe('"a\\u202eb"');
  });
});

describe("a position", () => {
  const places: readonly [string, string, number, string][] = [
    ["on the only line", "SELECT x FROM t", 8, "Line 1, column 8:\nSELECT x FROM t\n       ^"],
    ["on a later line", "SELECT x\nFROM t\nWHERE AND", 23, "Line 3, column 7:\nWHERE AND\n      ^"],
    [
      "counted in characters, not code units",
      "SELECT '😀', x",
      13,
      "Line 1, column 13:\nSELECT '😀', x\n             ^",
    ],
    ["just after the end", "SELECT", 7, "Line 1, column 7:\nSELECT\n      ^"],
  ];
  test.each(places)("%s gets line, column and caret", (_title, sql, position, text) => {
    expect(pointAt(sql, position)).toBe(text);
  });

  test("in a long line shows the part around it, the caret still below it", () => {
    const sql = `SELECT ${"a, ".repeat(100)}oops, ${"b, ".repeat(100)}c`;
    const [head, excerpt = "", caret = ""] = pointAt(sql, sql.indexOf("oops") + 1)?.split("\n") ?? [];
    expect(head).toBe(`Line 1, column ${sql.indexOf("oops") + 1}:`);
    expect(excerpt.length).toBeLessThan(90);
    expect(excerpt.slice(caret.indexOf("^"))).toMatch(/^oops/);
  });
});

describe("similar names", () => {
  const names = ["customers", "orders", "order_items", "app_users", "products"];
  const meant: readonly [string, readonly string[]][] = [
    ["custommers", ["customers"]],
    ["oders", ["orders"]],
    ["orderitems", ["order_items"]],
    ["users", ["app_users"]],
    ["zzz", []],
  ];
  test.each(meant)("of %s", (wanted, found) => {
    expect(similarNames(wanted, names)).toEqual(found);
  });
});
