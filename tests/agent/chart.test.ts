/** Charts: drawn to scale in the columns there are, from what a result's types say are numbers. */
import { describe, expect, test } from "vitest";
import { type ChartOptions, toChart } from "../../agent/src/faces/print/chart.js";
import { createStyle } from "../../agent/src/faces/print/style.js";
import { widthOf } from "../../agent/src/faces/print/text.js";
import type { QueryResult } from "../../agent/src/result.js";

const result = (columns: string[], types: string[], rows: QueryResult["rows"]): QueryResult => ({
  columns,
  types,
  rows,
  rowCount: rows.length,
  truncated: false,
});

const orders = result(
  ["status", "orders"],
  ["text", "bigint"],
  [
    ["paid", 100],
    ["shipped", "400"],
    ["李小龍", null],
    ["refunded", -100],
  ],
);
const days = result(
  ["day", "visits", "sales"],
  ["date", "int", "numeric(12,2)"],
  [
    ["2025-01-01", 0, "7.50"],
    ["2025-01-02", 10, null],
    ["2025-01-03", 20, "7.50"],
    ["2025-01-04", 30, "9007199254740993.01"],
  ],
);

test("bars are to scale, negative ones left of zero, and the cells stand as they came", () => {
  expect(toChart(orders, { width: 41 }).split("\n")).toEqual([
    "paid      100      █████▏",
    "shipped   400      ████████████████████▊",
    "李小龍   NULL",
    "refunded -100 █████",
  ]);
});

test("over time it is a line, with its scale and the ends of its axis", () => {
  expect(toChart(days, { width: 22, columns: ["day", "visits"] }).split("\n")).toEqual([
    "30 ┤                ⡠⠊",
    "   ┤              ⢠⠊",
    "   ┤            ⢀⠔⠁",
    "   ┤          ⢀⠔⠁",
    "   ┤         ⡠⠃",
    "15 ┤       ⢠⠊",
    "   ┤     ⢀⠔⠁",
    "   ┤   ⢀⠔⠁",
    "   ┤  ⡠⠃",
    " 0 ┤⡠⠊",
    "    2025-01…  2025-01…",
  ]);
});

test("a missing value breaks a line and leaves a gap in a row of blocks", () => {
  expect(toChart(days, { kind: "spark", width: 60 }).split("\n")).toEqual([
    "visits ▁▃▆█ 0 … 30",
    "sales  ▁ ▁█ 7.50 … 9007199254740993.01",
  ]);
});

test("without colour every line has a frame of its own, with colour they share one", () => {
  const frames = (options: ChartOptions): number =>
    toChart(days, { width: 60, ...options }).split("2025-01-04").length - 1;
  expect(frames({})).toBe(2);
  expect(frames({ style: createStyle({ isTTY: true }, {}) })).toBe(1);
});

describe("a terminal of n columns is never exceeded", () => {
  test.each([10, 20, 40, 80, 300])("%d", (width) => {
    for (const kind of ["bar", "line", "spark"] as const) {
      for (const drawn of [orders, days]) {
        const lines = toChart(drawn, { kind, width }).split("\n");
        expect(Math.max(...lines.map(widthOf)), kind).toBeLessThanOrEqual(width);
      }
    }
  });
});

test("many rows become a line, a hundred bars at most are drawn", () => {
  const many = result(
    ["n", "square"],
    ["int", "int"],
    Array.from({ length: 500 }, (_, n) => [n, n * n]),
  );
  expect(toChart(many)).toContain("⡠");
  const bars = toChart(many, { kind: "bar", width: 40 }).split("\n");
  expect(bars).toHaveLength(101);
  expect(bars.at(-1)).toBe("… 400 more rows");
});

test("one column of numbers is labelled by its rows; a control character in a label is shown", () => {
  expect(toChart(result(["n"], ["int"], [[1], [2]]), { width: 12 })).toBe("1 1 ███▌\n2 2 ███████");
  expect(toChart(result(["x", "n"], ["text", "int"], [["a\u001b[2J", 1]]))).toContain("a\\u001b[2J");
});

test.each([
  ["no column of numbers", result(["a"], ["text"], [["x"]]), {}, "no column of numbers"],
  ["an interval is no number", result(["a"], ["interval"], [["1 day"]]), {}, "no column of numbers"],
  ["no row", result(["a", "n"], ["text", "int"], []), {}, "no column of numbers"],
  ["an unknown column", orders, { columns: ["stats"] }, "no column stats"],
  ["a column of words", days, { columns: ["visits", "day"] }, "day holds no numbers"],
])("%s is told", (_, drawn, options, message) => {
  expect(() => toChart(drawn, options)).toThrow(message);
});
