/**
 * Holds the rules on columns: every table of a statement that has hidden columns is replaced by a subquery of its other
 * columns, masked ones in their place. The server itself then knows no way to them: stars, whole rows, renames, joins,
 * predicates, functions over rows and plans all see what the subquery gives. What cannot be replaced is refused.
 */

import { randomBytes } from "node:crypto";
import {
  type CallOptions,
  type MaskKind,
  type MissingName,
  StatementError,
  toShownColumn,
} from "@database-interface/mcp-core/sql";
import { notAllowed, parseOne, type Tree } from "./guard-class.js";
import type { UsedName } from "./guard-walk.js";
import { type HidingRelation, type HidingRelations, learnHiding } from "./hidden-relations.js";
import type { HidingStatement } from "./hidden-statement.js";
import type { Parse } from "./parser.js";
import type { Source } from "./source.js";

/** A table in the FROM clause, and what stands around it. */
interface TableUse extends UsedName {
  /** Bytes before its name. */
  readonly location: number;
  readonly parts: number;
  readonly hasAlias: boolean;
  /** Neither ONLY nor TABLESAMPLE, and no statement's target. */
  readonly isPlain: boolean;
}

interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
  /** Where in `text` the table's own name stands. */
  readonly nameAt: number;
}

/** @throws CodedError `permission_denied`, `not_allowed`, `table_not_found` */
export async function hideColumns(
  source: Source,
  parse: Parse,
  sql: string,
  tree: Tree,
  options: CallOptions,
): Promise<HidingStatement> {
  const { tables, commonTables } = collectTables(tree);
  const hiding = await learnHiding(source, parse, tables, options);
  const touched: HidingRelation[] = [];
  const splices: Splice[] = [];
  for (const table of tables) {
    const isCommon = table.schema === undefined && commonTables.has(table.name);
    const relation = hiding.of(table);
    if (relation === undefined) {
      if (isCommon) continue;
      throw noTable(table);
    }
    if (isCommon && (relation.closedBy !== undefined || relation.hidden.size > 0)) {
      throw notAllowed(
        `${table.name} is the name of a CTE and of a table with hidden columns.`,
        "Give the CTE another name.",
      );
    }
    if (relation.closedBy !== undefined) throw closedView(relation);
    if (isCommon || relation.hidden.size === 0) continue;
    touched.push(relation);
    splices.push(toSplice(sql, table, relation));
  }
  splices.sort((one, other) => one.from - other.from);
  const hidden = splice(sql, splices);
  if (splices.length > 0) assertReplaced(parse, hidden, splices, hiding);
  return {
    sql: hidden,
    toCallerOffset: (offset) => toCallerOffset(offset, splices),
    refusalOf: (missing, position) => refusalOf(missing, position, touched),
    assertFields(fields) {
      const found = fields.find(({ table, column }) => table !== 0 && hiding.isHidden(table, column));
      if (found !== undefined) throw deniedColumn(found.name, touched, undefined);
    },
  };
}

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value);

/** Every table the tree names, wherever it stands, and the names of its CTEs. */
function collectTables(tree: Tree): {
  readonly tables: readonly TableUse[];
  readonly commonTables: ReadonlySet<string>;
} {
  const tables: TableUse[] = [];
  const commonTables = new Set<string>();
  const stack: { readonly value: unknown; readonly key: string; readonly above: string }[] = [
    { value: tree, key: "", above: "" },
  ];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { value, key, above } = next;
    if (Array.isArray(value)) for (const item of value) stack.push({ value: item, key, above });
    if (!isNode(value)) continue;
    if (typeof value.ctename === "string") commonTables.add(value.ctename);
    if (typeof value.relname === "string") {
      tables.push({
        schema: typeof value.schemaname === "string" ? value.schemaname : undefined,
        name: value.relname,
        location: typeof value.location === "number" ? value.location : -1,
        parts: [value.catalogname, value.schemaname, value.relname].filter((part) => part !== undefined).length,
        hasAlias: isNode(value.alias),
        isPlain: key === "RangeVar" && value.inh === true && above !== "relation",
      });
    }
    for (const [inner, child] of Object.entries(value)) stack.push({ value: child, key: inner, above: key });
  }
  return { tables, commonTables };
}

const identifier = String.raw`(?:"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`;

