/**
 * Whether a view only passes hidden columns on, as plain entries of its outermost list, and under which names. Views
 * come as the server writes them: stars are expanded, whole rows end in `.*`.
 */
import type { ColumnRule } from "@database-interface/mcp-core/sql";

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/**
 * The view's columns that are hidden ones, by their name in the view; undefined when the query does anything else with
 * a hidden column, or reads whole rows. `isTouched`: the catalogue says that it depends on a hidden column.
 */
export function passedColumns(
  tree: Node,
  hidden: ReadonlyMap<string, ColumnRule>,
  isTouched: boolean,
): ReadonlyMap<string, ColumnRule> | undefined {
  const passed = new Map<string, ColumnRule>();
  const accepted = new Set<unknown>();
  const select = isNode(tree.SelectStmt) ? tree.SelectStmt : undefined;
  const isGrouped = ["groupClause", "distinctClause", "sortClause"].some((clause) => list(select?.[clause]).length > 0);
  for (const entry of isGrouped ? [] : list(select?.targetList)) {
    const target = isNode(entry) && isNode(entry.ResTarget) ? entry.ResTarget : undefined;
    const reference = target && isNode(target.val) && isNode(target.val.ColumnRef) ? target.val.ColumnRef : undefined;
    if (target === undefined || reference === undefined) continue;
    const field = list(reference.fields).at(-1);
    const name = textOf(field);
    const rule = name === undefined ? undefined : hidden.get(name);
    if (name === undefined || rule === undefined) continue;
    passed.set(typeof target.name === "string" ? target.name : name, rule);
    accepted.add(reference);
  }
  let isProven = true;
  const stack: unknown[] = [tree];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (Array.isArray(next)) stack.push(...next);
    if (!isNode(next) || accepted.has(next)) continue;
    // Renamed columns hide what a name stands for; it matters only where a hidden one is read at all.
    if ("A_Star" in next || (isTouched && ("colnames" in next || next.isNatural === true))) isProven = false;
    const name = textOf(next);
    if (isTouched && name !== undefined && hidden.has(name)) isProven = false;
    stack.push(...Object.values(next).filter((value) => typeof value === "object" && value !== null));
  }
  if (!isProven || (isTouched && passed.size === 0)) return undefined;
  return isTouched ? passed : new Map();
}

function textOf(value: unknown): string | undefined {
  const inner = isNode(value) && isNode(value.String) ? value.String.sval : undefined;
  return typeof inner === "string" ? inner : undefined;
}
