/**
 * Whether two results say the same: the same rows, whatever their columns are called and in whichever order they stand,
 * and whatever the numbers' formatting. The order of rows and the names of columns count where that is asked. Pure.
 */
import type { QueryResult } from "../result.js";
import { type Comparable, comparables, isSame, type Reading } from "./cell-values.js";
import { pairUp } from "./pair-up.js";

/** What counts besides the values. */
export interface Rules {
  readonly ordered: boolean;
  readonly tolerance: number;
  /** The names the columns have to have. */
  readonly columns?: readonly string[] | undefined;
  /** How strictly types are read: `loose` where the expectation was written by hand and has none. */
  readonly reading: Reading;
}

type Rows = Pick<QueryResult, "columns" | "types" | "rows">;
type Table = readonly (readonly Comparable[])[];

/** Assignments of columns that are tried; more than any result that is not made to be ambiguous has. */
const maxAssignments = 5_000;

/** Why they differ, in words without any value; undefined where they say the same. */
export function difference(expected: Rows, actual: Rows, rules: Rules): string | undefined {
  const found = firstDifference(expected, actual, rules);
  if (found === undefined || !rules.ordered) return found;
  const isOrderAlone = firstDifference(expected, actual, { ...rules, ordered: false }) === undefined;
  return isOrderAlone ? "the rows are right, and stand in another order" : found;
}

function firstDifference(expected: Rows, actual: Rows, rules: Rules): string | undefined {
  const [wantedWidth, foundWidth] = [expected.columns.length, actual.columns.length];
  if (wantedWidth !== foundWidth) return `${count(wantedWidth, "column")} expected, ${foundWidth} found`;
  if (expected.rows.length !== actual.rows.length) {
    return `${count(expected.rows.length, "row")} expected, ${actual.rows.length} found`;
  }
  const wanted = comparables(expected, rules.reading);
  const found = comparables(actual, rules.reading);
  if (rules.columns !== undefined) {
    const places = rules.columns.map((name) => indexOfName(actual.columns, name));
    const missing = rules.columns.find((_, index) => places[index] === -1);
    if (missing !== undefined) return `no column is named ${missing}`;
    return areSameRows(wanted, arranged(found, places), rules) ? undefined : rowsDiffer;
  }
  const candidates = candidateColumns(wanted, found, wantedWidth, rules);
  const orphan = candidates.findIndex((places) => places.length === 0);
  if (orphan !== -1) return `no column has the values of column ${orphan + 1} (${expected.columns[orphan] ?? ""})`;
  let left = maxAssignments;
  for (const places of assignments(candidates)) {
    if (areSameRows(wanted, arranged(found, places), rules)) return undefined;
    left -= 1;
    if (left === 0) break;
  }
  return rowsDiffer;
}

const rowsDiffer = "the rows differ";

/** For each expected column those it may be: the same values, whatever the order of rows. */
function candidateColumns(wanted: Table, found: Table, width: number, rules: Rules): number[][] {
  const ofFound = Array.from({ length: width }, (_, column) => found.map((row) => row[column]));
  return Array.from({ length: width }, (_, column) => {
    const values = wanted.map((row) => [row[column]]);
    return ofFound.flatMap((candidate, place) =>
      areSameRows(values as Table, candidate.map((value) => [value]) as Table, rules) ? [place] : [],
    );
  });
}

/** Every way to give each expected column one of its candidates, none twice. */
function* assignments(candidates: readonly (readonly number[])[], taken: readonly number[] = []): Generator<number[]> {
  const next = candidates[taken.length];
  if (next === undefined) {
    yield [...taken];
    return;
  }
  for (const place of next) if (!taken.includes(place)) yield* assignments(candidates, [...taken, place]);
}

function areSameRows(wanted: Table, found: Table, { ordered, tolerance }: Rules): boolean {
  const same = (a: readonly Comparable[], b: readonly Comparable[]): boolean =>
    a.every((value, index) => {
      const other = b[index];
      return other !== undefined && isSame(value, other, tolerance);
    });
  if (ordered) return wanted.every((row, index) => same(row, found[index] ?? []));
  return pairUp(wanted, found, (row) => row.map((value) => toKey(value, tolerance)).join("\u0000"), same);
}

/** What has to be equal to the letter; numbers that may be apart are left to the comparison itself. */
const toKey = (value: Comparable, tolerance: number): string =>
  value.kind === "number" && tolerance > 0 ? "number" : `${value.kind}:${value.text}`;

const arranged = (table: Table, places: readonly number[]): Table =>
  table.map((row) => places.map((place) => row[place] ?? { kind: "null", text: "" }));

const indexOfName = (names: readonly string[], name: string): number =>
  names.findIndex((one) => one.toLowerCase() === name.toLowerCase());

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
