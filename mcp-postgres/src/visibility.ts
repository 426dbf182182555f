/** Conditions of the catalogue's queries: what this user, and whoever configured the server, lets be seen. */

/** `n` is a schema that may be seen; `$1` the schemas allowed, null for all that are not the system's. */
export const visibleSchema = `
  pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND CASE WHEN $1::pg_catalog.text[] IS NULL
    THEN n.nspname !~ '^pg_(catalog|toast|temp|toast_temp)' AND n.nspname <> 'information_schema'
    ELSE n.nspname = ANY ($1::pg_catalog.text[]) END`;

/** `c` is a relation of which at least one column may be read. */
export const visibleRelation = `
  (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))`;
