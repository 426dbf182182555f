/** Replies are read exactly: no digit and no character of a value is lost on the way to the person. */
import { describe, expect, test } from "vitest";
import { parseQueryReply } from "../../agent/src/result.js";

const replyOf = (cell: string): string => `{"columns":["c"],"types":["t"],"rows":[[${cell}]],"row_count":1}`;

describe("a cell", () => {
  test.each([
    ["an integer JavaScript keeps is a number", "9007199254740991", 9007199254740991],
    ["an integer it would round stays text", "9007199254740993", "9007199254740993"],
    ["a decimal with zeros behind stays text", "1.50", "1.50"],
    ["a number in exponent form stays as written", "1e400", "1e400"],
    ["a negative zero stays as written", "-0", "-0"],
    ["a text is a text", '"a \\"b\\" ] , } \\u00e9"', 'a "b" ] , } é'],
    ["null is null", "null", null],
    ["a boolean is a boolean", "true", true],
    [
      "a document is its exact text",
      '{"n": 12345678901234567890, "s":"]\\"}"}',
      '{"n": 12345678901234567890, "s":"]\\"}"}',
    ],
    ["an array is its exact text", "[1.0, [2], {}]", "[1.0, [2], {}]"],
  ])("%s", (_, json, cell) => {
    expect(parseQueryReply(replyOf(json)).rows).toEqual([[cell]]);
  });
});

test("everything around the rows is read", () => {
  const reply =
    '{"columns":["a","a"],"types":["int","text"],"rows":[[1,"x"],[2,null]],"row_count":2,"truncated":true,"next_cursor":"k","hint":"more"}';
  expect(parseQueryReply(reply)).toEqual({
    columns: ["a", "a"],
    types: ["int", "text"],
    rows: [
      [1, "x"],
      [2, null],
    ],
    rowCount: 2,
    truncated: true,
    nextCursor: "k",
    hint: "more",
  });
});

test("an empty result has its columns", () => {
  expect(parseQueryReply('{"columns":["a"],"types":["int"],"rows":[],"row_count":0}')).toMatchObject({
    columns: ["a"],
    rows: [],
  });
});

test.each(["", "no JSON", "[]", '{"rows":[]}', '{"columns":["a"],"rows":[["x]]}'])("%j is refused", (text) => {
  expect(() => parseQueryReply(text)).toThrow(expect.objectContaining({ code: "reply_invalid" }));
});