function toSplice(sql: string, table: TableUse, relation: HidingRelation): Splice {
  const start = Buffer.from(sql).subarray(0, table.location).toString().length;
  const name = new RegExp(`${identifier}(?:\\s*\\.\\s*${identifier}){${table.parts - 1}}`, "y");
  name.lastIndex = start;
  const written = table.location < 0 ? undefined : name.exec(sql)?.[0];
  if (written === undefined || !table.isPlain) throw cannotReplace(relation);
  // `TABLE t` is `SELECT * FROM t`.
  const command = /(?<![\w$"])table\s+$/i.exec(sql.slice(0, start))?.[0] ?? "";
  const columns = relation.columns.flatMap(({ name: column }) =>
    toShownColumn(relation.hidden.get(column), quote(column), masksOf(column)),
  );
  const before = `${command === "" ? "" : "SELECT * FROM "}(SELECT ${columns.join(", ")} FROM `;
  const alias = table.hasAlias ? "" : ` AS ${quote(relation.name)}`;
  return {
    from: start - command.length,
    to: start + written.length,
    text: `${before}${quote(relation.schema)}.${quote(relation.name)})${alias}`,
    nameAt: before.length,
  };
}

/** Keyed anew by every process, so that nobody can try values until one fits. */
const hashKey = randomBytes(16).toString("hex");

/** Takes the key out of a text, such as a plan that shows expressions. */
export const withoutKey = (text: string): string => text.replaceAll(hashKey, "…");

/** What each mask leaves of a column. */
export function masksOf(column: string): Readonly<Record<MaskKind, string>> {
  const name = quote(column);
  const text = `${name}::pg_catalog.text`;
  return {
    full: `CASE WHEN ${name} IS NOT NULL THEN '***' END`,
    last4: `CASE WHEN pg_catalog.length(${text}) > 4 THEN '***' || pg_catalog.right(${text}, 4) WHEN ${name} IS NOT NULL THEN '***' END`,
    hash: `pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to('${hashKey}' || ${text}, 'UTF8')), 'hex'), 16)`,
  };
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function splice(sql: string, splices: readonly Splice[]): string {
  let text = "";
  let at = 0;
  for (const { from, to, text: inserted } of splices) {
    text += sql.slice(at, from) + inserted;
    at = to;
  }
  return text + sql.slice(at);
}

/** The server reads what is sent, so that is looked at once more: every table that hides something is one of ours. */
function assertReplaced(parse: Parse, sql: string, splices: readonly Splice[], hiding: HidingRelations): void {
  const ours = new Set<number>();
  let shift = 0;
  for (const { from, to, text, nameAt } of splices) {
    ours.add(Buffer.byteLength(sql.slice(0, from + shift + nameAt)));
    shift += text.length - (to - from);
  }
  const { tables } = collectTables(parseOne(parse, sql));
  for (const table of tables) {
    const relation = hiding.of(table);
    const isOurs = ours.delete(table.location);
    if (!isOurs && relation !== undefined && relation.hidden.size > 0) throw cannotReplace(relation);
  }
  if (ours.size > 0) throw notAllowed("The tables with hidden columns cannot be told apart.", "Write it plainly.");
}

function toCallerOffset(offset: number, splices: readonly Splice[]): number {
  let shift = 0;
  for (const { from, to, text } of splices) {
    if (offset < from + shift) break;
    if (offset < from + shift + text.length) return from;
    shift += text.length - (to - from);
  }
  return offset - shift;
}

function refusalOf(
  missing: MissingName | undefined,
  position: number | undefined,
  relations: readonly HidingRelation[],
): StatementError | undefined {
  if (missing?.kind !== "column") return undefined;
  const isHidden = relations.some(
    ({ hidden }) => hidden.get(missing.name)?.mask === undefined && hidden.has(missing.name),
  );
  return isHidden ? deniedColumn(missing.name, relations, position) : undefined;
}

function deniedColumn(
  name: string,
  relations: readonly HidingRelation[],
  position: number | undefined,
): StatementError {
  const hint = relations
    .filter(({ hidden }) => hidden.has(name))
    .map((relation) => `Of ${relation.name} there may be read: ${shownOf(relation).join(", ")}.`)
    .join("\n");
  return new StatementError("permission_denied", `The column ${name} may not be read through this server.`, {
    hint,
    position,
  });
}

const shownOf = ({ columns, hidden }: HidingRelation): readonly string[] =>
  columns.map(({ name }) => name).filter((name) => !hidden.has(name) || hidden.get(name)?.mask !== undefined);

function noTable({ schema, name }: UsedName): StatementError {
  const shown = schema === undefined ? name : `${schema}.${name}`;
  return new StatementError("table_not_found", `There is no table or view ${shown}.`, {
    missing: { kind: "table", name, schema },
  });
}

function closedView({ name, closedBy }: HidingRelation): StatementError {
  return new StatementError("permission_denied", `The view ${name} reads a column that is hidden, ${closedBy}.`, {
    hint: "Query the tables it reads; a view whose list holds the column as it is, or not at all, may be read.",
  });
}

function cannotReplace(relation: HidingRelation): StatementError {
  return new StatementError(
    "permission_denied",
    `${relation.name} has hidden columns and cannot be used in this way.`,
    {
      hint: `Name it plainly in FROM, without ONLY, TABLESAMPLE or comments inside the name. It shows ${shownOf(relation).join(", ")}.`,
    },
  );
}
