/** One table or view in full: first which one is meant, then everything about it in one round trip. */
import {
  type CallOptions,
  type ColumnDescription,
  type ForeignKey,
  StatementError,
  type TableDescription,
  type TableName,
} from "@database-interface/mcp-core/sql";
import { toLiteral } from "./parameters.js";
import type { Pool } from "./pool.js";
import { ask } from "./transaction.js";

type TextRow = readonly (string | null)[];

/** @throws CodedError `table_not_found` */
export async function describe(
  pool: Pool,
  isVisible: (column: string) => string,
  table: TableName,
  options: CallOptions,
): Promise<TableDescription> {
  const { row, isMariadb } = await findTable(pool, isVisible, table, options);
  const [schema = "", name = "", type = "", rows, bytes, comment, attributes = ""] = row.map((cell) => cell ?? "");
  const answers = await ask(pool, detailSql(schema, name, isMariadb), options);
  const [columns = [], keyParts = [], foreign = [], rules = [], incoming = [], views = [], checks = []] = answers;
  const indexes = toIndexes(keyParts);
  const primary = indexes.find((index) => index.name === "PRIMARY");
  const others = indexes.filter((index) => index !== primary);
  const unique = others.filter(({ isUnique }) => isUnique);
  const rulesOf = new Map(rules.map(([key, update, remove]) => [key, toActions(update, remove)]));
  const isJson = (clause: string | null | undefined) => /^json_valid\(`[^`]*`\)$/i.test(clause ?? "");
  const jsonColumns = new Set(checks.filter(([, clause]) => isJson(clause)).map(([, clause]) => clause?.split("`")[1]));
  const isView = type.endsWith("VIEW");
  return {
    schema,
    name,
    kind: toKind(type, attributes),
    ...(comment && !isView ? { comment } : {}),
    ...(rows ? { rowEstimate: Number(rows) } : {}),
    ...(bytes ? { sizeBytes: Number(bytes) } : {}),
    columns: columns.map((column) => toColumn(column, isMariadb, jsonColumns)),
    ...(primary === undefined ? {} : { primaryKey: primary.columns }),
    constraints: [
      ...unique.map((index) => `${index.name} UNIQUE (${index.columns.join(", ")})`),
      ...checks.filter(([, clause]) => !isJson(clause)).map(([check, clause]) => `${check} CHECK (${clause})`),
    ],
    indexes: others.map((index) => ({ name: index.name, definition: index.definition })),
    references: toForeignKeys(foreign, rulesOf),
    referencedBy: toForeignKeys(incoming, new Map()),
    ...(isView && views[0]?.[0] ? { viewDefinition: views[0][0] } : {}),
  };
}

/** Without a schema, the current database wins, then what exists only elsewhere. Names may differ in case. */
async function findTable(
  pool: Pool,
  isVisible: (column: string) => string,
  table: TableName,
  options: CallOptions,
): Promise<{ readonly row: TextRow; readonly isMariadb: boolean }> {
  const find = (schema: string) => `
    SELECT table_schema, table_name, table_type, IF(table_type LIKE '%VIEW', NULL, table_rows),
      data_length + index_length, table_comment, create_options
    FROM information_schema.tables
    WHERE table_schema = ${schema} AND table_name = ${toLiteral(table.name)} AND ${isVisible("table_schema")}
    ORDER BY table_name = ${toLiteral(table.name)} COLLATE utf8mb4_bin DESC, table_schema LIMIT 1`;
  const schemas = table.schema === undefined ? ["DATABASE()", "table_schema"] : [toLiteral(table.schema)];
  let isMariadb = false;
  const answers = await ask(pool, schemas.map(find), options, (session) => {
    isMariadb = session.isMariadb;
  });
  for (const [row] of answers) if (row !== undefined) return { row, isMariadb };
  const shown = table.schema === undefined ? table.name : `${table.schema}.${table.name}`;
  throw new StatementError("table_not_found", `There is no table or view ${shown}, or it may not be read.`, {
    missing: { kind: "table", name: table.name, schema: table.schema },
  });
}

function detailSql(schemaName: string, tableName: string, isMariadb: boolean): readonly string[] {
  const schema = toLiteral(schemaName);
  const table = toLiteral(tableName);
  const ofTable = (alias = "") => `${alias}table_schema = ${schema} AND ${alias}table_name = ${table}`;
  // The side that the key's `schema` and `table` name comes third and fourth.
  const keyUse = (side: string) => `
    SELECT constraint_name, column_name, ${side}table_schema, ${side}table_name, referenced_column_name
    FROM information_schema.key_column_usage`;
  const order = "ORDER BY table_schema, table_name, constraint_name, ordinal_position";
  return [
    `SELECT column_name, column_type, is_nullable, column_default, extra, generation_expression, column_comment
      FROM information_schema.columns WHERE ${ofTable()} ORDER BY ordinal_position`,
    `SELECT index_name, non_unique, ${isMariadb ? "column_name" : "COALESCE(column_name, expression)"}, collation, sub_part,
      index_type FROM information_schema.statistics WHERE ${ofTable()} ORDER BY index_name, seq_in_index`,
    `${keyUse("referenced_")} WHERE ${ofTable()} AND referenced_table_name IS NOT NULL ${order}`,
    `SELECT constraint_name, update_rule, delete_rule FROM information_schema.referential_constraints
      WHERE constraint_schema = ${schema} AND table_name = ${table}`,
    `${keyUse("")} WHERE referenced_table_schema = ${schema} AND referenced_table_name = ${table} ${order}`,
    `SELECT view_definition FROM information_schema.views WHERE ${ofTable()}`,
    // MySQL's check_constraints names no table (manual 28.3.5; not run). Its join reads the dictionary, which is quick.
    isMariadb
      ? `SELECT constraint_name, check_clause FROM information_schema.check_constraints
          WHERE constraint_schema = ${schema} AND table_name = ${table} ORDER BY constraint_name`
      : `SELECT c.constraint_name, c.check_clause FROM information_schema.check_constraints AS c
          JOIN information_schema.table_constraints AS t USING (constraint_schema, constraint_name)
          WHERE ${ofTable("t.")} AND t.constraint_type = 'CHECK' ORDER BY c.constraint_name`,
  ];
}

