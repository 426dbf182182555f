/**
 * What only the tools can add to a database's error: where in the statement it is, and which names were probably meant.
 * Built from the caller's SQL and the catalogue's names, never from a row's values.
 */
import { CodedError } from "../host/errors.js";
import { withTimeout } from "../host/signals.js";
import type { ObjectType } from "./catalog-objects.js";
import type { Catalog } from "./database.js";
import { type MissingName, StatementError } from "./errors.js";
import { type IdentifierQuote, parseTableName, quoteName, quoteTable } from "./identifiers.js";
import { toOneLine } from "./json-text.js";
import { hintDeadlineMs } from "./limits.js";
import { similarNames } from "./similar-names.js";

/** What a hint is made from. */
export interface HintContext {
  /** The statement of the call, if it has one. */
  readonly sql?: string | undefined;
  /** The table the call names, if it names one. */
  readonly table?: string | undefined;
  readonly catalog: Catalog;
  readonly quote: IdentifierQuote;
  readonly signal: AbortSignal;
}

/** The error with its position and nearest names written into the hint; any other value as it came. */
export async function withHints(error: unknown, context: HintContext): Promise<unknown> {
  if (!(error instanceof CodedError)) return error;
  const missing = missingIn(error, context);
  const position = error instanceof StatementError ? error.position : undefined;
  if (missing === undefined && position === undefined) return error;
  const names = missing && (await findNamesInTime(missing, context));
  const place = position === undefined || !context.sql ? undefined : pointAt(context.sql, position);
  const parts = [names ?? error.hint, place].filter((part) => part !== undefined);
  const { sqlstate, errno, retryable } = error;
  return new CodedError(error.code, error.message, {
    ...(parts.length > 0 ? { hint: parts.join("\n") } : {}),
    sqlstate,
    errno,
    retryable,
    cause: error,
  });
}

function missingIn(error: CodedError, { table }: HintContext): MissingName | undefined {
  if (error instanceof StatementError && error.missing !== undefined) return error.missing;
  if (error.code !== "table_not_found" || table === undefined) return undefined;
  return { kind: "table", ...parseTableName(table) };
}

const excerptWidth = 80;

/** `Line 2, column 8:` with the line, or a part of it, and a caret below the place. Positions count code points from 1. */
export function pointAt(sql: string, position: number): string | undefined {
  const before = Array.from(sql)
    .slice(0, Math.max(0, position - 1))
    .join("");
  if (before.length > sql.length) return undefined;
  const lineStart = before.lastIndexOf("\n") + 1;
  const lineEnd = sql.indexOf("\n", lineStart);
  const line = sql.slice(lineStart, lineEnd === -1 ? sql.length : lineEnd);
  const lineNumber = before.split("\n").length;
  const offset = before.length - lineStart;
  const from = Math.max(0, Math.min(offset - excerptWidth / 2, line.length - excerptWidth));
  const left = (from > 0 ? "…" : "") + toOneLine(line.slice(from, offset));
  const right = toOneLine(line.slice(offset, from + excerptWidth)) + (from + excerptWidth < line.length ? "…" : "");
  return `Line ${lineNumber}, column ${Array.from(line.slice(0, offset)).length + 1}:\n${left}${right}\n${" ".repeat(left.length)}^`;
}

/** A slow or broken catalogue must not turn one error into another. */
async function findNamesInTime(missing: MissingName, context: HintContext): Promise<string | undefined> {
  const signal = withTimeout(context.signal, hintDeadlineMs);
  const givenUp = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  return Promise.race([findNames(missing, { ...context, signal }).catch(() => undefined), givenUp]);
}

async function findNames(missing: MissingName, context: HintContext): Promise<string | undefined> {
  switch (missing.kind) {
    case "table":
      return findTables(missing, context);
    case "column":
      return findColumns(missing, context);
    case "function":
      return findFunctions(missing, context);
    case "schema":
      return didYouMean(similarNames(missing.name, await context.catalog.schemas(context)), context.quote);
  }
}

const candidateLimit = 5_000;

async function findTables({ name, schema }: MissingName, context: HintContext): Promise<string | undefined> {
  const search = (kind: ObjectType) => context.catalog.search({ kind, limit: candidateLimit }, context);
  const found = (await Promise.all([search("table"), search("view")])).flat();
  const near = similarNames(
    name,
    found.map((table) => table.name),
  );
  const tables = near.flatMap((one) => found.filter((table) => table.name === one)).slice(0, 3);
  if (tables.length === 0) return "Nothing similar exists; search_objects lists what there is.";
  const inSchema = tables.filter((table) => table.schema === schema);
  const best = inSchema.length > 0 ? inSchema : tables;
  return `Did you mean ${best.map((table) => quoteTable(table, context.quote)).join(" or ")}?`;
}

async function findFunctions({ name }: MissingName, context: HintContext): Promise<string | undefined> {
  const found = await context.catalog.search({ kind: "function", limit: candidateLimit }, context);
  const near = similarNames(
    name,
    found.map((one) => one.name),
  );
  return didYouMean(near, context.quote);
}

const mentionedTables = 6;
const listedColumns = 40;

/** The columns of the tables the statement reads: nearest first, else all of them. */
async function findColumns({ name }: MissingName, context: HintContext): Promise<string | undefined> {
  const tables = tablesOf(context.sql ?? "").slice(0, mentionedTables);
  const described = await Promise.allSettled(tables.map((table) => context.catalog.describe(table, context)));
  const known = described.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const wanted = name.split(".").at(-1) ?? name;
  const near = similarNames(
    wanted,
    known.flatMap(({ columns }) => columns.map((column) => column.name)),
  );
  if (near.length > 0) return didYouMean(near, context.quote);
  const lists = known.map(({ name: table, columns }) => {
    const names = columns.slice(0, listedColumns).map((column) => quoteName(column.name, context.quote));
    return `${quoteName(table, context.quote)} has ${names.join(", ")}${columns.length > listedColumns ? ", …" : ""}.`;
  });
  return lists.length > 0 ? lists.join("\n") : undefined;
}

const afterFrom = /\b(?:from|join|update|into)\s+((?:[\w$]+|"[^"]+"|`[^`]+`)(?:\s*\.\s*(?:[\w$]+|"[^"]+"|`[^`]+`))?)/gi;

/** Tables a statement seems to read. A guess is enough: what is none of them is not found in the catalogue either. */
function tablesOf(sql: string) {
  const names = [...sql.matchAll(afterFrom)].flatMap(([, name]) => (name === undefined ? [] : [name]));
  return [...new Set(names)].map(parseTableName);
}

function didYouMean(names: readonly string[], quote: IdentifierQuote): string | undefined {
  return names.length > 0 ? `Did you mean ${names.map((name) => quoteName(name, quote)).join(" or ")}?` : undefined;
}
