/** A plan of EXPLAIN (FORMAT JSON) in words. Pure: it asks the server nothing. */

/** The parts of a plan node that are read; the server's own names. */
export interface PlanNode {
  readonly "Node Type": string;
  readonly "Join Type"?: string;
  readonly "Parent Relationship"?: string;
  readonly "Subplan Name"?: string;
  readonly "Relation Name"?: string;
  readonly Schema?: string;
  readonly Alias?: string;
  readonly "Index Name"?: string;
  readonly "Function Name"?: string;
  readonly "CTE Name"?: string;
  readonly "Startup Cost": number;
  readonly "Total Cost": number;
  readonly "Plan Rows": number;
  readonly "Actual Rows"?: number;
  readonly "Actual Loops"?: number;
  readonly "Actual Total Time"?: number;
  readonly Filter?: string;
  readonly "Index Cond"?: string;
  readonly "Hash Cond"?: string;
  readonly "Merge Cond"?: string;
  readonly "Join Filter"?: string;
  readonly "Recheck Cond"?: string;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Join Filter"?: number;
  readonly "Sort Key"?: readonly string[];
  readonly "Group Key"?: readonly string[];
  readonly "Sort Method"?: string;
  readonly "Sort Space Used"?: number;
  readonly "Sort Space Type"?: string;
  readonly "Hash Batches"?: number;
  readonly "Heap Fetches"?: number;
  readonly "Workers Planned"?: number;
  readonly "Workers Launched"?: number;
  readonly "Temp Written Blocks"?: number;
  readonly "Partial Mode"?: string;
  readonly Plans?: readonly PlanNode[];
}

const conditions = ["Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter", "Filter"] as const;

/** One line a node, indented by depth. */
export function planText(root: PlanNode): string {
  const lines: string[] = [];
  walk(root, (node, depth) => {
    const indent = "  ".repeat(depth);
    lines.push(`${indent}${title(node)}  ${figures(node)}`);
    for (const name of conditions) if (node[name] !== undefined) lines.push(`${indent}    ${name}: ${node[name]}`);
    const keys = node["Sort Key"] ?? node["Group Key"];
    if (keys !== undefined) lines.push(`${indent}    ${node["Sort Key"] ? "Sort" : "Group"} Key: ${keys.join(", ")}`);
    const removed = node["Rows Removed by Filter"];
    if (removed) lines.push(`${indent}    Rows Removed by Filter: ${removed}`);
  });
  return lines.join("\n");
}

function title(node: PlanNode): string {
  const join = node["Join Type"] !== undefined && node["Join Type"] !== "Inner" ? ` (${node["Join Type"]})` : "";
  const index = node["Index Name"] === undefined ? "" : ` using ${node["Index Name"]}`;
  const target = node["Relation Name"] ?? node["CTE Name"] ?? node["Function Name"];
  const alias = node.Alias !== undefined && node.Alias !== target ? ` ${node.Alias}` : "";
  const on = target === undefined ? "" : ` on ${target}${alias}`;
  const name = node["Subplan Name"] === undefined ? "" : `${node["Subplan Name"]}: `;
  const partial = node["Partial Mode"] === "Partial" ? "Partial " : "";
  return `${name}${partial}${node["Node Type"]}${join}${index}${on}`;
}

function figures(node: PlanNode): string {
  const estimate = `cost ${node["Startup Cost"]}..${node["Total Cost"]} rows ${node["Plan Rows"]}`;
  if (node["Actual Loops"] === undefined) return `(${estimate})`;
  if (node["Actual Loops"] === 0) return `(${estimate}) (never executed)`;
  const loops = node["Actual Loops"] > 1 ? ` loops ${node["Actual Loops"]}` : "";
  return `(${estimate}) (actual rows ${node["Actual Rows"]} time ${node["Actual Total Time"]} ms${loops})`;
}

/** Rows from which reading a whole table is worth a word. */
const manyRows = 10_000;

/** What stands out, the most expensive first, at most ten sentences. */
export function findingsOf(root: PlanNode): readonly string[] {
  const findings: { readonly weight: number; readonly text: string }[] = [];
  walk(root, (node) => {
    for (const text of findingsOfNode(node)) findings.push({ weight: node["Total Cost"], text });
  });
  const sorted = findings.sort((one, other) => other.weight - one.weight).map(({ text }) => text);
  return [...new Set(sorted)].slice(0, 10);
}