function toKind(type: string, attributes: string): string {
  if (type.endsWith("VIEW")) return "view";
  if (type === "SEQUENCE") return "sequence";
  if (type === "SYSTEM VERSIONED") return "system-versioned table";
  return /\bpartitioned\b/.test(attributes) ? "partitioned table" : "table";
}

function toColumn(row: TextRow, isMariadb: boolean, jsonColumns: ReadonlySet<string | undefined>): ColumnDescription {
  const [name, columnType, nullable, , , , comment] = row.map((cell) => cell ?? "");
  const labels = /^(enum|set)\((.*)\)$/is.exec(columnType ?? "");
  const values = [...(labels?.[2] ?? "").matchAll(/'((?:[^']|'')*)'/g)].map(([, label = ""]) =>
    label.replaceAll("''", "'"),
  );
  const expression = toDefault(row, isMariadb);
  return {
    name: name ?? "",
    type: labels?.[1] ?? (jsonColumns.has(name) ? "json" : (columnType ?? "")),
    nullable: nullable === "YES",
    ...(expression === undefined ? {} : { default: expression }),
    ...(labels === null ? {} : { values }),
    ...(comment ? { comment } : {}),
  };
}

/** The default or generation expression. MariaDB keeps expressions; MySQL keeps bare texts and marks expressions. */
function toDefault([, type, , value, extra, generation]: TextRow, isMariadb: boolean): string | undefined {
  if (generation) return `GENERATED ALWAYS AS (${generation})${extra?.includes("STORED") ? " STORED" : ""}`;
  if (extra?.includes("auto_increment")) return "AUTO_INCREMENT";
  const onUpdate = /on update .*/i.exec(extra ?? "")?.[0].replace(/ INVISIBLE$/, "");
  const isBare =
    !isMariadb && !extra?.includes("DEFAULT_GENERATED") && !/int|decimal|float|double|bit/.test(type ?? "");
  const written = value === null || value === undefined || value === "NULL" ? undefined : isBare ? `'${value}'` : value;
  return [written, onUpdate].filter((part) => part !== undefined).join(" ") || undefined;
}

interface Index {
  readonly name: string;
  readonly isUnique: boolean;
  readonly columns: readonly string[];
  readonly definition: string;
}

function toIndexes(parts: readonly TextRow[]): readonly Index[] {
  return [...grouped(parts)].map(([name, rows]) => {
    const isUnique = rows[0]?.[1] === "0";
    const type = rows[0]?.[5] ?? "BTREE";
    const written = rows.map(([, , column, direction, length]) => {
      return `${column}${length ? `(${length})` : ""}${direction === "D" ? " DESC" : ""}`;
    });
    const words = [isUnique ? "UNIQUE" : "", type === "BTREE" ? "" : type, `(${written.join(", ")})`];
    const columns = rows.map(([, , column]) => column ?? "");
    return { name, isUnique, columns, definition: words.filter((word) => word !== "").join(" ") };
  });
}

function toForeignKeys(
  rows: readonly TextRow[],
  actions: ReadonlyMap<string | null | undefined, string>,
): readonly ForeignKey[] {
  // Constraint names repeat over tables on MariaDB before 12, and over schemas everywhere.
  return [...grouped(rows, ([name, , schema, table]) => `${schema}\0${table}\0${name}`).values()].map((parts) => {
    const [name, , schema, table] = (parts[0] ?? []).map((cell) => cell ?? "");
    const action = actions.get(name);
    return {
      name: name ?? "",
      columns: parts.map(([, column]) => column ?? ""),
      schema: schema ?? "",
      table: table ?? "",
      referencedColumns: parts.map((part) => part[4] ?? ""),
      ...(action ? { actions: action } : {}),
    };
  });
}

/** Such as `ON DELETE CASCADE`; RESTRICT and NO ACTION are the default, and the same. */
function toActions(update: string | null | undefined, remove: string | null | undefined): string {
  const isDefault = (rule: string | null | undefined) => !rule || rule === "RESTRICT" || rule === "NO ACTION";
  return [isDefault(update) ? "" : `ON UPDATE ${update}`, isDefault(remove) ? "" : `ON DELETE ${remove}`]
    .filter((rule) => rule !== "")
    .join(" ");
}

/** Rows by the text of a key, in the order of their first appearance. */
function grouped(rows: readonly TextRow[], keyOf = (row: TextRow) => row[0] ?? ""): Map<string, TextRow[]> {
  const groups = new Map<string, TextRow[]>();
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row]);
  return groups;
}
