/** What a result looks like: valid JSON, exact to the character, nothing invisible in it, never over its budget. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toCellJson, toCutCellJson } from "../../mcp-core/src/sql/cells.js";
import type { Cell, CellForm, Column } from "../../mcp-core/src/sql/database.js";
import { createResultSink, createResultWriter } from "../../mcp-core/src/sql/result.js";

const caps = { maxRows: 1_000, maxBytes: 65_536, maxCellBytes: 4_096 };
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

describe("a cell", () => {
  const exact: readonly [string, CellForm, Cell, string][] = [
    ["SQL NULL is null in every form", "integer", null, "null"],
    ["a small integer is a number", "integer", "-42", "-42"],
    ["zero is a number", "integer", "0", "0"],
    ["the largest exact integer is a number", "integer", "9007199254740991", "9007199254740991"],
    ["one more is a string", "integer", "9007199254740992", '"9007199254740992"'],
    ["a negative beyond the exact range is a string", "integer", "-9223372036854775808", '"-9223372036854775808"'],
    ["an unsigned 64-bit integer keeps its digits", "integer", "18446744073709551615", '"18446744073709551615"'],
    ["leading zeros (ZEROFILL) survive as a string", "integer", "00042", '"00042"'],
    ["a decimal is a string, trailing zeros and all", "decimal", "1.500", '"1.500"'],
    ["a float is a number in the server's own digits", "float", "1.2e-07", "1.2e-07"],
    ["the largest double is a number", "float", "1.7976931348623157e+308", "1.7976931348623157e+308"],
    ["NaN is a string", "float", "NaN", '"NaN"'],
    ["minus infinity is a string", "float", "-Infinity", '"-Infinity"'],
    ["a float that is no JSON number is a string", "float", ".5", '".5"'],
    ["true is true", "boolean", "true", "true"],
    ["a boolean in other words stays text", "boolean", "t", '"t"'],
    ["json is embedded without its blanks", "json", '{ "a": [1, "x y"],\n "b": null }', '{"a":[1,"x y"],"b":null}'],
    ["numbers in json keep every digit", "json", '{"n": 12345678901234567890.10}', '{"n":12345678901234567890.10}'],
    ["text that only claims to be json stays text", "json", "{oops", '"{oops"'],
    [
      "json nested absurdly is a string",
      "json",
      "[".repeat(100) + "]".repeat(100),
      `"${"[".repeat(100)}${"]".repeat(100)}"`,
    ],
    ["bytes are base64 with their count", "bytes", new Uint8Array([0, 255, 16]), '{"base64":"AP8Q","bytes":3}'],
    ["no bytes are an empty base64", "bytes", new Uint8Array(), '{"base64":"","bytes":0}'],
    ["a date before Christ is verbatim", "text", "0044-03-15 BC", '"0044-03-15 BC"'],
    ["quotes and backslashes are escaped", "text", 'a"b\\c', '"a\\"b\\\\c"'],
    ["line breaks are escaped", "text", "a\nb", '"a\\nb"'],
    ["a right-to-left override is visible", "text", "a\u202eb", '"a\\u202eb"'],
    [
      "isolates, marks and the Arabic letter mark are visible",
      "text",
      "\u2066\u2069\u200e\u200f\u061c",
      '"\\u2066\\u2069\\u200e\\u200f\\u061c"',
    ],
    [
      "zero-width characters are visible",
      "text",
      "\u200b\u200d\ufeff\u2060\u00ad",
      '"\\u200b\\u200d\\ufeff\\u2060\\u00ad"',
    ],
    ["C1 controls and DEL are visible", "text", "\u007f\u0085\u009b", '"\\u007f\\u0085\\u009b"'],
    ["line and paragraph separators are visible", "text", "\u2028\u2029", '"\\u2028\\u2029"'],
    ["tag characters are visible", "text", "\u{e0041}", '"\\udb40\\udc41"'],
    ["a lone surrogate is visible", "text", "a\ud800b", '"a\\ud800b"'],
    ["letters of every script stay as they are", "text", "Grüße, 数据库, 😀", '"Grüße, 数据库, 😀"'],
    ["a bidi override inside json is visible", "json", '{"a":"\u202e"}', '{"a":"\\u202e"}'],
  ];

  test.each(exact)("%s", (_title, form, cell, json) => {
    expect(toCellJson(cell, form, 4_096)).toBe(json);
    JSON.parse(json);
  });

  const tooLong: readonly [string, CellForm, string, unknown][] = [
    ["text", "text", "x".repeat(100), `${"x".repeat(64)}…[64 of 100 bytes]`],
    ["text of wide characters, cut between characters", "text", "ü".repeat(100), `${"ü".repeat(32)}…[64 of 200 bytes]`],
    ["json", "json", `["${"x".repeat(100)}"]`, `["${"x".repeat(62)}…[64 of 104 bytes]`],
    ["a decimal", "decimal", "1".repeat(65), `${"1".repeat(64)}…[64 of 65 bytes]`],
  ];

  test.each(tooLong)("%s over the cap is a string marked with its full length", (_title, form, cell, value) => {
    expect(toCellJson(cell, form, 64)).toBeUndefined();
    expect(JSON.parse(toCutCellJson(cell, 64))).toBe(value);
  });

  test("bytes over the cap keep their full count beside the first of them", () => {
    const cell = new Uint8Array(1_000).fill(7);
    expect(toCellJson(cell, "bytes", 64)).toBeUndefined();
    const { base64, bytes } = JSON.parse(toCutCellJson(cell, 64));
    expect(Buffer.from(base64, "base64")).toEqual(Buffer.alloc(48, 7));
    expect(bytes).toBe(1_000);
  });
});

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ maxLength: 60 }),
  fc.constant("\ud800"),
);
const anyCell: Record<CellForm, fc.Arbitrary<Cell>> = {
  text: anyText,
  decimal: fc.oneof(anyText, fc.constant("0.10")),
  integer: fc.oneof(fc.bigInt().map(String), anyText),
  float: fc.oneof(fc.double().map(String), anyText),
  boolean: fc.constantFrom("true", "false", "t"),
  json: fc.oneof(
    fc.jsonValue().map((value) => JSON.stringify(value, null, 1)),
    anyText,
  ),
  bytes: fc.uint8Array({ maxLength: 60 }),
};
const forms = Object.keys(anyCell) as CellForm[]; // the keys of the table above

const anyResult = fc
  .array(fc.record({ name: anyText, type: anyText, form: fc.constantFrom(...forms) }), { maxLength: 6 })
  .chain((columns) =>
    fc.record({
      columns: fc.constant(columns),
      rows: fc.array(fc.tuple(...columns.map(({ form }) => fc.option(anyCell[form], { nil: null }))), {
        maxLength: 40,
      }),
    }),
  );

function write(columns: readonly Column[], rows: readonly (readonly Cell[])[], limits: typeof caps) {
  const writer = createResultWriter(limits);
  const sink = createResultSink(writer);
  sink.columns(columns);
  for (const row of rows) if (!sink.row(row)) break;
  return writer.finish({ truncated: sink.truncated });
}

/** What a client should read for a cell. */
function expected(cell: Cell, form: CellForm): unknown {
  if (cell === null) return null;
  if (typeof cell !== "string") return { base64: Buffer.from(cell).toString("base64"), bytes: cell.length };
  if (form === "json") return parsedOr(cell, cell);
  if (form === "boolean") return { true: true, false: false }[cell] ?? cell;
  if (form === "integer")
    return String(Number(cell)) === cell && Number.isSafeInteger(Number(cell)) ? Number(cell) : cell;
  const number = form === "float" && cell === cell.trim() ? parsedOr(cell, cell) : cell;
  return typeof number === "number" ? number : cell;
}

