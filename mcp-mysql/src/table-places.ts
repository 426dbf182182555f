/**
 * Where tables stand in a statement, token by token: what FROM, JOIN and TABLE are followed by, in every parenthesis.
 * Whoever relies on it must treat a name that stands elsewhere as unknown; nothing here decides.
 */
import { isNameToken, type Token } from "./lexer.js";
import type { TokenReader, WrittenName } from "./token-reader.js";

/** A table's name in its place; indexes into the tokens. */
export interface TablePlace {
  readonly schema: string | undefined;
  readonly name: string;
  readonly first: number;
  readonly last: number;
  /** Something names it otherwise behind it. */
  readonly hasAlias: boolean;
  /** PARTITION, index hints or a time of a versioned table follow. */
  readonly hasHint: boolean;
  /** TABLE stands before it in place of SELECT. */
  readonly isCommand: boolean;
}

interface Level {
  clause: "none" | "list" | "tables" | "on" | "other";
  /** A table must come next. */
  expects: boolean;
}

const hints = new Set("partition use force ignore for".split(" "));
/** What may follow a table that has no alias. */
const followers = new Set(
  `join inner left right cross natural straight_join on using where group having order limit union except intersect
  minus window procedure lock into offset fetch returning`.split(/\s+/),
);
const endings = new Set("where group having order limit window procedure".split(" "));
const setOperators = new Set("union except intersect minus".split(" "));

/** Where tables stand, and what is not one although it stands there. */
export interface FoundTables {
  readonly places: readonly TablePlace[];
  /** The names of CTEs, in lower case. */
  readonly commonTables: ReadonlySet<string>;
}

/** Every place of a table, in order. `isListing`: the tokens begin in a list of tables, as behind UPDATE. */
export function findTables(tokens: readonly Token[], isListing = false): FoundTables {
  const places: TablePlace[] = [];
  const commonTables = new Set<string>();
  const levels: Level[] = [{ clause: isListing ? "tables" : "none", expects: isListing }];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    const level = levels.at(-1);
    if (token === undefined || level === undefined) break;
    const { kind, text } = token;
    if (kind === "symbol" && text === "(") {
      const isTables = level.clause === "tables" && level.expects;
      levels.push(isTables ? { clause: "tables", expects: true } : { clause: "none", expects: false });
      level.expects = false;
    } else if (kind === "symbol" && text === ")") {
      if (levels.length > 1) levels.pop();
    } else if (kind === "symbol" && text === ",") {
      if (level.clause === "tables" || level.clause === "on") Object.assign(level, { clause: "tables", expects: true });
    } else if (isNameToken(token)) {
      const isMember = tokens[at - 1]?.text === ".";
      const word = kind === "word" && !isMember ? text : "";
      const isCommand = word === "table" && level.clause !== "list" && isNameToken(tokens[at + 1]);
      if (isCommand) at++;
      else if (!turn(level, isOfHint(tokens, at) ? "" : word)) {
        const isCommon = tokens[at + 1]?.text === "as" || tokens[at + 1]?.text === "(";
        if (level.clause === "other" && isCommon) commonTables.add(text.toLowerCase());
        if (!level.expects || word === "lateral" || (word === "oj" && tokens[at - 1]?.text === "{")) continue;
      } else continue;
      level.expects = false;
      const place = placeAt(tokens, at, isCommand);
      if (place === undefined) continue;
      places.push(place);
      at = place.last;
    }
  }
  return { places, commonTables };
}

/** USE INDEX FOR ORDER BY, FOR GROUP BY and FOR JOIN begin nothing. */
const isOfHint = (tokens: readonly Token[], at: number): boolean => {
  const [hint, index, purpose] = tokens.slice(Math.max(0, at - 3), at).map(({ text }) => text);
  return purpose === "for" && (index === "index" || index === "key") && hints.has(hint ?? "");
};

/** A word that begins another part of the query. */
function turn(level: Level, word: string): boolean {
  const { clause } = level;
  if (word === "select") Object.assign(level, { clause: "list", expects: false });
  else if (word === "with" && clause === "none") level.clause = "other";
  else if (word === "from" && clause === "list") Object.assign(level, { clause: "tables", expects: true });
  else if ((word === "join" || word === "straight_join") && clause !== "list")
    Object.assign(level, { clause: "tables", expects: true });
  else if ((word === "on" || word === "using") && clause === "tables") level.clause = "on";
  else if (endings.has(word) && (clause === "tables" || clause === "on"))
    Object.assign(level, { clause: "other", expects: false });
  else if (setOperators.has(word)) Object.assign(level, { clause: "none", expects: false });
  else return false;
  return true;
}

/** The name that begins here; undefined for a call such as JSON_TABLE( */
function placeAt(tokens: readonly Token[], first: number, isCommand: boolean): TablePlace | undefined {
  const isQualified = tokens[first + 1]?.text === "." && isNameToken(tokens[first + 2]);
  const last = isQualified ? first + 2 : first;
  const name = tokens[last]?.text ?? "";
  const next = tokens[last + 1];
  if (next?.text === "(" && next.kind === "symbol") return undefined;
  const follows = next?.kind === "word" ? next.text : "";
  const hasHint = hints.has(follows);
  const isNamed = next?.kind === "string" || next?.kind === "name" || (follows !== "" && !followers.has(follows));
  const hasAlias = isNamed && !hasHint;
  return { schema: isQualified ? tokens[first]?.text : undefined, name, first, last, hasAlias, hasHint, isCommand };
}

/** A table of a list, with what it is called there. */
export interface WrittenTable extends WrittenName {
  readonly alias: string | undefined;
  /** Nothing else stands in the list. */
  readonly isAlone: boolean;
}

/** The tables of a list, as behind UPDATE, without those that its subqueries read. */
export function tablesIn(reader: TokenReader, from: number, to: number): readonly WrittenTable[] {
  const tokens = reader.tokens.slice(from, to);
  const { places } = findTables(tokens, true);
  return places
    .filter(({ first }) => !isInQuery(tokens, first))
    .map(({ first, last, hasAlias }) => {
      const written = tokens
        .slice(first, last + 1)
        .filter(isNameToken)
        .map(reader.written);
      const next = tokens[last + 1]?.text === "as" ? last + 2 : last + 1;
      const alias = hasAlias ? tokens[next] : undefined;
      return {
        schema: written.length > 1 ? written[0] : undefined,
        name: written.at(-1) ?? "",
        alias: isNameToken(alias) ? reader.written(alias) : undefined,
        isAlone: first === 0 && (hasAlias ? next : last) === tokens.length - 1,
      };
    });
}

function isInQuery(tokens: readonly Token[], at: number): boolean {
  const opened: boolean[] = [];
  for (let before = 0; before < at; before++) {
    const { kind, text } = tokens[before] ?? {};
    const next = tokens[before + 1];
    if (kind === "symbol" && text === "(")
      opened.push(next?.kind === "word" && /^(select|with|values|table)$/.test(next.text));
    if (kind === "symbol" && text === ")") opened.pop();
  }
  return opened.includes(true);
}
