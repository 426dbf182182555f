/**
 * Which statements may write, and what they would do: by the kind of the parsed statement, with a list of what is known
 * to change only data and schema. Everything else (COPY, DO, CALL, SET, GRANT, roles, extensions, functions, LISTEN, …)
 * is refused, whoever asks. It runs nothing.
 */
import type { CodedError } from "@database-interface/mcp-core/host";
import { writeWarnings } from "@database-interface/mcp-core/sql";
import { notAllowed, type Tree } from "./guard-class.js";
import type { Usage, UsedName } from "./guard-walk.js";

/** A statement that may write. */
export interface WriteShape {
  /** Such as `update` or `create index`. */
  readonly kind: string;
  /** Tables it writes to, and other objects it makes, changes or drops. */
  readonly targets: readonly UsedName[];
  readonly warnings: readonly string[];
  /** The one table of an INSERT, UPDATE or DELETE that says nothing of what it returns, for a sample of its rows. */
  readonly sampled?: { readonly verb: "insert" | "update" | "delete"; readonly row: string } | undefined;
}

type Node = Readonly<Record<string, unknown>>;

const dataKinds: Readonly<Record<string, string>> = {
  InsertStmt: "insert",
  UpdateStmt: "update",
  DeleteStmt: "delete",
  MergeStmt: "merge",
};

/** It writes rows, as row-level security holds them; TRUNCATE and changes of the schema are not held. */
export const isRowWrite = ({ kind }: WriteShape): boolean => Object.values(dataKinds).includes(kind);

/** Statements whose target is one relation under this key, and what they are called. */
const relationKinds: Readonly<Record<string, readonly [kind: string, key: string]>> = {
  CreateStmt: ["create table", "relation"],
  IndexStmt: ["create index", "relation"],
  ViewStmt: ["create view", "view"],
  CreateSeqStmt: ["create sequence", "sequence"],
  AlterSeqStmt: ["alter sequence", "sequence"],
  CompositeTypeStmt: ["create type", "typevar"],
};

/** Kinds of objects that may be dropped, renamed or commented on, by the parser's names. */
const objects: ReadonlySet<string> = new Set(
  "TABLE INDEX VIEW MATVIEW SEQUENCE TYPE SCHEMA COLUMN TABCONSTRAINT ATTRIBUTE".split(" "),
);

/** What ALTER TABLE may change: columns and constraints; not owners, triggers, rules, storage, row security, … */
const alterations: ReadonlySet<string> = new Set(
  `AddColumn ColumnDefault CookedColumnDefault DropNotNull SetNotNull DropColumn AddConstraint ValidateConstraint
  DropConstraint AlterColumnType AlterConstraint AddIdentity SetIdentity DropIdentity DropExpression SetExpression
  SetStatistics AttachPartition DetachPartition`.split(/\s+/),
);

/** @throws CodedError `not_allowed` */
export function toWriteShape(top: string, tree: Tree, usage: Usage): WriteShape {
  const node = inner(tree, top);
  const isData = Object.hasOwn(dataKinds, top);
  // INSERT's query stands under the key `selectStmt`, whatever kind it is.
  const statements = usage.statements.filter((kind) => kind !== "selectStmt");
  const other = statements.find((kind) => kind !== top && !(isData && Object.hasOwn(dataKinds, kind)));
  if (other !== undefined || usage.hasInto) throw refused();
  return isData ? toDataShape(top, node) : toSchemaShape(top, node);
}

function toDataShape(top: string, node: Node): WriteShape {
  const kind = dataKinds[top] ?? "";
  const inCtes = list(inner(node, "withClause").ctes)
    .map((cte) => inner(inner(cte, "CommonTableExpr"), "ctequery"))
    .flatMap((query) => Object.entries(query))
    .filter(([name]) => Object.hasOwn(dataKinds, name));
  const all = [[top, node] as const, ...inCtes.map(([name, value]) => [name, toNode(value)] as const)];
  const targets = all.map(([, one]) => toName(inner(one, "relation"))).filter((name) => name !== undefined);
  const warnings = all
    .filter(([name, one]) => (name === "UpdateStmt" || name === "DeleteStmt") && one.whereClause === undefined)
    .map(([name, one]) => writeWarnings.withoutWhere(dataKinds[name] ?? "", textOf(one)));
  if (all.length > 1) warnings.push(writeWarnings.severalTables);
  const hasOwnRows = node.returningClause !== undefined || node.returningList !== undefined;
  const verb = (["insert", "update", "delete"] as const).find((one) => one === kind);
  const sampled = verb === undefined || hasOwnRows || all.length > 1 ? undefined : { verb, row: rowName(node) };
  return { kind, targets, warnings, sampled };
}