function parsedOr(json: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return otherwise;
  }
}

describe("a result", () => {
  test("whatever the cells hold, it is one JSON text that reads back to them, all of it visible", () => {
    fc.assert(
      fc.property(anyResult, ({ columns, rows }) => {
        const text = write(columns, rows, caps);
        expect(text).not.toMatch(invisible);
        const read = JSON.parse(text);
        expect(read.columns).toEqual(columns.map(({ name }) => name));
        expect(read.types).toEqual(columns.map(({ type }) => type));
        expect(read.row_count).toBe(rows.length);
        expect(read.rows).toEqual(
          rows.map((row) => row.map((cell, index) => expected(cell, columns[index]?.form ?? "text"))),
        );
      }),
      { numRuns: 300 },
    );
  });

  test("it never has a byte more than its budget, and says what is missing", () => {
    fc.assert(
      fc.property(anyResult, fc.integer({ min: 1_024, max: 4_096 }), ({ columns, rows }, maxBytes) => {
        let text: string;
        try {
          text = write(columns, [...rows, ...rows, ...rows], { ...caps, maxBytes, maxRows: 100 });
        } catch (error) {
          expect(error).toMatchObject({ code: "result_too_large" });
          return;
        }
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
        const read = JSON.parse(text);
        expect(read.truncated ?? false).toBe(read.row_count < rows.length * 3);
      }),
      { numRuns: 300 },
    );
  });

  const one: readonly Column[] = [{ name: "a", type: "text", form: "text" }];
  const rowsOf = (count: number, text = "x") => Array.from({ length: count }, () => [text]);

  test("exactly max_rows rows are not truncated; one more is", () => {
    expect(JSON.parse(write(one, rowsOf(5), { ...caps, maxRows: 5 }))).not.toHaveProperty("truncated");
    expect(JSON.parse(write(one, rowsOf(6), { ...caps, maxRows: 5 }))).toMatchObject({ row_count: 5, truncated: true });
  });

  test("a first row too large for the budget is cut to fit rather than lost", () => {
    const columns = Array.from({ length: 40 }, (_, index) => ({
      name: `c${index}`,
      type: "text",
      form: "text" as const,
    }));
    const text = write(columns, [columns.map(() => "y".repeat(4_000))], { ...caps, maxBytes: 8_192 });
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(8_192);
    expect(JSON.parse(text)).toMatchObject({ row_count: 1, truncated_cells: 40 });
  });

  test("more columns than fit are an error that says so", () => {
    const columns = Array.from({ length: 400 }, (_, index) => ({
      name: `column_${index}`,
      type: "text",
      form: "text" as const,
    }));
    expect(() => write(columns, [], { ...caps, maxBytes: 1_024 })).toThrow(/does not fit/);
  });

  test("cut cells are counted and the reader told", () => {
    expect(JSON.parse(write(one, rowsOf(2, "z".repeat(5_000)), caps))).toMatchObject({
      truncated_cells: 2,
      hint: expect.stringContaining("cut"),
    });
  });

  test("an empty result has its columns and no rows", () => {
    expect(write(one, [], caps)).toBe('{"columns":["a"],"types":["text"],"rows":[],"row_count":0}');
  });
});
