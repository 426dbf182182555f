/** When two results say the same, and how cases are read: the rules of the score, one by one. */
import { describe, expect, test } from "vitest";
import { parseCases } from "../../agent/src/eval/cases.js";
import { difference } from "../../agent/src/eval/compare.js";

type Cell = string | number | boolean | null;
const table = (rows: readonly (readonly Cell[])[], types: readonly string[] = [], columns?: readonly string[]) => ({
  rows,
  types,
  columns: columns ?? (rows[0] ?? []).map((_, index) => `c${index}`),
});
const typed = { ordered: false, tolerance: 0, reading: "typed" } as const;

describe("the same", () => {
  test.each([
    [
      "columns in another order",
      [
        ["a", 1],
        ["b", 2],
      ],
      [
        [2, "b"],
        [1, "a"],
      ],
      ["text", "integer"],
      ["integer", "text"],
      {},
    ],
    ["rows in another order", [[1], [2]], [[2], [1]], ["integer"], ["bigint"], {}],
    ["12.50 and 12.5", [["12.50"]], [[12.5]], ["numeric"], ["double precision"], {}],
    ["5 and 5.000", [[5]], [["5.000"]], ["integer"], ["numeric"], {}],
    ["1.25e1 and 12.5", [["1.25e1"]], [["12.50"]], ["float8"], ["numeric"], {}],
    ["-0.0 and 0", [["-0.0"]], [[0]], ["numeric"], ["integer"], {}],
    ["every digit of a long number", [["90071992547409931"]], [["90071992547409931.0"]], ["bigint"], ["numeric"], {}],
    ["a date and its midnight", [["2025-01-01"]], [["2025-01-01 00:00:00"]], ["date"], ["timestamp"], {}],
    [
      "moments with and without zeros",
      [["2025-01-01T10:00:00.500"]],
      [["2025-01-01 10:00:00.5"]],
      ["timestamp"],
      ["timestamp"],
      {},
    ],
    ["numbers within the tolerance", [[1.01], [2]], [[2.005], [1]], ["numeric"], ["numeric"], { tolerance: 0.01 }],
    [
      "a pairing that the first choice would block",
      [[1.5], [1]],
      [[1.5], [2]],
      ["numeric"],
      ["numeric"],
      { tolerance: 0.5 },
    ],
    ["NULL and NULL", [[null, 1]], [[1, null]], ["text", "integer"], ["integer", "text"], {}],
    [
      "columns of equal values, crossed",
      [
        [1, 1, "x"],
        [1, 1, "y"],
      ],
      [
        ["y", 1, 1],
        ["x", 1, 1],
      ],
      ["integer", "integer", "text"],
      ["text", "integer", "integer"],
      {},
    ],
    ["handwritten true and 1", [[true, "7"]], [[1, 7]], [], ["tinyint", "integer"], { reading: "loose" }],
    ["nothing and nothing", [], [], [], [], {}],
  ] as const)("%s", (_, wanted, found, wantedTypes, foundTypes, rules) => {
    expect(difference(table(wanted, wantedTypes), table(found, foundTypes), { ...typed, ...rules })).toBeUndefined();
  });
});

describe("not the same", () => {
  test.each([
    ["a row too many", [[1]], [[1], [1]], ["integer"], ["integer"], {}, "1 row expected, 2 found"],
    ["a column too many", [[1]], [[1, 2]], ["integer"], ["integer", "integer"], {}, "1 column expected, 2 found"],
    [
      "a row twice instead of two rows",
      [[1], [1], [2]],
      [[1], [2], [2]],
      ["integer"],
      ["integer"],
      {},
      "no column has the values of column 1",
    ],
    [
      "the same values in other rows",
      [
        [1, "a"],
        [2, "b"],
      ],
      [
        [1, "b"],
        [2, "a"],
      ],
      ["integer", "text"],
      ["integer", "text"],
      {},
      "the rows differ",
    ],
    [
      "another order, where it counts",
      [[1], [2]],
      [[2], [1]],
      ["integer"],
      ["integer"],
      { ordered: true },
      "stand in another order",
    ],
    [
      "another order of rows with crossed columns",
      [
        [1, 2],
        [2, 1],
      ],
      [
        [2, 2],
        [1, 1],
      ],
      ["integer", "integer"],
      ["integer", "integer"],
      { ordered: true },
      "",
    ],
    ["a number as text", [[5]], [["5"]], ["integer"], ["text"], {}, "no column has"],
    [
      "the last digit of a long number",
      [["90071992547409931"]],
      [["90071992547409932"]],
      ["bigint"],
      ["bigint"],
      {},
      "no column has",
    ],
    ["just outside the tolerance", [[1]], [[1.02]], ["numeric"], ["numeric"], { tolerance: 0.01 }, "no column has"],
    ["NULL and nothing", [[null]], [[""]], ["text"], ["text"], {}, "no column has"],
    ["NULL and 0", [[null]], [[0]], ["integer"], ["integer"], {}, "no column has"],
    ["other letters", [["Ada"]], [["ada"]], ["text"], ["text"], {}, "no column has"],
    ["a name that matters", [[1]], [[1]], ["integer"], ["integer"], { columns: ["total"] }, "no column is named total"],
  ] as const)("%s", (_, wanted, found, wantedTypes, foundTypes, rules, reason) => {
    const why = difference(table(wanted, wantedTypes), table(found, foundTypes), { ...typed, ...rules });
    expect(why).toContain(reason);
  });
});

