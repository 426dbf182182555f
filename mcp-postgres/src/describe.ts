/** One table or view in full: first which one is meant, then everything about it in one round trip. */

import type {
  CallOptions,
  ColumnDescription,
  ForeignKey,
  TableDescription,
  TableName,
} from "@database-interface/mcp-core/sql";
import { StatementError } from "@database-interface/mcp-core/sql";
import { ask } from "./query.js";
import type { TextRow } from "./session.js";
import type { Source } from "./source.js";
import { visibleRelation, visibleSchema } from "./visibility.js";

/** Without a schema, what the search path finds wins, then what exists only once elsewhere. */
const findSql = `
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition,
    CASE WHEN c.reltuples >= 0 AND c.relkind IN ('r', 'm', 'p') THEN c.reltuples::pg_catalog.int8 END,
    pg_catalog.obj_description(c.oid, 'pg_class'),
    CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_total_relation_size(c.oid) END,
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid, true) END,
    CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relname = $2::pg_catalog.text AND ($3::pg_catalog.text IS NULL OR n.nspname = $3::pg_catalog.text)
    AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND ${visibleSchema} AND ${visibleRelation}
  ORDER BY pg_catalog.pg_table_is_visible(c.oid) DESC, n.nspname LIMIT 2`;

const columnsSql = `
  SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull OR t.typnotnull,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated,
    pg_catalog.col_description(a.attrelid, a.attnum),
    CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END,
    (SELECT pg_catalog.array_agg(e.enumlabel::pg_catalog.text ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum AS e
      WHERE e.enumtypid IN (t.oid, t.typbasetype, t.typelem))::pg_catalog.text,
    (SELECT pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(k.oid, true), ' ' ORDER BY k.conname)
      FROM pg_catalog.pg_constraint AS k WHERE k.contypid = t.oid AND t.typtype = 'd' AND k.contype = 'c')
  FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND (pg_catalog.has_table_privilege(a.attrelid, 'SELECT')
      OR pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'))
  ORDER BY a.attnum`;

/** Names of the columns `keys` of the relation `of`, in the key's order, as a JSON array. */
const namesOf = (of: string, keys: string): string => `
  (SELECT pg_catalog.json_agg(a.attname ORDER BY x.position)
    FROM pg_catalog.unnest(${keys}) WITH ORDINALITY AS x (number, position)
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = ${of} AND a.attnum = x.number)`;

/** Both sides of the foreign keys in one: `outgoing` tells which. Keys of single partitions repeat their parent's. */
const constraintsSql = `
  SELECT k.conname, k.contype, k.conrelid = $1::pg_catalog.oid AS outgoing,
    CASE WHEN k.contype IN ('u', 'c', 'x') THEN pg_catalog.pg_get_constraintdef(k.oid, true) END,
    ${namesOf("k.conrelid", "k.conkey")}, ${namesOf("k.confrelid", "k.confkey")},
    n.nspname, c.relname, k.confupdtype, k.confdeltype, k.condeferrable
  FROM pg_catalog.pg_constraint AS k
    LEFT JOIN pg_catalog.pg_class AS c
      ON c.oid = CASE WHEN k.conrelid = $1::pg_catalog.oid THEN k.confrelid ELSE k.conrelid END
    LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  WHERE k.conrelid = $1::pg_catalog.oid AND k.contype IN ('p', 'u', 'c', 'x', 'f')
    OR k.confrelid = $1::pg_catalog.oid AND k.contype = 'f' AND k.conparentid = 0
      AND (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))
  ORDER BY k.contype, n.nspname, c.relname, k.conname`;

const indexesSql = `
  SELECT i.relname, pg_catalog.pg_get_indexdef(x.indexrelid), x.indisvalid
  FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
  WHERE x.indrelid = $1::pg_catalog.oid ORDER BY x.indisprimary DESC, i.relname`;

const kinds: Readonly<Record<string, string>> = {
  r: "table",
  p: "partitioned table",
  f: "foreign table",
  v: "view",
  m: "materialized view",
};

