/** What exists: schemas and a search over names. Flat queries on pg_catalog; only what this user may see. */
import type { Catalog, FoundObject, ObjectSearch, ObjectType } from "@database-interface/mcp-core/sql";
import { describe } from "./describe.js";
import { readFingerprint } from "./fingerprint.js";
import { arrayText, ask } from "./query.js";
import type { TextRow } from "./session.js";
import type { Source } from "./source.js";
import { visibleRelation, visibleSchema } from "./visibility.js";

export function createCatalog(source: Source, schemas: readonly string[] | undefined): Catalog {
  const allowed = schemas === undefined ? null : arrayText(schemas);
  return {
    async schemas(options) {
      const sql = `SELECT n.nspname FROM pg_catalog.pg_namespace AS n WHERE ${visibleSchema} ORDER BY 1`;
      const [rows = []] = await ask(source, [{ sql, params: [allowed] }], options);
      return rows.map(([name]) => name ?? "");
    },
    async search(search, options) {
      const params = [allowed, toLike(search.pattern), search.schema ?? null, search.limit];
      const wanted = finders.filter(({ kind }) => search.kind === undefined || search.kind === kind);
      const questions = wanted.map(({ sql }) => ({ sql, params }));
      const answers = await ask(source, questions, options);
      const found = wanted.flatMap(({ kind }, index) => (answers[index] ?? []).map((row) => toFound(kind, row)));
      return found.slice(0, search.limit);
    },
    describe: (table, options) => describe(source, allowed, table, options),
    fingerprint: (options) => readFingerprint(source, options),
  };
}

/** A LIKE pattern: `*` and `?` become `%` and `_`; without any wildcard the text matches anywhere. */
function toLike(pattern: ObjectSearch["pattern"]): string | null {
  if (pattern === undefined || pattern === "") return null;
  // An underscore alone is part of most names: as a wildcard it still matches itself.
  if (!/[%*?]/.test(pattern)) return `%${pattern.replaceAll("\\", "\\\\")}%`;
  return pattern.replaceAll("\\", "\\\\").replaceAll("*", "%").replaceAll("?", "_");
}

/** `name` matches the pattern `$2`, and the schema is `$3` when given. */
const matches = (name: string): string => `
  ($2::pg_catalog.text IS NULL OR ${name} ILIKE $2::pg_catalog.text)
  AND ($3::pg_catalog.text IS NULL OR n.nspname = $3::pg_catalog.text)`;

/** Schema, name, table, definition, estimate and comment of each kind of object. */
const relations = (kinds: string): string => `
  SELECT n.nspname, c.relname, NULL, NULL,
    CASE WHEN c.reltuples >= 0 AND c.relkind IN ('r', 'm', 'p') THEN c.reltuples::pg_catalog.int8 END,
    pg_catalog.obj_description(c.oid, 'pg_class')
  FROM (
    SELECT c.oid, c.relname, c.relnamespace, c.reltuples, c.relkind
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN (${kinds}) AND ${matches("c.relname")} AND ${visibleSchema} AND ${visibleRelation}
    ORDER BY c.relispartition, n.nspname, c.relname LIMIT $4::pg_catalog.int8
  ) AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  ORDER BY n.nspname, c.relname`;

const finders: readonly { readonly kind: ObjectType; readonly sql: string }[] = [
  { kind: "table", sql: relations("'r', 'p', 'f'") },
  { kind: "view", sql: relations("'v', 'm'") },
  {
    kind: "schema",
    sql: `
      SELECT n.nspname, n.nspname, NULL, NULL, NULL, pg_catalog.obj_description(n.oid, 'pg_namespace')
      FROM pg_catalog.pg_namespace AS n WHERE ${matches("n.nspname")} AND ${visibleSchema}
      ORDER BY n.nspname LIMIT $4::pg_catalog.int8`,
  },
  {
    kind: "column",
    sql: `
      SELECT found.nspname, found.attname, found.relname, pg_catalog.format_type(found.atttypid, found.atttypmod), NULL,
        pg_catalog.col_description(found.attrelid, found.attnum)
      FROM (
        SELECT n.nspname, c.relname, a.attname, a.attrelid, a.attnum, a.atttypid, a.atttypmod
        FROM pg_catalog.pg_attribute AS a
          JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition
          AND ${matches("a.attname")} AND ${visibleSchema}
          AND (pg_catalog.has_table_privilege(c.oid, 'SELECT')
            OR pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'))
        ORDER BY n.nspname, c.relname, a.attnum LIMIT $4::pg_catalog.int8
      ) AS found ORDER BY found.nspname, found.relname, found.attnum`,
  },
  {
    kind: "index",
    sql: `
      SELECT found.nspname, found.name, found.relname, pg_catalog.pg_get_indexdef(found.oid), NULL,
        pg_catalog.obj_description(found.oid, 'pg_class')
      FROM (
        SELECT n.nspname, i.relname AS name, c.relname, i.oid
        FROM pg_catalog.pg_index AS x
          JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
          JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE NOT i.relispartition AND ${matches("i.relname")} AND ${visibleSchema} AND ${visibleRelation}
        ORDER BY n.nspname, c.relname, i.relname LIMIT $4::pg_catalog.int8
      ) AS found ORDER BY found.nspname, found.relname, found.name`,
  },
  {
    kind: "function",
    sql: `
      SELECT n.nspname, p.proname, NULL,
        pg_catalog.format('(%s)%s', pg_catalog.pg_get_function_identity_arguments(p.oid),
          ' -> ' || pg_catalog.pg_get_function_result(p.oid)),
        NULL, pg_catalog.obj_description(p.oid, 'pg_proc')
      FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
      WHERE ${matches("p.proname")} AND ${visibleSchema} AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
      ORDER BY n.nspname, p.proname, p.oid LIMIT $4::pg_catalog.int8`,
  },
];

function toFound(kind: ObjectType, [schema, name, table, definition, estimate, comment]: TextRow): FoundObject {
  return {
    kind,
    schema: schema ?? "",
    name: name ?? "",
    ...(table == null ? {} : { table }),
    ...(definition == null ? {} : { definition }),
    ...(estimate == null ? {} : { rowEstimate: Number(estimate) }),
    ...(comment == null ? {} : { comment }),
  };
}