test("names that matter say which column is which", () => {
  const wanted = table([[1, 2]], ["integer", "integer"]);
  const found = table([[2, 1]], ["integer", "integer"], ["Second", "first"]);
  expect(difference(wanted, found, { ...typed, columns: ["first", "second"] })).toBeUndefined();
  expect(difference(wanted, found, { ...typed, columns: ["second", "first"] })).toBe("the rows differ");
});

test("many columns of equal values end in time", () => {
  const row = Array.from({ length: 14 }, () => 1);
  const wanted = table(
    [row, [...row.slice(1), 2]],
    row.map(() => "integer"),
  );
  const found = table(
    [row, [2, ...row.slice(1)]],
    row.map(() => "integer"),
  );
  expect(difference(wanted, found, typed)).toBeUndefined();
});

describe("a file that does not fit", () => {
  test.each([
    ["is no YAML", "cases: [", "is not YAML: Flow sequence", "^"],
    ["has a tab for an indent", "cases:\n\t- question: x", "line 2", "^"],
    ["has no case", "cases: []", "cases does not fit", ">=1"],
    ["is empty", "", "cases.yaml does not fit", "Expected Object"],
    ["has a misspelt key", "cases: []\nnmae: x", "nmae is no key", "Did you mean name?"],
    [
      "has a misspelt key in a case",
      "cases:\n  - question: x\n    sqll: y",
      "cases.0.sqll is no key",
      "Did you mean sql?",
    ],
    ["lacks a question", "cases:\n  - sql: y", "cases.0.question is missing", "Expected"],
    ["expects nothing", "cases:\n  - question: x", "cases.0 needs one of sql, rows and unanswerable, and has 0", ""],
    ["expects two things", "cases:\n  - {question: x, sql: y, unanswerable: true}", "and has 2", ""],
    [
      "has rows of two widths",
      "cases:\n  - {question: x, rows: [[1, 2], [1]]}",
      "cases.0.rows.1 has 1 values instead of 2",
      "",
    ],
    [
      "has a tolerance below nothing",
      "cases:\n  - {question: x, sql: y, tolerance: -1}",
      "cases.0.tolerance does not fit",
      ">=0",
    ],
    [
      "names two cases alike",
      "cases:\n  - {name: a, question: x, sql: y}\n  - {name: a, question: z, sql: y}",
      "two cases are named a",
      "",
    ],
    [
      "means too much by its aliases",
      `a: &a [x,x,x,x,x,x,x,x,x,x]\n${["b", "c", "d"].map((key, at) => `${key}: &${key} [${Array.from({ length: 10 }, () => `*${"abc"[at]}`).join()}]`).join("\n")}\ncases: [*d]`,
      "is not YAML",
      "",
    ],
  ])("%s", (_, text, message, hint) => {
    let thrown: unknown;
    try {
      parseCases(text, "cases.yaml");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "cases_invalid", message: expect.stringContaining(message) });
    expect((thrown as { report: { hint?: string } }).report.hint ?? "").toContain(hint);
  });
});

test("integers of any size are read exactly, and what a file says holds for cases that say nothing else", () => {
  const { cases } = parseCases(
    "tolerance: 0.5\nordered: true\ncases:\n  - {question: x, rows: [[90071992547409931]]}\n  - {question: y, sql: z, ordered: false}",
    "cases.yaml",
  );
  expect(cases).toMatchObject([
    { name: "case 1", ordered: true, tolerance: 0.5, expected: { rows: [[90071992547409931n]] } },
    { name: "case 2", ordered: false, tolerance: 0.5 },
  ]);
});
