/**
 * What exists: schemas and a search over names. Each kind of object is one flat query on information_schema, without
 * joins between its tables (TABLE_CONSTRAINTS takes seconds at 2,000 tables); it lists only what this user may see.
 */
import type { Catalog, FoundObject, ObjectSearch, ObjectType } from "@database-interface/mcp-core/sql";
import { describe } from "./describe.js";
import { createFingerprint } from "./fingerprint.js";
import { toLiteral } from "./parameters.js";
import type { Source } from "./source.js";
import { ask } from "./transaction.js";

const systemSchemas = ["information_schema", "performance_schema", "mysql", "sys"];

export function createCatalog({ pool }: Source, schemas: readonly string[] | undefined): Catalog {
  const isVisible = (column: string) => visibleSchema(column, schemas);
  return {
    async schemas(options) {
      const where = `WHERE ${isVisible("schema_name")} ORDER BY 1`;
      const [rows = []] = await ask(pool, [`SELECT schema_name FROM information_schema.schemata ${where}`], options);
      return rows.map(([name]) => name ?? "");
    },
    async search(search, options) {
      const wanted = finders.filter(({ kind }) => search.kind === undefined || search.kind === kind);
      const answers = await ask(
        pool,
        wanted.map((finder) => toSql(finder, search, isVisible(finder.schema))),
        options,
      );
      return wanted.flatMap(({ kind }, index) => (answers[index] ?? []).map(toFound(kind))).slice(0, search.limit);
    },
    describe: (table, options) => describe(pool, isVisible, table, options),
    fingerprint: createFingerprint(pool),
  };
}

function visibleSchema(column: string, schemas: readonly string[] | undefined): string {
  const list = (names: readonly string[]) => `(${names.map(toLiteral).join(",")})`;
  if (schemas === undefined) return `${column} NOT IN ${list(systemSchemas)}`;
  return schemas.length === 0 ? "FALSE" : `${column} IN ${list(schemas)}`;
}

interface Finder {
  readonly kind: ObjectType;
  /** The columns with the schema's and the object's own name. */
  readonly schema: string;
  readonly name: string;
  /** Schema, name, table, definition, row estimate, comment. */
  readonly select: string;
  readonly from: string;
  readonly order: string;
}

function toSql({ schema, name, select, from, order }: Finder, search: ObjectSearch, isVisible: string): string {
  const conditions = [
    isVisible,
    ...(search.schema === undefined ? [] : [`${schema} = ${toLiteral(search.schema)}`]),
    ...(search.pattern ? [`${name} LIKE ${toLiteral(toLike(search.pattern))}`] : []),
  ];
  const where = from.includes(" WHERE ") ? "AND" : "WHERE";
  return `SELECT ${select} FROM information_schema.${from} ${where} ${conditions.join(" AND ")} ${order} LIMIT ${search.limit}`;
}

/** `*` and `?` are wildcards beside LIKE's own; a text without `*`, `?` or `%` matches anywhere in the name. */
function toLike(pattern: string): string {
  const escaped = pattern.replaceAll("\\", "\\\\");
  return /[%*?]/.test(pattern) ? escaped.replaceAll("*", "%").replaceAll("?", "_") : `%${escaped}%`;
}

const relations = (kind: "table" | "view", types: string): Finder => ({
  kind,
  schema: "table_schema",
  name: "table_name",
  select: "table_schema, table_name, NULL, NULL, table_rows, table_comment",
  from: `tables WHERE table_type ${types}`,
  order: "ORDER BY table_schema, table_name",
});

const finders: readonly Finder[] = [
  relations("table", "NOT LIKE '%VIEW'"),
  relations("view", "LIKE '%VIEW'"),
  {
    kind: "schema",
    schema: "schema_name",
    name: "schema_name",
    select: "schema_name, schema_name, NULL, NULL, NULL, NULL",
    from: "schemata",
    order: "ORDER BY schema_name",
  },
  {
    kind: "column",
    schema: "table_schema",
    name: "column_name",
    select: "table_schema, column_name, table_name, column_type, NULL, column_comment",
    from: "columns",
    order: "ORDER BY table_schema, table_name, ordinal_position",
  },
  {
    kind: "index",
    schema: "table_schema",
    name: "index_name",
    select: `table_schema, index_name, table_name, CONCAT(IF(MIN(non_unique) = 0, 'UNIQUE ', ''),
      IF(MIN(index_type) = 'BTREE', '', CONCAT(MIN(index_type), ' ')),
      '(', GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', '), ')'), NULL, MIN(index_comment)`,
    from: "statistics",
    order: "GROUP BY table_schema, table_name, index_name ORDER BY table_schema, table_name, index_name",
  },
  {
    kind: "function",
    schema: "routine_schema",
    name: "routine_name",
    select: `routine_schema, routine_name, NULL,
      IF(routine_type = 'FUNCTION', CONCAT('function -> ', dtd_identifier), 'procedure'), NULL, routine_comment`,
    from: "routines",
    order: "ORDER BY routine_schema, routine_name",
  },
];

const toFound =
  (kind: ObjectType) =>
  ([schema, name, table, definition, estimate, comment]: readonly (string | null)[]): FoundObject => ({
    kind,
    schema: schema ?? "",
    name: name ?? "",
    ...(table ? { table } : {}),
    ...(definition ? { definition } : {}),
    ...(estimate ? { rowEstimate: Number(estimate) } : {}),
    // The server writes VIEW where a view could have a comment.
    ...(comment && !(kind === "view" && comment === "VIEW") ? { comment } : {}),
  });
