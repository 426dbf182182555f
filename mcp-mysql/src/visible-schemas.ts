/**
 * What may not be named where an operator restricts what can be seen: schemas that are not shown, and the server's own
 * tables and commands that hold or tell what the rules hide.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { type CallOptions, StatementError } from "@database-interface/mcp-core/sql";
import type { TableKey } from "./hidden-tables.js";
import { isNameToken, type Token } from "./lexer.js";
import type { Source } from "./source.js";
import type { WrittenName } from "./token-reader.js";
import { ask } from "./transaction.js";

const includes = (schemas: readonly string[], schema: string): boolean =>
  schemas.some((name) => name.toLowerCase() === schema.toLowerCase());

/** Every table, function and qualifier lies in these schemas. @throws CodedError `permission_denied`, `table_not_found` */
export async function assertSchemas(
  source: Source,
  tokens: readonly Token[],
  places: readonly WrittenName[],
  commonTables: ReadonlySet<string>,
  options: CallOptions,
): Promise<void> {
  const schemas = source.schemas ?? [];
  for (const place of places) {
    // Whether it exists is not told.
    if (place.schema !== undefined && !includes(schemas, place.schema)) throw unseen(schemas);
    const isCommon = place.schema === undefined && commonTables.has(place.name.toLowerCase());
    if (place.schema === undefined && !isCommon && !includes(schemas, source.database)) throw notThere(place);
  }
  // A qualifier anywhere else, also where no table was thought to stand.
  const [rows = []] = await ask(source.pool, ["SELECT schema_name FROM information_schema.schemata"], options);
  const hidden = new Set(rows.map(([name]) => (name ?? "").toLowerCase()).filter((name) => !includes(schemas, name)));
  tokens.forEach((token, at) => {
    if (!isNameToken(token) || tokens[at + 1]?.text !== ".") return;
    const isCall = tokens[at + 3]?.text === "(";
    if (hidden.has(token.text.toLowerCase()) || (isCall && !includes(schemas, token.text))) throw unseen(schemas);
  });
}

const isHarmlessShow =
  /^(?:(?:global |session |local )?(?:status|variables)\b|(?:storage )?engines$|character set\b|charset\b|collation\b|warnings\b|errors\b|count )/;
const isOwnShow = /^(?:full )?(?:tables(?: like \S+)?|(?:columns|fields|indexe?s?|keys) (?:from|in) [^. ]+)$/;

/** SHOW and DESCRIBE tell only of what may be seen. @throws CodedError `permission_denied` */
export function assertCommandSeen(tokens: readonly Token[], schemas: readonly string[], database: string): void {
  const [verb, ...rest] = tokens.map(({ text }) => text.toLowerCase());
  const said = rest.join(" ");
  if (verb === "help" || (verb === "show" && isHarmlessShow.test(said))) return;
  if (verb === "show" && !(isOwnShow.test(said) && includes(schemas, database))) throw unseen(schemas);
  if (verb === "show" || rest.some((word) => /^(select|with|values)$/.test(word))) return;
  if (rest[1] === "." ? !includes(schemas, rest[0] ?? "") : !includes(schemas, database)) throw unseen(schemas);
}

/** Commands read no rows and show no statements of others. @throws CodedError `not_allowed` */
export function assertCommandBlind(tokens: readonly Token[]): void {
  const said = tokens.map(({ text }) => text.toLowerCase()).join(" ");
  if (/^show (?:full )?processlist/.test(said)) throw holdsValues("SHOW PROCESSLIST");
  if (/^(?:explain|analyze|describe|desc) (?:.* )?(?:select|with|values|table)\b/.test(said)) {
    throw new CodedError("not_allowed", "EXPLAIN is not run as a query here.", { hint: "Use the tool explain." });
  }
  if (/\bselect\b|\(/.test(said) && !/^show count \( \* \)/.test(said)) throw holdsValues("A query inside of SHOW");
}

/** Tables of information_schema that tell of structure alone. */
const structural = new Set(
  `tables columns schemata statistics key_column_usage table_constraints referential_constraints views routines
  parameters check_constraints character_sets collations engines triggers events partitions system_variables
  global_variables session_variables global_status session_status keywords plugins`.split(/\s+/),
);

/** Samples, statements of others, locks and the server's own tables can hold values. @throws CodedError `not_allowed` */
export function assertValuesHidden({ schema, name }: TableKey): void {
  const lower = schema.toLowerCase();
  const isClosed = ["mysql", "performance_schema", "sys"].includes(lower);
  if (isClosed || (lower === "information_schema" && !structural.has(name.toLowerCase()))) {
    throw holdsValues(`${schema}.${name}`);
  }
}

const system = new Set(["mysql", "performance_schema", "sys"]);

/** Callers that share a database user do not see each other's statements. @throws CodedError `not_allowed` */
export function assertOthersHidden(tokens: readonly Token[]): void {
  const told = tokens.find((token, at) => {
    const lower = token.text.toLowerCase();
    return isNameToken(token) && (lower === "processlist" || (system.has(lower) && tokens[at + 1]?.text === "."));
  });
  if (told === undefined) return;
  throw new CodedError("not_allowed", `${told.text} tells of other callers' statements.`, {
    hint: "Query the tables themselves.",
  });
}

const holdsValues = (what: string): CodedError =>
  new CodedError("not_allowed", `${what} can hold values of hidden columns.`, { hint: "Query the tables themselves." });

/** The error of a table that is not there, or not to be seen. */
export function notThere({ schema, name }: WrittenName): StatementError {
  const shown = schema === undefined ? name : `${schema}.${name}`;
  return new StatementError("table_not_found", `There is no table or view ${shown}, or it may not be read.`, {
    missing: { kind: "table", name, schema },
  });
}

function unseen(schemas: readonly string[]): CodedError {
  return new CodedError("permission_denied", "The statement names a schema that is not visible through this server.", {
    hint: `Visible: ${schemas.join(", ")}. search_objects and describe_table tell what is there.`,
  });
}