/** @throws CodedError `table_not_found` */
export async function describe(
  source: Source,
  allowed: string | null,
  table: TableName,
  options: CallOptions,
): Promise<TableDescription> {
  const [found = []] = await ask(
    source,
    [{ sql: findSql, params: [allowed, table.name, table.schema ?? null] }],
    options,
  );
  const [relation] = found;
  if (relation === undefined) {
    const name = table.schema === undefined ? table.name : `${table.schema}.${table.name}`;
    throw new StatementError("table_not_found", `There is no table or view ${name}, or it may not be read.`, {
      missing: { kind: "table", name: table.name, schema: table.schema },
    });
  }
  const [oid, schema, name, kind, isPartition, estimate, comment, size, definition, partitionKey] = relation;
  const params = [oid];
  const [columns = [], constraints = [], indexes = []] = await ask(
    source,
    [columnsSql, constraintsSql, indexesSql].map((sql) => ({ sql, params })),
    options,
  );
  const primary = constraints.find(([, type]) => type === "p");
  const foreign = constraints.filter(([, type]) => type === "f");
  const written = constraints.filter(([, , outgoing, text]) => outgoing === "t" && text != null);
  return {
    schema: schema ?? "",
    name: name ?? "",
    kind: `${kinds[kind ?? ""] ?? "table"}${partitionKey == null ? "" : ` by ${partitionKey}`}${isPartition === "t" ? " (partition)" : ""}`,
    ...(comment == null ? {} : { comment }),
    ...(estimate == null ? {} : { rowEstimate: Number(estimate) }),
    ...(size == null ? {} : { sizeBytes: Number(size) }),
    columns: columns.map(toColumn),
    ...(primary === undefined ? {} : { primaryKey: names(primary[4]) }),
    constraints: written.map(([constraint, , , text]) => `${constraint} ${text}`),
    indexes: indexes.map(([index, text, isValid]) => ({
      name: index ?? "",
      definition: `${text}${isValid === "f" ? " (invalid)" : ""}`,
    })),
    references: foreign.filter(([, , outgoing]) => outgoing === "t").map(toForeignKey),
    // A table that references itself is outgoing in the row, and incoming all the same.
    referencedBy: foreign
      .filter(
        ([, , outgoing, , , , otherSchema, other]) => outgoing === "f" || (otherSchema === schema && other === name),
      )
      .map(toForeignKey),
    ...(definition == null ? {} : { viewDefinition: definition }),
  };
}

function toColumn(row: TextRow): ColumnDescription {
  const [name, type, isRequired, expression, identity, generated, comment, base, labels, checks] = row;
  const domain = base == null ? "" : ` (${base}${checks == null ? "" : ` ${checks}`})`;
  const written =
    identity === "a" || identity === "d"
      ? `GENERATED ${identity === "a" ? "ALWAYS" : "BY DEFAULT"} AS IDENTITY`
      : generated === "s" || generated === "v"
        ? `GENERATED ALWAYS AS (${expression}) ${generated === "s" ? "STORED" : "VIRTUAL"}`
        : expression;
  return {
    name: name ?? "",
    type: `${type}${domain}`,
    nullable: isRequired !== "t",
    ...(written == null ? {} : { default: written }),
    ...(labels == null ? {} : { values: parseLabels(labels) }),
    ...(comment == null ? {} : { comment }),
  };
}

const actions: Readonly<Record<string, string>> = { r: "RESTRICT", c: "CASCADE", n: "SET NULL", d: "SET DEFAULT" };

function toForeignKey([
  name,
  ,
  ,
  ,
  columns,
  referenced,
  schema,
  table,
  onUpdate,
  onDelete,
  deferrable,
]: TextRow): ForeignKey {
  const written = [
    actions[onDelete ?? ""] && `ON DELETE ${actions[onDelete ?? ""]}`,
    actions[onUpdate ?? ""] && `ON UPDATE ${actions[onUpdate ?? ""]}`,
    deferrable === "t" && "DEFERRABLE",
  ].filter(Boolean);
  return {
    name: name ?? "",
    columns: names(columns),
    schema: schema ?? "",
    table: table ?? "",
    referencedColumns: names(referenced),
    ...(written.length === 0 ? {} : { actions: written.join(" ") }),
  };
}

/** A JSON array of names, written by json_agg above. */
const names = (json: string | null | undefined): readonly string[] =>
  json == null ? [] : (JSON.parse(json) as string[]);

/** A text array without NULLs, as the server writes it. */
function parseLabels(text: string): readonly string[] {
  return [...text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/g)].map(
    ([, quoted, plain]) => quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "",
  );
}