function toSchemaShape(top: string, node: Node): WriteShape {
  const cascade = node.behavior === "DROP_CASCADE" ? [writeWarnings.cascade] : [];
  const [kind, key] = relationKinds[top] ?? [];
  if (kind !== undefined && key !== undefined) {
    if (node.concurrent === true) throw concurrently();
    if (node.tablespacename !== undefined || node.tableSpace !== undefined) throw refused();
    return { kind, targets: names(inner(node, key)), warnings: [writeWarnings.schemaChange] };
  }
  switch (top) {
    case "TruncateStmt": {
      const targets = list(node.relations).flatMap((relation) => names(inner(relation, "RangeVar")));
      return { kind: "truncate", targets, warnings: [writeWarnings.truncated, ...cascade] };
    }
    case "CreateTableAsStmt": {
      if (node.objtype !== "OBJECT_TABLE" && node.objtype !== "OBJECT_MATVIEW") throw refused();
      return {
        kind: "create table",
        targets: names(inner(inner(node, "into"), "rel")),
        warnings: [writeWarnings.schemaChange],
      };
    }
    case "AlterTableStmt": {
      const changes = list(node.cmds).map((command) =>
        String(inner(command, "AlterTableCmd").subtype).replace("AT_", ""),
      );
      if (!changes.every((change) => alterations.has(change)) || !isObject(node.objtype)) throw refused();
      const drops = changes.includes("DropColumn") ? [writeWarnings.droppedColumns] : [];
      return {
        kind: "alter table",
        targets: names(inner(node, "relation")),
        warnings: [writeWarnings.schemaChange, ...drops],
      };
    }
    case "RenameStmt": {
      if (!isObject(node.renameType)) throw refused();
      const relation = inner(node, "relation");
      const targets = relation.relname === undefined ? objectNames(node.object ?? node.subname) : names(relation);
      return { kind: "rename", targets, warnings: [writeWarnings.schemaChange] };
    }
    case "DropStmt": {
      if (!isObject(node.removeType)) throw refused();
      if (node.concurrent === true) throw concurrently();
      const kind = `drop ${String(node.removeType).replace("OBJECT_", "").toLowerCase()}`;
      return {
        kind,
        targets: list(node.objects).flatMap(objectNames),
        warnings: [writeWarnings.dropped, ...cascade],
      };
    }
    case "CommentStmt": {
      if (!isObject(node.objtype)) throw refused();
      const [name] = objectNames(node.object);
      return { kind: "comment", targets: name === undefined ? [] : [name], warnings: [] };
    }
    case "CreateSchemaStmt": {
      if (node.authrole !== undefined || list(node.schemaElts).length > 0) throw refused();
      const name = String(node.schemaname);
      return { kind: "create schema", targets: [{ schema: name, name }], warnings: [writeWarnings.schemaChange] };
    }
    case "CreateEnumStmt":
      return { kind: "create type", targets: objectNames(node.typeName), warnings: [writeWarnings.schemaChange] };
    case "AlterEnumStmt":
      return { kind: "alter type", targets: objectNames(node.typeName), warnings: [writeWarnings.schemaChange] };
    default:
      throw refused();
  }
}

const isObject = (value: unknown): boolean => objects.has(String(value).replace("OBJECT_", ""));

/** How a row of the target is named in RETURNING. */
function rowName(node: Node): string {
  const relation = inner(node, "relation");
  const alias = inner(relation, "alias").aliasname;
  return quoted(String(alias ?? relation.relname));
}

/** A name as SQL writes it. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const textOf = (node: Node): string => String(inner(node, "relation").relname);

function toName(relation: Node): UsedName | undefined {
  if (typeof relation.relname !== "string") return undefined;
  const schema = typeof relation.schemaname === "string" ? relation.schemaname : undefined;
  return { schema, name: relation.relname };
}

const names = (relation: Node): readonly UsedName[] => {
  const name = toName(relation);
  return name === undefined ? [] : [name];
};

/** The name of an object that is written as a list of words, a type's name, or one word. */
function objectNames(value: unknown): readonly UsedName[] {
  if (typeof value === "string") return [{ schema: undefined, name: value }];
  const node = toNode(value);
  const items = Array.isArray(value)
    ? value
    : [...list(inner(node, "List").items), ...list(inner(node, "TypeName").names)];
  const words = (items.length > 0 ? items : [value]).map((item) => inner(item, "String").sval).filter(isText);
  const name = words.at(-1);
  return name === undefined ? [] : [{ schema: words.length > 1 ? words[0] : undefined, name }];
}

const isText = (value: unknown): value is string => typeof value === "string";
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
/** The parser's trees are plain objects. */
const toNode = (value: unknown): Node => (typeof value === "object" && value !== null ? (value as Node) : {});
const inner = (value: unknown, key: string): Node => toNode(toNode(value)[key]);

function refused(): CodedError {
  return notAllowed(
    "Only writes to data and ordinary changes of the schema are allowed.",
    "INSERT, UPDATE, DELETE, MERGE, TRUNCATE; CREATE, ALTER, DROP of tables, indexes, views, sequences, types and schemas; COMMENT.",
  );
}

const concurrently = (): CodedError =>
  notAllowed("CONCURRENTLY cannot run in a transaction.", "Leave CONCURRENTLY out, or have the operator run it.");
