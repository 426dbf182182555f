/**
 * The SQL of a user who can read what the settings show, and nothing else: column grants for tables with denied columns,
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
import { type HidingTable, learnTables } from "./hidden-tables.js";
import { toLiteral } from "./parameters.js";
import type { Source } from "./source.js";
import { ask } from "./transaction.js";

const systemSchemas = ["information_schema", "performance_schema", "mysql", "sys"];

/** @see Database.grants */
export async function grants(source: Source, request: GrantRequest): Promise<readonly string[]> {
  const { pool, schemas, columnRules } = source;
  const list = (names: readonly string[]) => `(${names.map(toLiteral).join(",") || "NULL"})`;
  const isSeen = schemas === undefined ? `NOT IN ${list(systemSchemas)}` : `IN ${list(schemas)}`;
  const sql = `SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_schema ${isSeen} AND table_type <> 'SEQUENCE' ORDER BY table_schema, table_name`;
  const [found = []] = await ask(pool, [sql], request);
  const keys = found.map(([schema, name]) => ({ schema: schema ?? "", name: name ?? "" }));
  const known = await learnTables(pool, columnRules, keys, request);
  const tables = keys.flatMap(({ schema, name }) => known.get(`${schema}\0${name}`) ?? []);
  const user = `'${request.role}'@'%'`;
  // Writing is only for sources that show everything.
  const mayWrite = request.mayWrite && columnRules.length === 0 && schemas === undefined;
  return [
    `CREATE USER ${user} IDENTIFIED BY '${passwordPlaceholder}';`,
    ...tables.flatMap((table) => toGrants(table, user, mayWrite)),
    ...toViews(tables.filter(isMasked), request.role, user),
  ];
}

const isMasked = ({ isClosed, hidden }: HidingTable): boolean =>
  !isClosed && [...hidden.values()].some(({ mask }) => mask !== undefined);

function toGrants(table: HidingTable, user: string, mayWrite: boolean): readonly string[] {
  const { schema, name, columns, hidden, isClosed } = table;
  if (isClosed) return [`-- ${inComment(schema, name)} is left out: it makes something else of hidden columns.`];
  if (hidden.size === 0) {
    return [`GRANT SELECT${mayWrite ? ", INSERT, UPDATE, DELETE" : ""} ON ${placeOf(table)} TO ${user};`];
  }
  const plain = columns.filter((column) => !hidden.has(column)).map(quote);
  return plain.length === 0 ? [] : [`GRANT SELECT (${plain.join(", ")}) ON ${placeOf(table)} TO ${user};`];
}

/** Masks are made by views with their definer's rights, in a database of their own. */
function toViews(tables: readonly HidingTable[], role: string, user: string): readonly string[] {
  if (tables.length === 0) return [];
  const own = quote(`${role}_views`);
  const nameOf = toViewNames(tables);
  return [
    `CREATE DATABASE ${own};`,
    ...tables.flatMap((table) => {
      const shown = table.columns.flatMap((column) => {
        // The key of a hash could be read in the view, and values be tried until one fits.
        const masks = masksOf(column);
        return toShownColumn(table.hidden.get(column), quote(column), { ...masks, hash: masks.full });
      });
      const view = `${own}.${quote(nameOf(table))}`;
      return [
        `CREATE SQL SECURITY DEFINER VIEW ${view} AS SELECT ${shown.join(", ")} FROM ${placeOf(table)};`,
        `GRANT SELECT ON ${view} TO ${user};`,
      ];
    }),
  ];
}

const placeOf = ({ schema, name }: { readonly schema: string; readonly name: string }): string =>
  `${quote(schema)}.${quote(name)}`;
const quote = (name: string): string => `\`${name.replaceAll("`", "``")}\``;
