/**
 * What a parsed statement uses: every node is visited, by an explicit stack, whatever its kind, so that no corner of the
 * grammar (grouping sets, window frames, ROWS FROM, …) is a way around. It collects; it does not judge.
 */

import { syntaxCalls } from "./guard-lists.js";

/** A name, qualified or not. */
export interface UsedName {
  readonly schema: string | undefined;
  readonly name: string;
}

/** A function call with what can be seen of its arguments. */
export interface UsedCall extends UsedName {
  readonly args: readonly Argument[];
  /** How many arguments it has, where that can be told. */
  readonly arity: number | undefined;
}

/** An argument: a string or whole number written out, or anything else. */
export interface Argument {
  readonly text?: string | undefined;
  readonly number?: number | undefined;
  /** It depends on a column, a parameter or a count of rows. */
  readonly isData: boolean;
  /** What it comes to can be bounded by the numbers in it: nothing but these and plain arithmetic. */
  readonly isArithmetic: boolean;
  /** The largest number written anywhere in it. */
  readonly largest: number;
  /** All numbers above 1 that are written in it, multiplied. */
  readonly product: number;
  /** Functions called inside of it. */
  readonly calls: readonly string[];
}

export interface Usage {
  readonly calls: readonly UsedCall[];
  readonly relations: readonly UsedName[];
  readonly operators: readonly string[];
  /** Names after a dot: `c.name` calls a function of the row `c` when no column has the name. */
  readonly attributes: readonly string[];
  /** Types that are named, as in casts. */
  readonly types: readonly UsedName[];
  /** Names of the CTEs. */
  readonly commonTables: ReadonlySet<string>;
  /** Kinds of the statements inside, such as `InsertStmt`, without SELECT. */
  readonly statements: readonly string[];
  readonly hasInto: boolean;
  readonly hasLocking: boolean;
  /** Something in it speaks of this moment, the session or chance: CURRENT_DATE, 'today', TABLESAMPLE. */
  readonly isMomentary: boolean;
}

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value);

/** Collects from a parse tree, or any part of one. */
export function collectUsage(tree: unknown): Usage {
  const calls: UsedCall[] = [];
  const relations: UsedName[] = [];
  const operators = new Set<string>();
  const attributes = new Set<string>();
  const columns: (readonly [qualifier: string | undefined, name: string])[] = [];
  const functionRows = new Set<string | undefined>();
  const types: UsedName[] = [];
  const commonTables = new Set<string>();
  const statements = new Set<string>();
  let hasInto = false;
  let hasLocking = false;
  let isMomentary = false;

  visit(tree, (kind, node) => {
    if (kind === "FuncCall") {
      const name = qualified(node.funcname);
      const args = list(node.args).map(toArgument);
      // The sort keys of WITHIN GROUP are arguments too.
      const arity = node.agg_within_group === true ? undefined : args.length;
      if (name !== undefined) calls.push({ ...name, args, arity });
    } else if (kind === "RangeVar" || kind === "relation") {
      if (typeof node.relname === "string") {
        relations.push({
          schema: typeof node.schemaname === "string" ? node.schemaname : undefined,
          name: node.relname,
        });
      }
    } else if (kind === "ColumnRef") {
      const fields = list(node.fields).map(stringOf);
      fields.forEach((name, place) => {
        if (place === 0 || name === undefined) return;
        attributes.add(name);
        columns.push([fields[place - 1], name]);
      });
    } else if (kind === "A_Indirection") {
      for (const name of list(node.indirection).map(stringOf)) {
        if (name === undefined) continue;
        attributes.add(name);
        calls.push(toAttributeCall(name));
      }
    } else if (kind === "RangeFunction") {
      functionRows.add(rowNameOf(node));
    } else if (kind === "lockingClause" || kind === "LockingClause") {
      hasLocking = true;
    } else if (kind === "intoClause" || kind === "IntoClause") {
      hasInto = true;
    } else if (kind.endsWith("Stmt") && kind !== "SelectStmt" && kind !== "RawStmt") {
      statements.add(kind);
    }
    if (kind === "SQLValueFunction" || kind === "RangeTableSample") isMomentary = true;
    if (isNode(node.sval) && namesMoment(String(node.sval.sval ?? ""))) isMomentary = true;
    if ("typemod" in node) {
      const type = qualified(node.names);
      if (type !== undefined) types.push(type);
    }
    if (typeof node.ctename === "string") commonTables.add(node.ctename);
    for (const name of syntaxCalls.get(kind) ?? []) calls.push({ schema: undefined, name, args: [], arity: undefined });
    for (const key of ["name", "operName", "useOp"]) {
      const operator = list(node[key]).map(stringOf).at(-1);
      if (operator !== undefined) operators.add(operator);
    }
  });
  // A row of a function that gives plain values is such a value, whatever its type.
  for (const [qualifier, name] of columns) {
    if (functionRows.has(qualifier) || functionRows.has(undefined)) calls.push(toAttributeCall(name));
  }
  return {
    calls,
    relations,
    operators: [...operators],
    attributes: [...attributes],
    types,
    commonTables,
    statements: [...statements],
    hasInto,
    hasLocking,
    isMomentary,
  };
}

