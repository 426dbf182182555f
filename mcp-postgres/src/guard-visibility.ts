/**
 * What may not be named where an operator restricts what can be seen: schemas that are not shown, and the server's own
 * relations and functions that hold or tell what the rules hide. Both only where there are such settings.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { StatementError } from "@database-interface/mcp-core/sql";
import { notAllowed } from "./guard-class.js";
import { sqlRunners } from "./guard-lists.js";
import type { KnownNames } from "./guard-names.js";
import type { Usage, UsedName } from "./guard-walk.js";

/** Schemas a type or function may be qualified with, whatever is shown. */
const system = "pg_catalog";

/** Everything the caller names lies in these schemas. @throws CodedError `permission_denied`, `table_not_found` */
export function assertSeen(usage: Usage, known: KnownNames, schemas: readonly string[]): void {
  const isCatalogueShown = schemas.includes(system);
  for (const used of usage.relations) {
    if (used.schema === undefined && usage.commonTables.has(used.name)) continue;
    // Whether it exists is not told either.
    if (used.schema !== undefined && !schemas.includes(used.schema)) throw unseen(used.schema, schemas);
    const relation = known.relation(used);
    if (relation === undefined || schemas.includes(relation.schema)) continue;
    if (relation.schema === system) throw unseen(system, schemas);
    throw new StatementError("table_not_found", `There is no table or view ${used.name}, or it may not be read.`, {
      missing: { kind: "table", name: used.name },
    });
  }
  for (const { schema, name } of usage.calls) {
    const candidates = known
      .functions(name)
      .filter((one) => (schema === undefined ? one.isVisible : one.schema === schema));
    const isOwn = schema === undefined || schema === system || schemas.includes(schema);
    if (!isOwn && !candidates.some(({ isReviewed }) => isReviewed)) throw unseen(schema, schemas);
    const foreign = candidates.find((one) => !one.isReviewed && !schemas.includes(one.schema));
    if (foreign !== undefined) throw unseen(foreign.schema, schemas, `The function ${name}`);
    if (!isCatalogueShown && candidates.some(({ tellsCatalogue }) => tellsCatalogue))
      throw tellsCatalogue(`The function ${name}`);
  }
  for (const { schema, name } of usage.types) {
    if (!isCatalogueShown && /^reg[a-z]+$/.test(name)) throw tellsCatalogue(`The type ${name}`);
    if (schema !== undefined && schema !== system && !schemas.includes(schema)) throw unseen(schema, schemas);
    const row = known.relation({ schema, name });
    if (row !== undefined && row.schema !== system && !schemas.includes(row.schema)) throw unseen(row.schema, schemas);
  }
}

/** A relation lies outside of them: in a view, that is its owner's decision. */
export const readsOutside = (usage: Usage, known: KnownNames, schemas: readonly string[]): boolean =>
  usage.relations.some((used: UsedName) => {
    const relation = known.relation(used);
    return relation !== undefined && !schemas.includes(relation.schema) && !isCatalogue(relation.schema);
  });

const isCatalogue = (schema: string): boolean => schema === system || schema === "information_schema";

function unseen(schema: string, schemas: readonly string[], what = `The schema ${schema}`): CodedError {
  return new CodedError("permission_denied", `${what} is not visible through this server.`, {
    hint: `Visible: ${schemas.join(", ")}. search_objects and describe_table tell what is there.`,
  });
}

const tellsCatalogue = (what: string): CodedError =>
  notAllowed(
    `${what} tells of objects in every schema, and this server shows some.`,
    "search_objects and describe_table tell what may be seen.",
  );

/** Samples of values, texts of statements, and tables' overflow storage: another way to what columns hold. */
const valueRelations =
  /^(pg_stats|pg_stats_ext|pg_stats_ext_exprs|pg_statistic|pg_statistic_ext_data|pg_stat_activity|pg_stat_statements)$/;
const valueFunctions = /^(pg_stat_get_activity|pg_stat_get_backend_activity|pg_stat_statements|pg_mcv_list_items)$/;

/** Nothing that gives a column's values without naming its table. @throws CodedError `not_allowed` */
export function assertBlind(usage: Usage, known: KnownNames): void {
  for (const used of usage.relations) {
    const schema = known.relation(used)?.schema ?? used.schema;
    if (!valueRelations.test(used.name) && schema !== "pg_toast") continue;
    throw notAllowed(`${used.name} can hold values of hidden columns.`, "Query the tables themselves.");
  }
  for (const { name, schema } of usage.calls) {
    if (valueFunctions.test(name)) throw notAllowed(`${name} can give values of hidden columns.`, "Query the tables.");
    if (sqlRunners.has(name) && name !== "ts_rewrite") {
      throw notAllowed(`${name} runs a text as SQL, in which columns cannot be hidden.`, "Write it as a subquery.");
    }
    const candidates = known.functions(name).filter((one) => schema === undefined || one.schema === schema);
    if (candidates.some(({ isReviewed, isPure }) => !isReviewed && !isPure)) throw readsData(name);
  }
  for (const name of usage.attributes) {
    if (known.functions(name).some(({ takesRow, isReviewed, isPure }) => takesRow && !isReviewed && !isPure)) {
      throw readsData(name);
    }
  }
}

/** What other callers of the same database user say, and with which values. */
const statementTexts = /^(pg_stat_activity|pg_stat_statements|pg_stat_get_activity|pg_stat_get_backend_activity)$/;

/** Callers that share a database user do not see each other's statements. @throws CodedError `not_allowed` */
export function assertOthersHidden({ relations, calls, attributes }: Usage): void {
  const named = [...relations, ...calls].map(({ name }) => name).concat(attributes);
  const told = named.find((name) => statementTexts.test(name));
  if (told !== undefined)
    throw notAllowed(`${told} tells of other callers' statements.`, "Query the tables themselves.");
}

const readsData = (name: string): CodedError =>
  notAllowed(
    `The function ${name} may read hidden columns.`,
    "Functions of one's own run here when their body only computes: no query, no call of another such function.",
  );
