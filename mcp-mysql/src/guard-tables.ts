/** Which tables a statement names, for the audit: what stands after FROM, JOIN and their like. It refuses nothing. */
import type { Token } from "./lexer.js";

const before = new Set(["from", "join", "straight_join", "into", "update", "describe", "desc"]);
/** Words that end a list of tables. */
const after = new Set(
  "where group having order limit union except intersect on using set window for select".split(" "),
);

/** The names, with their schema where it is written, without those of CTEs. */
export function tablesOf(tokens: readonly Token[]): readonly string[] {
  const found = new Set<string>();
  const commonTables = new Set<string>();
  /** Of every open parenthesis: whether SELECT stands in it, and whether we are in its list of tables. */
  const levels = [{ isQuery: true, isListing: false }];
  tokens.forEach(({ kind, text }, at) => {
    const level = levels.at(-1) ?? { isQuery: true, isListing: false };
    if (text === "(" && kind === "symbol") levels.push({ isQuery: false, isListing: level.isListing });
    else if (text === ")" && kind === "symbol" && levels.length > 1) levels.pop();
    else if (kind === "word" && tokens[at + 1]?.text === "as" && tokens[at + 2]?.text === "(") commonTables.add(text);
    if (kind === "word" && text === "select") level.isQuery = true;
    if (kind === "word" && after.has(text)) level.isListing = false;
    // FROM inside of a call, as in EXTRACT(YEAR FROM d), names no table
    const opens = kind === "word" && before.has(text) && (level.isQuery || level.isListing || text !== "from");
    if (opens) level.isListing = true;
    const isNext = opens || (level.isListing && kind === "symbol" && (text === "," || text === "("));
    const name = isNext ? nameAt(tokens, at + 1) : undefined;
    if (name !== undefined) found.add(name);
  });
  return [...found].filter((name) => !commonTables.has(name));
}

function nameAt(tokens: readonly Token[], at: number): string | undefined {
  const [first, dot, second, next] = tokens.slice(at, at + 4);
  if (!isName(first) || before.has(first.text) || after.has(first.text)) return undefined;
  if (dot?.text === "." && isName(second)) return next?.text === "(" ? undefined : `${first.text}.${second.text}`;
  return dot?.text === "(" || first.text === "lateral" ? undefined : first.text;
}

const isName = (token: Token | undefined): token is Token => token?.kind === "word" || token?.kind === "name";
