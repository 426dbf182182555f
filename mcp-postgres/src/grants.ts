/**
 * The SQL of a role that can read what the settings show, and nothing else: column grants for tables with denied columns,
 * views for masked ones. It is written from the catalogue as the connected user sees it, and never run.
 */
import {
  type GrantRequest,
  inComment,
  passwordPlaceholder,
  toShownColumn,
  toViewNames,
} from "@database-interface/mcp-core/sql";
import { masksOf } from "./hidden-columns.js";
import { type HidingRelation, learnHiding } from "./hidden-relations.js";
import { loadParser } from "./parser.js";
import { arrayText, ask } from "./query.js";
import type { Source } from "./source.js";
import { visibleSchema } from "./visibility.js";

const tablesSql = `
  SELECT n.nspname, c.relname, c.relkind, pg_catalog.has_any_column_privilege('public', c.oid, 'SELECT'),
    ${visibleSchema}
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_(catalog|toast|temp|toast_temp)'
    AND n.nspname <> 'information_schema'
  ORDER BY n.nspname, c.relname`;

const schemasSql = `
  SELECT n.nspname, pg_catalog.has_schema_privilege('public', n.oid, 'CREATE') FROM pg_catalog.pg_namespace AS n
  WHERE ${visibleSchema} ORDER BY n.nspname`;

interface Table {
  readonly schema: string;
  readonly name: string;
  readonly isPublic: boolean;
  readonly isSeen: boolean;
  readonly hiding: HidingRelation | undefined;
}

/** @see Database.grants */
export async function grants(source: Source, request: GrantRequest): Promise<readonly string[]> {
  const { role, timeoutMs } = request;
  const params = [source.schemas === undefined ? null : arrayText(source.schemas)];
  const [found = [], schemas = [], [database] = []] = await ask(
    source,
    [{ sql: tablesSql, params }, { sql: schemasSql, params }, { sql: "SELECT pg_catalog.current_database()" }],
    request,
  );
  const names = found.map(([schema, name]) => ({ schema: schema ?? "", name: name ?? "" }));
  const hides = source.columnRules.length > 0;
  const hiding = hides ? await learnHiding(source, await loadParser(), names, request) : undefined;
  const all = found.map(([, , , isPublic, isSeen], at): Table => {
    const named = names[at] ?? { schema: "", name: "" };
    return { ...named, isPublic: isPublic === "t", isSeen: isSeen === "t", hiding: hiding?.of(named) };
  });
  const tables = all.filter(({ isSeen }) => isSeen);
  const masked = tables.filter(isMasked);
  const user = quote(role);
  // Writing is only for sources that show everything.
  const mayWrite = request.mayWrite && !hides && source.schemas === undefined;
  return [
    "BEGIN;",
    `CREATE ROLE ${user} LOGIN PASSWORD '${passwordPlaceholder}' NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;`,
    `ALTER ROLE ${user} SET statement_timeout = '${timeoutMs}ms';`,
    ...(mayWrite ? [] : [`ALTER ROLE ${user} SET default_transaction_read_only = on;`]),
    `GRANT CONNECT ON DATABASE ${quote(database?.[0] ?? "")} TO ${user};`,
    ...schemas.map(([schema]) => `GRANT USAGE ON SCHEMA ${quote(schema ?? "")} TO ${user};`),
    ...tables.flatMap((table) => toGrants(table, user, mayWrite)),
    ...(mayWrite ? schemas.map(([schema]) => sequences(schema ?? "", user)) : []),
    ...toViews(masked, role, source),
    "COMMIT;",
    ...schemas.flatMap(([schema, mayCreate]) => (mayCreate === "t" ? [openSchema(schema ?? "")] : [])),
    ...all.filter(isOpenToAll).map(openToAll),
  ];
}

const isMasked = ({ hiding }: Table): boolean =>
  hiding?.closedBy === undefined && [...(hiding?.hidden.values() ?? [])].some(({ mask }) => mask !== undefined);

function toGrants(table: Table, user: string, mayWrite: boolean): readonly string[] {
  const { hiding } = table;
  const place = placeOf(table);
  if (hiding?.closedBy !== undefined) {
    return [
      `-- ${inComment(table.schema, table.name)} is left out: it makes something else of ${inComment(hiding.closedBy)}.`,
    ];
  }
  if (hiding === undefined || hiding.hidden.size === 0) {
    return [`GRANT SELECT${mayWrite ? ", INSERT, UPDATE, DELETE" : ""} ON ${place} TO ${user};`];
  }
  const plain = hiding.columns.filter(({ name }) => !hiding.hidden.has(name)).map(({ name }) => quote(name));
  return plain.length === 0 ? [] : [`GRANT SELECT (${plain.join(", ")}) ON ${place} TO ${user};`];
}

/** Masks are made by views with their owner's rights; the role finds them before the tables of the same name. */
function toViews(tables: readonly Table[], role: string, { schemas }: Source): readonly string[] {
  if (tables.length === 0) return [];
  const user = quote(role);
  const own = quote(`${role}_views`);
  const nameOf = toViewNames(tables);
  const path = [own, ...(schemas ?? ["public"]).map(quote)].join(", ");
  return [
    `CREATE SCHEMA ${own};`,
    `GRANT USAGE ON SCHEMA ${own} TO ${user};`,
    ...tables.flatMap((table) => {
      const { columns = [], hidden } = table.hiding ?? {};
      const shown = columns.flatMap(({ name }) => {
        // The key of a hash could be read in the view, and values be tried until one fits.
        const masks = masksOf(name);
        return toShownColumn(hidden?.get(name), quote(name), { ...masks, hash: masks.full });
      });
      const view = `${own}.${quote(nameOf(table))}`;
      return [
        `CREATE VIEW ${view} WITH (security_barrier = true) AS SELECT ${shown.join(", ")} FROM ${placeOf(table)};`,
        `GRANT SELECT ON ${view} TO ${user};`,
      ];
    }),
    `ALTER ROLE ${user} SET search_path = ${path};`,
  ];
}

const sequences = (schema: string, user: string): string =>
  `GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${quote(schema)} TO ${user};`;

const isOpenToAll = ({ isPublic, isSeen, hiding }: Table): boolean =>
  isPublic && (!isSeen || hiding?.closedBy !== undefined || (hiding?.hidden.size ?? 0) > 0);

/** What everybody may do, this role may do too; taking it away is a decision about everybody. */
const openToAll = (table: Table): string =>
  `-- Everybody may read this, and so may the role, unless: REVOKE SELECT ON ${inComment(placeOf(table))} FROM PUBLIC;`;
const openSchema = (schema: string): string =>
  `-- Everybody may make objects here, unless: REVOKE CREATE ON SCHEMA ${inComment(quote(schema))} FROM PUBLIC;`;

const placeOf = ({ schema, name }: { readonly schema: string; readonly name: string }): string =>
  `${quote(schema)}.${quote(name)}`;
const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