function* findingsOfNode(node: PlanNode): Generator<string> {
  const table = node["Relation Name"];
  const loops = node["Actual Loops"] ?? 1;
  const read = ((node["Actual Rows"] ?? 0) + (node["Rows Removed by Filter"] ?? 0)) * loops;
  const kept = node["Plan Rows"];
  if (node["Node Type"] === "Seq Scan" && table !== undefined && node.Filter !== undefined) {
    // Without ANALYZE the cost tells how much is read: a page costs 1, a row about 0.01.
    const rows = Math.max(read, Math.round(node["Total Cost"] * 40));
    if (rows >= manyRows && (node["Actual Rows"] ?? kept) < rows / 4) {
      const columns = columnsOf(node.Filter);
      const help = columns === "" ? "an index that fits the filter" : `an index on ${columns}`;
      yield `Sequential scan over ${table} with a filter that keeps about ${format(kept)} rows; ${help} would help.`;
    }
  }
  const actual = node["Actual Rows"];
  if (actual !== undefined && loops > 0 && Math.max(actual, kept) >= 1_000) {
    const ratio = Math.max(actual, 1) / Math.max(kept, 1);
    if (ratio >= 10 || ratio <= 0.1) {
      const where = table === undefined ? node["Node Type"] : `${node["Node Type"]} on ${table}`;
      yield `Bad estimate: ${where} expected ${format(kept)} rows and got ${format(actual)}; ANALYZE or extended statistics may help.`;
    }
  }
  if (node["Sort Space Type"] === "Disk") {
    yield `The sort by ${node["Sort Key"]?.join(", ")} spilled ${format(node["Sort Space Used"] ?? 0)} kB to disk; more work_mem or an index in that order would avoid it.`;
  }
  if ((node["Hash Batches"] ?? 1) > 1) {
    yield `A hash spilled to disk in ${node["Hash Batches"]} batches; more work_mem or fewer rows would avoid it.`;
  }
  if (node["Node Type"] === "Nested Loop" && node["Join Filter"] !== undefined && kept >= manyRows) {
    yield `Nested loop compares every pair of rows by ${node["Join Filter"]}; a condition with = on indexed columns would help.`;
  }
  if (node["Node Type"] === "Nested Loop" && isCartesian(node)) {
    yield `Join without a condition: every row meets every row (about ${format(kept)}).`;
  }
  const fetches = node["Heap Fetches"];
  if (fetches !== undefined && fetches > manyRows) {
    yield `The index-only scan on ${table} still visited the table ${format(fetches)} times; VACUUM would help.`;
  }
  if ((node["Workers Launched"] ?? 0) < (node["Workers Planned"] ?? 0) && actual !== undefined) {
    yield `Only ${node["Workers Launched"]} of ${node["Workers Planned"]} parallel workers were available.`;
  }
}

/** A nested loop over two inputs, neither of which looks anything up for the other. */
function isCartesian(node: PlanNode): boolean {
  const [outer, inner] = node.Plans ?? [];
  if (outer === undefined || inner === undefined || node["Join Filter"] !== undefined) return false;
  const scanned = inner["Node Type"] === "Materialize" ? inner.Plans?.[0] : inner;
  return scanned?.["Node Type"] === "Seq Scan" && scanned.Filter === undefined && node["Plan Rows"] >= manyRows;
}

/** The column names in a condition, at most three: bare words that are followed by a comparison or a cast. */
function columnsOf(filter: string): string {
  const names = new Set<string>();
  for (const found of filter.matchAll(/\(?("[^"]+"|[a-z_][\w$]*)\)?(?:::[\w ]+)?\)? (?:=|<>|[<>]=?|~~?\*?|IS|ANY)/g)) {
    if (found[1] !== undefined) names.add(found[1]);
  }
  return [...names].slice(0, 3).join(", ");
}

const format = (count: number): string => Math.round(count).toLocaleString("en-US");

/** Every node with its depth, parents first; plans can be deep, so no recursion. */
function walk(root: PlanNode, visit: (node: PlanNode, depth: number) => void): void {
  const stack: (readonly [PlanNode, number])[] = [[root, 0]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [node, depth] = next;
    visit(node, depth);
    for (const child of [...(node.Plans ?? [])].reverse()) stack.push([child, depth + 1]);
  }
}
