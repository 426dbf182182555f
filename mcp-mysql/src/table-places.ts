/**
 * Where tables stand in a statement, token by token: what FROM, JOIN and TABLE are followed by, in every parenthesis.
 * Whoever relies on it must treat a name that stands elsewhere as unknown; nothing here decides.
 */
import { isNameToken, type Token } from "./lexer.js";

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

/** Every place of a table, in order, and the names of CTEs in lower case. */
export function findTables(tokens: readonly Token[]): {
  readonly places: readonly TablePlace[];
  readonly commonTables: ReadonlySet<string>;
} {
  const places: TablePlace[] = [];
  const commonTables = new Set<string>();
  const levels: Level[] = [{ clause: "none", expects: false }];
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
