/**
 * Holds the rules on columns and schemas: every table with hidden columns is replaced by a subquery of its others, masked
 * ones in their place, so that the server itself knows no way to them. A name of such a table that stands where no table
 * is known to stand is refused, as is everything of the server that could give values or names by another way.
 */
import { randomBytes } from "node:crypto";
import { CodedError } from "@database-interface/mcp-core/host";
import {
  type CallOptions,
  type MaskKind,
  type MissingName,
  StatementError,
  toShownColumn,
} from "@database-interface/mcp-core/sql";
import type { FieldInfo } from "mariadb";
import { isQuery, verbOf } from "./guard-walk.js";
import { type HidingTable, learnTables, type TableKey } from "./hidden-tables.js";
import { isNameToken, type Token } from "./lexer.js";
import type { Replacement } from "./parameters.js";
import type { Source } from "./source.js";
import { findTables, type TablePlace } from "./table-places.js";
import {
  assertCommandBlind,
  assertCommandSeen,
  assertSchemas,
  assertValuesHidden,
  notThere,
} from "./visible-schemas.js";

/** What the rules make of a statement. */
export interface HidingStatement {
  readonly replacements: readonly Replacement[];
  /** A view of it reads schemas that may not be seen: its plan would name them. */
  readonly readsUnseen: boolean;
  /** The refusal, where what is missing is a hidden column. */
  refusalOf(missing: MissingName | undefined, position: number | undefined): StatementError | undefined;
  /** @throws CodedError `permission_denied` when the result's own description names a hidden column */
  assertFields(fields: readonly FieldInfo[]): void;
}

/** @throws CodedError `permission_denied`, `not_allowed`, `table_not_found` */
export async function hideColumns(
  source: Source,
  tokens: readonly Token[],
  options: CallOptions,
): Promise<HidingStatement> {
  const { columnRules: rules, schemas } = source;
  const { places, commonTables } = findTables(tokens);
  if (schemas !== undefined) await assertSchemas(source, tokens, places, commonTables, options);
  if (!isQuery(verbOf(tokens))) {
    if (schemas !== undefined) assertCommandSeen(tokens, schemas, source.database);
    if (rules.length > 0) assertCommandBlind(tokens);
    if (rules.length > 0 || places.length === 0) return nothingHidden;
  }
  const located = places.map((place) => ({ place, key: toKey(place, source.database) }));
  for (const { place, key } of located) {
    if (rules.length > 0 && !isCommon(place, commonTables)) assertValuesHidden(key);
  }
  const possible = possibleTables(tokens, places, source.database);
  const wanted = [...located.map(({ key }) => key), ...possible];
  const tables = await learnTables(source.pool, rules, wanted, options);
  const all = [...tables.values()];
  const replacements: Replacement[] = [];
  for (const { place, key } of located) {
    const table = tables.get(`${key.schema}\0${key.name}`);
    if (isCommon(place, commonTables)) {
      const isTaken = table !== undefined && (table.isClosed || table.hidden.size > 0 || isUnseen(key, schemas));
      if (isTaken) throw notAllowed(`${place.name} is the name of a CTE and of a table.`, "Give the CTE another name.");
      continue;
    }
    if (table === undefined) throw notThere(place);
    if (table.isClosed) throw closedView(table);
    if (table.hidden.size > 0) replacements.push(...toReplacements(tokens, place, table));
  }
  const hiding = all.filter(({ hidden }) => hidden.size > 0);
  assertPlaces(
    tokens,
    places,
    all.filter((table) => table.hidden.size > 0 || table.isClosed || isUnseen(table, schemas)),
  );
  const used = hiding.filter((table) =>
    located.some(({ key }) => key.schema === table.schema && key.name === table.name),
  );
  return {
    replacements,
    readsUnseen: all.some(({ reads }) => reads.some((read) => isUnseen(read, schemas))),
    refusalOf(missing, position) {
      const name = missing?.kind === "column" ? missing.name.toLowerCase() : undefined;
      const isHidden = name !== undefined && used.some((table) => isDenied(table, name));
      return isHidden ? deniedColumn(name, used, position) : undefined;
    },
    assertFields(fields) {
      for (const field of fields) {
        const table = hiding.find(({ schema, name }) => schema === field.schema() && name === field.orgTable());
        if (table?.hidden.has(field.orgName())) {
          throw deniedColumn(field.orgName(), [table], undefined);
        }
      }
    },
  };
}

const introducing = new Set([",", "(", ".", "from", "join", "straight_join", "table", "oj", "lateral"]);

/** Names that could be tables' by what stands around them, though no table was thought to stand there. */
function possibleTables(
  tokens: readonly Token[],
  places: readonly TablePlace[],
  database: string,
): readonly TableKey[] {
  const placed = new Set(places.map(({ last }) => last));
  return tokens.flatMap((token, at) => {
    const before = tokens[at - 1]?.text ?? "";
    const next = tokens[at + 1]?.text;
    if (!isNameToken(token) || placed.has(at) || next === "." || next === "(" || !introducing.has(before)) return [];
    const qualifier = before === "." && isNameToken(tokens[at - 2]) ? tokens[at - 2]?.text : undefined;
    return [{ schema: qualifier ?? database, name: token.text }];
  });
}

