/**
 * Parameters as literals, in the places our own lexer found. The binary protocol would bind them as well, but its
 * results come in types that the driver must turn back into text; literals keep every value the server's own words.
 * Strings travel as hexadecimal, so that no quote, backslash, character set or sql_mode can end one early.
 */
import type { Parameter } from "@database-interface/mcp-core/sql";
import type { Token } from "./lexer.js";

/** A statement ready to send, and the way back from its offsets to the caller's. */
export interface BoundStatement {
  readonly sql: string;
  /** The offset in the caller's SQL of an offset in the bound one, both in UTF-16 units from 0. */
  toCallerOffset(offset: number): number;
}

/** A text for a piece of the statement, by offsets in UTF-16 units from 0. */
export interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Puts one literal in the place of each marker, of which there are as many as values, and other texts in theirs. */
export function bind(
  sql: string,
  end: number,
  markers: readonly Token[],
  params: readonly Parameter[],
  others: readonly Replacement[] = [],
): BoundStatement {
  const shifts: { readonly from: number; readonly shift: number }[] = [];
  let bound = "";
  let at = 0;
  const literals = markers.map(({ start, end: last }, index) => ({
    start,
    end: last,
    text: toLiteral(params[index] ?? null),
  }));
  const pieces =
    others.length === 0 ? literals : [...literals, ...others].sort((one, other) => one.start - other.start);
  for (const piece of pieces) {
    bound += sql.slice(at, piece.start) + piece.text;
    at = piece.end;
    shifts.push({ from: bound.length, shift: bound.length - at });
  }
  bound += sql.slice(at, end);
  return {
    sql: bound,
    toCallerOffset: (offset) => offset - (shifts.findLast(({ from }) => from <= offset)?.shift ?? 0),
  };
}

/** A value as a literal. Spaces keep it apart from what stands beside its marker. */
export function toLiteral(value: Parameter): string {
  if (value === null) return " NULL ";
  if (typeof value === "boolean") return value ? " TRUE " : " FALSE ";
  if (typeof value === "number") return ` ${value} `;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return ` _utf8mb4 x'${Buffer.from(text, "utf8").toString("hex")}' `;
}

/** A label that the server made from the statement's text, with our literals turned back into markers. */
export const toCallerText = (label: string): string => label.replace(/ ?_utf8mb4 x'[0-9a-f]*'? ?/g, "?");
