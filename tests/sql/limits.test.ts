/** Which limit wins: the call's, below the configuration's. */
import { describe, expect, test } from "vitest";
import { capsOf, defaultLimits, maxCursorsOf } from "../../mcp-core/src/sql/limits.js";
import { isAvailable, permit } from "../../mcp-core/src/sql/policy.js";

describe("the rows of a call", () => {
  const rows: readonly [string, number, number | undefined, number][] = [
    ["are the configured ones when the call names none", 1_000, undefined, 1_000],
    ["are the call's when it asks for fewer", 1_000, 10, 10],
    ["are never more than configured", 50, 1_000, 50],
  ];
  test.each(rows)("%s", (_title, configured, asked, expected) => {
    expect(capsOf({ ...defaultLimits, maxRows: configured }, { maxRows: asked }).maxRows).toBe(expected);
  });
});

test("half of a pool may be held by paged results, and always one", () => {
  expect([1, 2, 3, 8].map(maxCursorsOf)).toEqual([1, 1, 1, 4]);
});

test("a read-only server has no tool that writes, and runs none", () => {
  expect(isAvailable("write", "read-only")).toBe(false);
  expect(isAvailable("read", "read-only")).toBe(true);
  expect(() => permit({ ...defaultLimits, mode: "read-only" }, "write")).toThrow(
    expect.objectContaining({ code: "not_allowed" }),
  );
});
