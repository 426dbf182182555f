/**
 * Looks for tables a statement names and the database does not have, before anything is sent. Only what is certain counts:
 * what it can't read it leaves to the server, whose word is the last one.
 */
import { AgentError, nearest } from "../errors.js";

/** The names there are, as the catalogue lists them. */
export interface KnownNames {
  readonly names: readonly string[];
  /** False where there are more than were listed: then nothing is certain. */
  readonly isComplete: boolean;
}

/** @throws AgentError `table_not_found` with the nearest names */
export function checkNames(sql: string, { names, isComplete }: KnownNames): void {
  if (!isComplete || names.length === 0) return;
  const known = new Set(names.flatMap((name) => [plain(name), lastPart(name)]));
  const { tables, own } = tablesIn(sql);
  for (const table of tables) {
    if (own.has(plain(table)) || known.has(plain(table)) || isSystems(table)) continue;
    throw notThere(table, names);
  }
}

const systemSchemas = /^(?:pg_\w+|information_schema|mysql|sys|performance_schema)\./;
/** The server's own; and what has a database before its schema is the server's to judge. */
const isSystems = (table: string): boolean =>
  systemSchemas.test(plain(table)) || /^(?:pg_\w+|dual)$/.test(plain(table)) || plain(table).split(".").length > 2;

/** Functions whose arguments have a FROM of their own: `EXTRACT(year FROM placed_at)`. */
const withFrom = new Set(["extract", "trim", "substring", "overlay"]);

/** Names behind FROM and JOIN that are no functions, and those a WITH makes. */
function tablesIn(sql: string): { readonly tables: readonly string[]; readonly own: ReadonlySet<string> } {
  const tokens = tokensOf(sql);
  const word = (at: number): string => tokens[at]?.toLowerCase() ?? "";
  const tables: string[] = [];
  const own = new Set<string>();
  const calls: string[] = [];
  for (let at = 0; at < tokens.length; at += 1) {
    if (word(at) === "(") calls.push(word(at - 1));
    else if (word(at) === ")") calls.pop();
    else if (word(at) === "as" && ["(", "materialized", "not"].includes(word(at + 1))) own.add(nameBefore(tokens, at));
    else if (
      word(at) === "join" ||
      (word(at) === "from" && !withFrom.has(calls.at(-1) ?? "") && word(at - 1) !== "distinct")
    ) {
      const start = ["lateral", "only"].includes(word(at + 1)) ? at + 2 : at + 1;
      const name = nameAt(tokens, start);
      const isFunction = word(start + name.length) === "(";
      if (name.length > 0 && !isFunction) tables.push(name.join(""));
    }
  }
  return { tables, own };
}

/** Identifiers, dots and everything else, without comments and texts: what stands in those names nothing. */
const tokensOf = (sql: string): readonly string[] =>
  sql
    .replace(/--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/g, " '' ")
    .match(/"(?:[^"]|"")+"|`(?:[^`]|``)+`|[\p{L}_][\p{L}\p{N}_$]*|[^\s]/gu) ?? [];

const isName = (token: string | undefined): boolean => token !== undefined && /^["`\p{L}_]/u.test(token);

/** `a`, or `a . b` */
function nameAt(tokens: readonly string[], start: number): readonly string[] {
  if (!isName(tokens[start])) return [];
  let end = start + 1;
  while (tokens[end] === "." && isName(tokens[end + 1])) end += 2;
  return tokens.slice(start, end);
}

/** The name a WITH gives before its AS: `name AS (`, `name (a, b) AS (`. */
function nameBefore(tokens: readonly string[], at: number): string {
  let start = at - 1;
  if (tokens[start] === ")") while (start > 0 && tokens[start] !== "(") start -= 1;
  return plain(tokens[tokens[start] === "(" ? start - 1 : start] ?? "");
}

function notThere(table: string, names: readonly string[]): AgentError {
  const near = nearest(lastPart(table), names.map(lastPart));
  const full = names.find((name) => lastPart(name) === near);
  return new AgentError("table_not_found", `There is no table or view ${table}.`, {
    hint: full === undefined ? `There are ${names.slice(0, 40).join(", ")}.` : `Did you mean ${full}?`,
  });
}

const plain = (name: string): string => name.replace(/["`\s]/g, "").toLowerCase();
const lastPart = (name: string): string => plain(name).split(".").at(-1) ?? plain(name);