/** A text that a date or time may be read from anew each time (manual 8.5.1.4), wherever it stands. */
export const namesMoment = (text: string): boolean => /\b(?:now|today|tomorrow|yesterday)\b/i.test(text);

/** `(value).name` calls any function of one argument by that name, when the value has no such field (manual 4.2.6). */
const toAttributeCall = (name: string): UsedCall => ({
  schema: undefined,
  name,
  args: [{ isData: true, isArithmetic: false, largest: 0, product: 1, calls: [] }],
  arity: 1,
});

/** What a function's row is called in the rest of the query; undefined where that can't be told. */
function rowNameOf({ alias, functions }: Node): string | undefined {
  if (isNode(alias)) return typeof alias.aliasname === "string" ? alias.aliasname : undefined;
  let name: string | undefined;
  const [first] = list(functions);
  const [call] = isNode(first) && isNode(first.List) ? list(first.List.items) : [];
  if (isNode(call) && isNode(call.FuncCall)) name = qualified(call.FuncCall.funcname)?.name;
  return name;
}

/** Every object of the tree with the key it stands under. */
function visit(tree: unknown, enter: (kind: string, node: Node) => void): void {
  const stack: (readonly [string, unknown])[] = [["", tree]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [kind, value] = next;
    if (Array.isArray(value)) for (const item of value) stack.push([kind, item]);
    else if (isNode(value)) {
      enter(kind, value);
      for (const key in value) stack.push([key, value[key]]);
    }
  }
}

function toArgument(tree: unknown): Argument {
  let isData = false;
  let isArithmetic = true;
  let largest = 0;
  let product = 1;
  const calls: string[] = [];
  visit(tree, (kind, node) => {
    if (kind === "ColumnRef" || kind === "ParamRef" || (kind === "FuncCall" && node.agg_star === true)) isData = true;
    if (kind === "FuncCall" || kind === "SubLink" || isNode(node.sval)) isArithmetic = false;
    if (kind === "A_Expr" && !/^[-+*/%]$/.test(list(node.name).map(stringOf).join())) isArithmetic = false;
    if (kind === "A_Const") {
      const number = Math.abs(numberOf(node) ?? 0);
      largest = Math.max(largest, number);
      if (number > 1) product *= number;
    }
    const name = kind === "FuncCall" ? qualified(node.funcname)?.name : undefined;
    if (name !== undefined) calls.push(name);
  });
  const constant = isNode(tree) && isNode(tree.A_Const) ? tree.A_Const : undefined;
  const sval = constant !== undefined && isNode(constant.sval) ? (constant.sval.sval ?? "") : undefined;
  return {
    text: typeof sval === "string" ? sval : undefined,
    number: constant === undefined ? undefined : numberOf(constant),
    isData,
    isArithmetic,
    largest,
    product,
    calls,
  };
}

/** The number of an A_Const; 0 is written as an empty object. */
function numberOf(constant: Node): number | undefined {
  if (isNode(constant.ival)) return Number(constant.ival.ival ?? 0);
  if (isNode(constant.fval)) return Number(constant.fval.fval);
  return undefined;
}

function qualified(value: unknown): UsedName | undefined {
  const parts = list(value).map(stringOf);
  const name = parts.at(-1);
  return name === undefined ? undefined : { schema: parts.at(-2), name };
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function stringOf(value: unknown): string | undefined {
  const inner = isNode(value) && isNode(value.String) ? value.String.sval : undefined;
  return typeof inner === "string" ? inner : undefined;
}
