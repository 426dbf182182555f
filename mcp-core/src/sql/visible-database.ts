/**
 * A database as the model may see it: the catalogue marks columns that rules hide, leaves out what lies in schemas that
 * are not shown, and the self-audit names rules that protect nothing. Statements are held by the database itself.
 */

import type { ColumnDescription, FoundObject, TableDescription } from "./catalog-objects.js";
import { type ColumnRule, ruleFor } from "./column-rules.js";
import type { CallOptions, Catalog, Database } from "./database.js";

/** What may be seen of a source. */
export interface Visibility {
  /** All when absent. */
  readonly schemas: readonly string[] | undefined;
  readonly columnRules: readonly ColumnRule[];
}

/** The database behind these rules; itself when there are none. */
export function restrictDatabase(database: Database, visibility: Visibility): Database {
  const { schemas, columnRules } = visibility;
  if (schemas === undefined && columnRules.length === 0) return database;
  return Object.assign(Object.create(database) as Database, {
    catalog: restrictCatalog(database.catalog, visibility),
    // What a write reads, returns or shows before and after is not held by these rules: such a source only reads.
    writing: undefined,
    async check(options: CallOptions) {
      const report = await database.check(options);
      return { ...report, warnings: [...report.warnings, ...(await auditVisibility(database, visibility, options))] };
    },
  });
}

function restrictCatalog(catalog: Catalog, { schemas, columnRules }: Visibility): Catalog {
  return {
    schemas: (options) => catalog.schemas(options),
    async search(search, options) {
      const found = await catalog.search(search, options);
      return columnRules.length === 0 ? found : found.map((object) => toShownObject(object, columnRules));
    },
    async describe(table, options) {
      return toShownTable(await catalog.describe(table, options), schemas, columnRules);
    },
  };
}

/** ` (denied)` or ` (masked: last4)`, behind a column's type. */
const markOf = ({ mask }: ColumnRule): string => (mask === undefined ? " (denied)" : ` (masked: ${mask})`);

function toShownObject(object: FoundObject, rules: readonly ColumnRule[]): FoundObject {
  if (object.kind !== "column") return object;
  const rule = ruleFor(rules, { schema: object.schema, table: object.table ?? "", column: object.name });
  return rule === undefined ? object : { ...object, definition: `${object.definition ?? ""}${markOf(rule)}` };
}

function toShownTable(
  table: TableDescription,
  schemas: readonly string[] | undefined,
  rules: readonly ColumnRule[],
): TableDescription {
  const isShown = ({ schema }: { readonly schema: string }) => schemas === undefined || schemas.includes(schema);
  const { viewDefinition, ...rest } = table;
  return {
    ...rest,
    columns: table.columns.map((column) => toShownColumn(table, column, rules)),
    references: table.references.filter(isShown),
    referencedBy: table.referencedBy.filter(isShown),
    // A view may read schemas that are not shown: that is its owner's decision, their names are not ours to tell.
    ...(viewDefinition === undefined || schemas !== undefined ? {} : { viewDefinition }),
  };
}

/** A default or a list of values can tell what a column holds. */
function toShownColumn(table: TableDescription, column: ColumnDescription, rules: readonly ColumnRule[]) {
  const rule = ruleFor(rules, { schema: table.schema, table: table.name, column: column.name });
  if (rule === undefined) return column;
  const { name, type, nullable, comment } = column;
  return { name, type: `${type}${markOf(rule)}`, nullable, ...(comment === undefined ? {} : { comment }) };
}

const auditedColumns = 20_000;

/** A sentence for every schema and rule that fits nothing: a misspelt one protects nothing. */
async function auditVisibility(
  { catalog }: Database,
  { schemas, columnRules }: Visibility,
  options: CallOptions,
): Promise<readonly string[]> {
  const warnings: string[] = [];
  if (schemas !== undefined) {
    const known = new Set(await catalog.schemas(options));
    for (const name of schemas) if (!known.has(name)) warnings.push(`--schemas names ${name}, which is not there.`);
  }
  for (const rule of columnRules) {
    const search = { kind: "column", pattern: rule.column, limit: auditedColumns } as const;
    const found = await catalog.search(search, options);
    const fits = found.some(({ schema, table = "", name }) => ruleFor([rule], { schema, table, column: name }));
    if (!fits) warnings.push(`The column rule ${rule.text} fits no column: it protects nothing.`);
  }
  return warnings;
}
