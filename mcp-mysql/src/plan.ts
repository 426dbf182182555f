/**
 * A plan as both servers write it in JSON, made readable: a short tree, and what stands out as sentences. It walks the
 * nodes by shape, since their names differ by product and version; findings name tables and counts, never conditions,
 * into which the servers put values.
 */

type Json = string | number | boolean | null | readonly Json[] | PlanNode;
interface PlanNode {
  readonly [key: string]: Json;
}

/** What is counted as large, in rows. */
const manyRows = 10_000;
const wrongBy = 10;

/** Operations worth a line of their own, and how they are shown. */
const operations: Readonly<Record<string, string>> = {
  filesort: "Sort",
  ordering_operation: "Order",
  temporary_table: "Temporary table",
  grouping_operation: "Group",
  materialized: "Materialized subquery",
  materialized_from_subquery: "Materialized derived table",
  window_functions_computation: "Window functions",
  windowing: "Window functions",
  union_result: "Union",
  duplicates_removal: "Remove duplicates",
  duplicate_removal: "Remove duplicates",
  "block-nl-join": "Block nested-loop join",
  subqueries: "Subqueries",
  expression_cache: "Expression cache",
  recursive_union: "Recursive union",
  read_sorted_file: "Read sorted file",
};

const accessNames: Readonly<Record<string, string>> = {
  ALL: "full scan",
  index: "full index scan",
  range: "range",
  ref: "lookup",
  eq_ref: "unique lookup",
  const: "one row",
  system: "one row",
  fulltext: "full-text",
  index_merge: "index merge",
};

/** The plan as indented lines. */
export function planText(plan: Json): string {
  const lines: string[] = [];
  walk(plan, (node, name, depth) => {
    const line = name === "table" ? tableLine(node) : operationLine(node, name);
    if (line === undefined) return depth;
    const indent = "  ".repeat(depth);
    lines.push(indent + line);
    const condition = text(node.attached_condition) ?? text(node.index_condition);
    if (condition !== undefined) lines.push(`${indent}    where ${condition}`);
    return depth + 1;
  });
  return lines.join("\n");
}

/** What stands out, a sentence each, the same one once. */
export function findingsOf(plan: Json): readonly string[] {
  const found = new Set<string>();
  walk(plan, (node, name, depth) => {
    for (const finding of name === "table" ? tableFindings(node) : operationFindings(node, name)) found.add(finding);
    return depth;
  });
  return [...found];
}

/** Visits every object with the name it stands under; `visit` gives the depth of what is inside. */
function walk(plan: Json, visit: (node: PlanNode, name: string, depth: number) => number): void {
  const waiting: { readonly value: Json; readonly name: string; readonly depth: number }[] = [
    { value: plan, name: "", depth: 0 },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, name, depth } = next;
    const inside: typeof waiting = [];
    if (isList(value)) for (const item of value) inside.push({ value: item, name, depth });
    else if (isNode(value)) {
      const deeper = visit(value, name, depth);
      for (const [key, child] of Object.entries(value)) {
        if (typeof child === "object") inside.push({ value: child, name: key, depth: deeper });
      }
    }
    waiting.push(...inside.reverse());
  }
}

function tableLine(node: PlanNode): string {
  if (node.table_name === undefined) return text(node.message) ?? "No table";
  const access = text(node.access_type);
  const key = text(node.key);
  const parts = [
    `${text(node.table_name)}: ${accessNames[access ?? ""] ?? access ?? "unknown access"}`,
    key === undefined ? "" : `using ${key}`,
    node.using_index === true ? "(index only)" : "",
    `about ${format(estimateOf(node))} rows`,
    count(node.r_rows) === undefined ? "" : `(actual ${format(count(node.r_rows))} × ${format(count(node.r_loops))})`,
    count(node.r_table_time_ms) === undefined ? "" : `${(count(node.r_table_time_ms) ?? 0).toFixed(2)} ms`,
  ];
  return parts.filter((part) => part !== "").join(" ");
}

function operationLine(node: PlanNode, name: string): string | undefined {
  const title = operations[name];
  if (title === undefined) return undefined;
  const key = text(node.sort_key);
  const time = count(node.r_total_time_ms);
  return `${title}${key === undefined ? "" : ` by ${key}`}${time === undefined ? "" : ` (${time.toFixed(2)} ms)`}`;
}

function* tableFindings(node: PlanNode): Generator<string> {
  const table = text(node.table_name);
  if (table === undefined || table.startsWith("<")) return;
  const rows = estimateOf(node) ?? 0;
  const actual = count(node.r_rows);
  const read = Math.max(rows, actual ?? 0);
  if (node.access_type === "ALL" && read >= manyRows) {
    const filter =
      node.attached_condition === undefined ? "" : "; an index on the columns it is filtered or joined by would help";
    yield `Full scan of ${table} (about ${format(read)} rows)${filter}.`;
  }
  if (node.access_type === "index" && read >= manyRows && count(node.filtered) !== 100) {
    yield `Full scan of the index ${text(node.key)} of ${table} (about ${format(read)} rows).`;
  }
  if (actual !== undefined && (count(node.r_loops) ?? 0) > 0 && isFarOff(rows, actual)) {
    yield `Bad estimate: ${table} was expected to give ${format(rows)} rows and gave ${format(actual)}; ANALYZE TABLE may help.`;
  }
  if (typeof node.using_join_buffer === "string") yield joinWithoutIndex(table);
}

function* operationFindings(node: PlanNode, name: string): Generator<string> {
  if (name === "block-nl-join" && isNode(node.table)) yield joinWithoutIndex(text(node.table.table_name) ?? "a table");
  if ((count(node.r_sort_passes) ?? 0) > 0) yield "A sort spilled to disk; an index in that order would avoid it.";
  if (name === "filesort" && (count(node.r_output_rows) ?? 0) >= manyRows * 10) {
    yield `A sort puts ${format(count(node.r_output_rows))} rows in order; an index in that order, or LIMIT, would avoid it.`;
  }
}

const joinWithoutIndex = (table: string): string =>
  `The join reads ${table} without an index for its condition; one on the joined columns would help.`;

/** An estimate matters once many rows are in play, on either side. */
function isFarOff(expected: number, actual: number): boolean {
  const [less, more] = [Math.min(expected, actual), Math.max(expected, actual)];
  return more >= 1_000 && more / Math.max(less, 1) > wrongBy;
}

const estimateOf = (node: PlanNode): number | undefined => count(node.rows) ?? count(node.rows_examined_per_scan);
const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);
const isNode = (value: Json | undefined): value is PlanNode =>
  typeof value === "object" && value !== null && !isList(value);
const text = (value: Json | undefined): string | undefined => (typeof value === "string" ? value : undefined);
const count = (value: Json | undefined): number | undefined => (typeof value === "number" ? value : undefined);
const format = (value: number | undefined): string =>
  value === undefined ? "?" : Math.round(value).toLocaleString("en-US");