const nothingHidden: HidingStatement = {
  replacements: [],
  readsUnseen: false,
  refusalOf: () => undefined,
  assertFields() {},
};

const isCommon = ({ schema, name }: TablePlace, commonTables: ReadonlySet<string>): boolean =>
  schema === undefined && commonTables.has(name.toLowerCase());

const toKey = ({ schema, name }: TablePlace, database: string): TableKey => ({ schema: schema ?? database, name });

const isUnseen = ({ schema }: TableKey, schemas: readonly string[] | undefined): boolean =>
  schemas !== undefined && !schemas.some((name) => name.toLowerCase() === schema.toLowerCase());

const quote = (name: string): string => `\`${name.replaceAll("`", "``")}\``;

function toReplacements(tokens: readonly Token[], place: TablePlace, table: HidingTable): readonly Replacement[] {
  const start = tokens[place.first]?.start ?? 0;
  const end = tokens[place.last]?.end ?? 0;
  const columns = table.columns.flatMap((column) =>
    toShownColumn(table.hidden.get(column), quote(column), masksOf(column)),
  );
  if (place.hasHint || columns.length === 0) throw cannotReplace(table);
  const subquery = `(SELECT ${columns.join(", ")} FROM ${quote(table.schema)}.${quote(table.name)})`;
  const text = place.hasAlias ? subquery : `${subquery} AS ${quote(place.name)}`;
  if (!place.isCommand) return [{ start, end, text }];
  return [{ start: tokens[place.first - 1]?.start ?? 0, end, text: `SELECT * FROM ${text}` }];
}

/** Keyed anew by every process, so that nobody can try values until one fits. */
const hashKey = randomBytes(16).toString("hex");

/** Takes the key out of a text, such as a plan that shows expressions. */
export const withoutKey = (text: string): string => text.replaceAll(hashKey, "…");

/** What each mask leaves of a column. */
export function masksOf(column: string): Readonly<Record<MaskKind, string>> {
  const name = quote(column);
  const masked = `IF(${name} IS NULL, NULL, '***')`;
  return {
    full: masked,
    last4: `IF(CHAR_LENGTH(${name}) > 4, CONCAT('***', RIGHT(${name}, 4)), ${masked})`,
    hash: `LEFT(SHA2(CONCAT('${hashKey}', ${name}), 256), 16)`,
  };
}

/** A name of a table with hidden columns is one we replaced, qualifies a column, or is an alias; all else is refused. */
function assertPlaces(tokens: readonly Token[], places: readonly TablePlace[], hiding: readonly HidingTable[]): void {
  const placed = new Set(places.flatMap(({ first, last }) => [first, last]));
  const ends = new Set(places.map(({ last }) => last));
  tokens.forEach((token, at) => {
    if (!isNameToken(token) || placed.has(at)) return;
    const table = hiding.find(({ name }) => name.toLowerCase() === token.text.toLowerCase());
    if (table === undefined) return;
    const before = tokens[at - 1];
    if (tokens[at + 1]?.text === "." || before?.text === "as" || ends.has(at - 1)) return;
    const qualifier = before?.text === "." ? tokens[at - 2]?.text.toLowerCase() : undefined;
    if (qualifier !== undefined && qualifier !== table.schema.toLowerCase()) return;
    throw cannotReplace(table, token.start + 1);
  });
}

const isDenied = ({ hidden }: HidingTable, name: string): boolean =>
  [...hidden].some(([column, { mask }]) => mask === undefined && column.toLowerCase() === name);

const shownOf = ({ columns, hidden }: HidingTable): string =>
  columns.filter((name) => !hidden.has(name) || hidden.get(name)?.mask !== undefined).join(", ");

function deniedColumn(name: string, tables: readonly HidingTable[], position: number | undefined): StatementError {
  const hint = tables
    .filter((table) => isDenied(table, name.toLowerCase()))
    .map((table) => `Of ${table.name} there may be read: ${shownOf(table)}.`)
    .join("\n");
  return new StatementError("permission_denied", `The column ${name} may not be read through this server.`, {
    hint,
    position,
  });
}

const notAllowed = (message: string, hint: string): CodedError => new CodedError("not_allowed", message, { hint });

function closedView({ name }: HidingTable): CodedError {
  return new CodedError("permission_denied", `The view ${name} reads a hidden column, or its query cannot be seen.`, {
    hint: "Query the tables it reads; a view whose list holds the column as it is, or not at all, may be read.",
  });
}

function cannotReplace(table: HidingTable, position?: number): StatementError {
  return new StatementError("permission_denied", `${table.name} has hidden columns and cannot be used in this way.`, {
    hint: `Name it plainly after FROM or JOIN, without PARTITION or index hints. It shows ${shownOf(table)}.`,
    position,
  });
}
