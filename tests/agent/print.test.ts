/** Results on paper: aligned whatever is in them, harmless to the terminal, exact for programs. */
import { describe, expect, test } from "vitest";
import { createDocument } from "../../agent/src/faces/print/document.js";
import { formatResult } from "../../agent/src/faces/print/format.js";
import { createStyle } from "../../agent/src/faces/print/style.js";
import { toTable } from "../../agent/src/faces/print/table.js";
import { fitText, toVisible, widthOf } from "../../agent/src/faces/print/text.js";
import type { QueryResult } from "../../agent/src/result.js";

const result = (columns: string[], types: string[], rows: QueryResult["rows"]): QueryResult => ({
  columns,
  types,
  rows,
  rowCount: rows.length,
  truncated: false,
});

const people = result(
  ["id", "name", "balance", "document"],
  ["bigint", "text", "numeric(12,2)", "jsonb"],
  [
    [1, "Ada", "1200.50", '{"n":12345678901234567890}'],
    [20, "李小龍 👩‍👩‍👧", "-3.00", null],
    ["9007199254740993", 'a,"b"\n|c', null, "[]"],
  ],
);

test("columns are aligned, wide characters and emoji included; numbers stand right", () => {
  expect(toTable(people)).toBe(
    [
      " id               │ name      │ balance │ document",
      "──────────────────┼───────────┼─────────┼────────────────────────────",
      '                1 │ Ada       │ 1200.50 │ {"n":12345678901234567890}',
      "               20 │ 李小龍 👩‍👩‍👧 │   -3.00 │ NULL",
      ' 9007199254740993 │ a,"b"\\n|c │    NULL │ []',
    ].join("\n"),
  );
});

describe("a terminal of n columns is never exceeded", () => {
  test.each([20, 34, 50, 80])("%d", (width) => {
    const lines = formatResult(people, "table", { width }).split("\n");
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(width);
  });
});

test("ten thousand columns become one value a line", () => {
  const many = Array.from({ length: 10_000 }, (_, index) => `c${index}`);
  const text = toTable(result(many, [], [many.map(() => 1)]), { width: 80 });
  expect(text.split("\n")).toHaveLength(10_001);
});

describe("what a terminal would obey is shown instead", () => {
  test.each([
    ["an escape sequence", "\u001b[2Jgone", "\\u001b[2Jgone"],
    ["a line break", "a\nb\r\tc", "a\\nb\\r\\tc"],
    ["a right-to-left override", "a\u202eb", "a\\u202eb"],
    ["a zero-width space", "a\u200bb", "a\\u200bb"],
    ["a C1 control", "a\u009bb", "a\\u009bb"],
    ["a joiner outside an emoji", "a\u200db", "a\\u200db"],
    ["a tag character", "a\u{e0041}b", "a\\udb40\\udc41b"],
    ["an emoji family stays", "👩‍👩‍👧 ❤️", "👩‍👩‍👧 ❤️"],
    ["Arabic, Hebrew and Chinese stay", "مرحبا שלום 你好", "مرحبا שלום 你好"],
  ])("%s", (_, text, shown) => {
    expect(toVisible(text)).toBe(shown);
  });
});

test("a cut never splits a character", () => {
  expect(fitText("李小龍", 5)).toBe("李小…");
  expect(fitText("👩‍👩‍👧👩‍👩‍👧", 3)).toBe("👩‍👩‍👧…");
});

test.each([
  [
    "csv",
    'id,name,balance,document\r\n1,Ada,1200.50,"{""n"":12345678901234567890}"\r\n20,李小龍 👩‍👩‍👧,-3.00,\r\n9007199254740993,"a,""b""\n|c",,[]\r\n',
  ],
  [
    "json",
    '[{"id":1,"name":"Ada","balance":"1200.50","document":{"n":12345678901234567890}},\n {"id":20,"name":"李小龍 👩‍👩‍👧","balance":"-3.00","document":null},\n {"id":"9007199254740993","name":"a,\\"b\\"\\n|c","balance":null,"document":[]}]\n',
  ],
  [
    "markdown",
    '| id | name | balance | document |\n| --: | --- | --: | --- |\n| 1 | Ada | 1200.50 | {"n":12345678901234567890} |\n| 20 | 李小龍 👩‍👩‍👧 | -3.00 |  |\n| 9007199254740993 | a,"b"\\\\n\\|c |  | \\[\\] |\n',
  ],
] as const)("%s keeps every digit and character", (format, text) => {
  expect(formatResult(people, format)).toBe(text);
});

test("jsonl is one object a line, and a second column of a name is kept", () => {
  const twice = result(["id", "id", "id_2"], ["int", "int", "int"], [[1, 2, 3]]);
  expect(formatResult(twice, "jsonl")).toBe('{"id":1,"id_2":2,"id_2_2":3}\n');
});

describe("a result that comes page by page is one document", () => {
  const pages = [[1, 2], [3], []].map((numbers) =>
    result(
      ["n"],
      ["int"],
      numbers.map((number) => [number]),
    ),
  );
  test.each([
    ["json", '[{"n":1},\n {"n":2},\n {"n":3}]\n'],
    ["jsonl", '{"n":1}\n{"n":2}\n{"n":3}\n'],
    ["csv", "n\r\n1\r\n2\r\n3\r\n"],
    ["markdown", "| n |\n| --: |\n| 1 |\n| 2 |\n| 3 |\n"],
    ["vertical", "── row 1 ──\n n │ 1\n── row 2 ──\n n │ 2\n── row 3 ──\n n │ 3\n"],
  ] as const)("%s", (format, text) => {
    const document = createDocument(format);
    expect(pages.map((page) => document.page(page)).join("") + document.end()).toBe(text);
    expect(document.rowCount).toBe(3);
  });
});

describe("colours", () => {
  test.each([
    ["on a terminal", { isTTY: true }, {}, true],
    ["not in a pipe", {}, {}, false],
    ["not with NO_COLOR", { isTTY: true }, { NO_COLOR: "1" }, false],
    ["not on a dumb terminal", { isTTY: true }, { TERM: "dumb" }, false],
    ["anywhere with FORCE_COLOR", {}, { FORCE_COLOR: "1" }, true],
  ])("%s", (_, stream, environment, coloured) => {
    expect(createStyle(stream, environment)("red", "x") !== "x").toBe(coloured);
  });
});
