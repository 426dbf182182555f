/** Cells as they are compared: by what they are and an exact text of it, so that `12.50`, `12.5` and `1.25e1` are one. */
import type { QueryResult } from "../result.js";

/** A value and what it is. */
export interface Comparable {
  readonly kind: "null" | "number" | "boolean" | "time" | "text";
  /** Equal for equal values of a kind. */
  readonly text: string;
}

/** `typed`: by the types of columns. `loose`: what reads as a number is one, and true is 1. */
export type Reading = "typed" | "loose";

const numericType =
  /^(?:(?:tiny|small|medium|big)?int(?:eger)?\d?|numeric|decimal|newdecimal|float\d?|double|real|money|oid|serial|year)\b/i;
const timeType = /^(?:date|time|datetime|timestamp)/i;
const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?$/i;

/** All cells of a result. */
export function comparables(
  { types, rows }: Pick<QueryResult, "types" | "rows">,
  reading: Reading,
): readonly (readonly Comparable[])[] {
  return rows.map((row) => row.map((cell, column) => toComparable(cell, types[column] ?? "", reading)));
}

/** Whether two values are one, or numbers no further apart than that. */
export function isSame(a: Comparable, b: Comparable, tolerance: number): boolean {
  if (a.kind !== b.kind) return false;
  if (a.text === b.text) return true;
  // relative to their size beyond 2^53 nothing is closer than doubles are
  return a.kind === "number" && tolerance > 0 && Math.abs(Number(a.text) - Number(b.text)) <= tolerance + 1e-12;
}

function toComparable(cell: unknown, type: string, reading: Reading): Comparable {
  if (cell === null || cell === undefined) return { kind: "null", text: "" };
  if (typeof cell === "boolean") {
    return reading === "loose" ? { kind: "number", text: cell ? "1" : "0" } : { kind: "boolean", text: String(cell) };
  }
  const text = String(cell);
  const isNumber = typeof cell === "number" || typeof cell === "bigint" || numericType.test(type);
  if ((isNumber || reading === "loose") && decimal.test(text.trim()))
    return { kind: "number", text: plain(text.trim()) };
  if (timeType.test(type) || (reading === "loose" && /^\d{4}-\d\d-\d\d/.test(text))) {
    return { kind: "time", text: toTime(text) };
  }
  return { kind: "text", text };
}

/** A moment without what only formats it: `2025-01-01T00:00:00.000` is `2025-01-01`. */
const toTime = (text: string): string =>
  text
    .replace(/^(\d{4}-\d\d-\d\d)T/, "$1 ")
    .replace(/(:\d\d)\.(\d*?)0*(?=$|[+Z-])/, (_, seconds: string, rest: string) =>
      rest === "" ? seconds : `${seconds}.${rest}`,
    )
    .replace(/ 00:00:00$/, "");

/** A decimal number without exponent, sign of zero, and zeros that say nothing. */
function plain(text: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  const shift = Number(exponent);
  const digits = whole + fraction;
  const point = whole.length + shift;
  const left = point <= 0 ? "0" : digits.padEnd(point, "0").slice(0, point);
  const right = point <= 0 ? "0".repeat(-point) + digits : digits.slice(point);
  const integer = left.replace(/^0+(?=\d)/, "") || "0";
  const rest = right.replace(/0+$/, "");
  const value = rest === "" ? integer : `${integer}.${rest}`;
  return sign === "-" && value !== "0" ? `-${value}` : value;
}
