/**
 * When a statement gives nothing: does the value it looks for exist at all? Looked up in the columns the statement compares
 * with texts, through plain queries, so that what is hidden stays hidden.
 */
import type { DatabaseCalls } from "../database-calls.js";
import { isAbort } from "../errors.js";
import { mayBeCategory } from "../knowledge/sample-values.js";
import type { TableOutline } from "../knowledge/table-outline.js";
import { wordsOf } from "../knowledge/words.js";
import type { QueryResult } from "../result.js";

const maxComparisons = 4;
const maxValues = 8;

/** No row, or one of nothing but NULL and 0. */
export const isEmpty = ({ rows }: QueryResult): boolean =>
  rows.length === 0 || (rows.length === 1 && (rows[0] ?? []).every((cell) => cell === null || Number(cell) === 0));

/** A statement that gave nothing. */
export interface Probed {
  readonly source: string;
  readonly sql: string;
  readonly tables: readonly TableOutline[];
  /** Whether values may stand in a prompt at all. */
  readonly mayShow: boolean;
}

/** What was found, in words; undefined where there is nothing to look for. */
export async function probe(
  databases: Pick<DatabaseCalls, "query">,
  { source, sql, tables, mayShow }: Probed,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const found = await Promise.all(
    comparisonsIn(sql, tables, mayShow).map(async ({ table, column, value, showsValues }) => {
      const isThere = await exists(databases, source, { table, column, value }, signal);
      if (isThere !== false) return undefined;
      const near = showsValues ? await similar(databases, source, { table, column, value }, signal) : [];
      const hint = near.length === 0 ? "" : ` Values like it: ${near.map((one) => JSON.stringify(one)).join(", ")}.`;
      return `${table}.${column} is nowhere ${JSON.stringify(value)}.${hint}`;
    }),
  );
  const words = found.filter((one) => one !== undefined);
  return words.length === 0 ? undefined : words.join(" ");
}

interface Comparison {
  readonly table: string;
  readonly column: string;
  readonly value: string;
  /** Whether values of this column may stand in a prompt. */
  readonly showsValues: boolean;
}

/** Comparisons with a text, of columns that exactly one of the statement's tables has and that may be read. */
function comparisonsIn(sql: string, tables: readonly TableOutline[], mayShow: boolean): readonly Comparison[] {
  const named = tables.filter(({ name }) =>
    new RegExp(`\\b${name.split(".").at(-1)?.replace(/\W/g, "\\W") ?? ""}\\b`, "i").test(sql),
  );
  const comparisons: Comparison[] = [];
  for (const [, column = "", text = ""] of sql.matchAll(/([\w"`]+)\s*(?:=|\bi?like\b)\s*'((?:[^']|'')*)'/gi)) {
    const holders = named.filter(({ columns }) => columns.some((one) => one.name === column && !one.isHidden));
    const value = text.replaceAll("''", "'").replace(/^%|%$/g, "");
    const [holder] = holders;
    const outline = holder?.columns.find(({ name }) => name === column);
    if (holder === undefined || outline === undefined || holders.length > 1 || value === "") continue;
    comparisons.push({ table: holder.name, column, value, showsValues: mayShow && mayBeCategory(outline) });
  }
  return comparisons.slice(0, maxComparisons);
}

async function exists(
  databases: Pick<DatabaseCalls, "query">,
  source: string,
  { table, column, value }: Omit<Comparison, "showsValues">,
  signal: AbortSignal | undefined,
): Promise<boolean | undefined> {
  const rows = await rowsOf(
    databases,
    source,
    `SELECT 1 FROM ${table} WHERE ${asText(column)} = ${literal(value)} LIMIT 1`,
    signal,
  );
  return rows === undefined ? undefined : rows.length > 0;
}

/** A few values that share a beginning with it, or read alike. */
async function similar(
  databases: Pick<DatabaseCalls, "query">,
  source: string,
  { table, column, value }: Omit<Comparison, "showsValues">,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const [word = value] = wordsOf(value);
  const start = literal(
    `%${word
      .slice(0, 4)
      .toLowerCase()
      .replace(/[\\%_]/g, "")}%`,
  );
  const like = `SELECT DISTINCT ${column} FROM ${table} WHERE LOWER(${asText(column)}) LIKE ${start} LIMIT ${maxValues}`;
  const rows = (await rowsOf(databases, source, like, signal)) ?? [];
  return rows.flatMap(([cell]) => (typeof cell === "string" ? [cell] : []));
}

async function rowsOf(
  databases: Pick<DatabaseCalls, "query">,
  source: string,
  sql: string,
  signal: AbortSignal | undefined,
): Promise<QueryResult["rows"] | undefined> {
  try {
    return (await databases.query(sql, { source: source || undefined, maxRows: maxValues, signal })).rows;
  } catch (error) {
    if (isAbort(error) || signal?.aborted) throw error;
    return undefined; // it may not be read, or is no text: then nothing is known
  }
}

const asText = (column: string): string => `CAST(${column} AS CHAR(200))`;
const literal = (text: string): string => `'${text.replaceAll("\\", "").replaceAll("'", "''")}'`;
