/**
 * What one statement says, token by token: its class by the first word, the words and marks that make a query do more
 * than read, and every call. It decides by what is known to be harmless; the rest is refused. It asks no server.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { StatementError } from "@database-interface/mcp-core/sql";
import { forbidden, harmful, isSpatial, natives, openers, secretNames, secretTables, shows } from "./guard-lists.js";
import { answersAlike } from "./guard-repeat.js";
import type { Token } from "./lexer.js";

/** A call of something that is not native: perhaps a stored function. */
export interface Call {
  readonly schema: string | undefined;
  readonly name: string;
  readonly token: Token;
}

/** What a harmless statement leaves to be looked up. */
export interface Inspection {
  readonly calls: readonly Call[];
  /** Every name that stands in it, in lower case: some may be views. */
  readonly names: ReadonlySet<string>;
  /** Those that stand behind a dot, with the name before it: a schema, a table or an alias. */
  readonly members: readonly (readonly [qualifier: string, name: string])[];
  /** As far as its own words tell. */
  readonly isRepeatable: boolean;
}

const selecting = new Set(["select", "with", "values", "table"]);

/** The first word, parentheses skipped. */
export const verbOf = (tokens: readonly Token[]): string => tokens.find(({ text }) => text !== "(")?.text ?? "";

export const isQuery = (verb: string): boolean => selecting.has(verb);

/** @throws CodedError `read_only`, `not_allowed` */
export function inspectStatement(tokens: readonly Token[]): Inspection {
  const verb = verbOf(tokens);
  if (isQuery(verb)) return inspectTokens(tokens);
  checkCommand(verb, tokens);
  // The query in `FORMAT=JSON (SELECT …)` is no argument of the word before it.
  const understood = new Set(Array(introOf(tokens)).keys());
  return inspectTokens(tokens, { isShow: verb === "show", understood });
}

/** What is known of the tokens before they are inspected. */
export interface Foreknown {
  /** In SHOW words are only words. */
  readonly isShow?: boolean;
  /** Indexes of tokens that a grammar accounts for, though they mean harm elsewhere. */
  readonly understood?: ReadonlySet<number>;
}

/** Checks of any piece of SQL, such as a stored function's body. @throws StatementError `not_allowed` */
export function inspectTokens(tokens: readonly Token[], { isShow, understood }: Foreknown = {}): Inspection {
  const calls: Call[] = [];
  const names = new Set<string>();
  const members: [string, string][] = [];
  // Behind SHOW words are only words, up to its WHERE, which is any expression.
  const where = isShow === true ? tokens.findIndex(({ kind, text }) => kind === "word" && text === "where") : -1;
  const isWordOnly = (at: number, word: string) => isShow === true && word !== "into" && (where === -1 || at < where);
  tokens.forEach((token, at) => {
    const { kind, text } = token;
    const next = tokens[at + 1]?.text;
    if (text === ":=") throw notAllowed("Assigning variables is not allowed", token);
    if (kind !== "word" && kind !== "name") return;
    const lower = text.toLowerCase();
    names.add(lower);
    if (tokens[at - 1]?.text === ".") members.push([tokens[at - 2]?.text ?? "", text]);
    const isUnderstood = understood?.has(at) === true;
    if (kind === "word" && !isWordOnly(at, lower) && !isUnderstood) checkWord(lower, tokens, at);
    if (secretNames.has(lower) || (lower === "mysql" && next === "." && isSecret(tokens[at + 2]))) {
      throw notAllowed("Tables with the secrets of accounts may not be read", token);
    }
    if (next === "(" && !isUnderstood) {
      const call = toCall(tokens, at);
      if (call !== undefined) calls.push(call);
    }
  });
  return { calls, names, members, isRepeatable: answersAlike(tokens) };
}

const isSecret = (token: Token | undefined): boolean => secretTables.has(token?.text.toLowerCase() ?? "");

function checkCommand(verb: string, tokens: readonly Token[]): void {
  const rest = tokens.slice(1);
  // MySQL's EXPLAIN ANALYZE runs the query, inside its limits.
  if (verb === "explain" && rest[0]?.text === "analyze") {
    checkCommand("analyze", rest);
    return;
  }
  const said = rest.map(({ text }) => text.toLowerCase());
  if (tokens[0]?.text !== verb) throw refusedVerb(verb);
  if (verb === "show") {
    if (shows.some((pattern) => pattern.test(said.join(" ")))) return;
    throw new CodedError("not_allowed", "This form of SHOW is not allowed.", {
      hint: "SHOW TABLES, COLUMNS, INDEX, CREATE TABLE, STATUS, VARIABLES and the like are.",
    });
  }
  if (verb === "help") return;
  if (!["explain", "describe", "desc", "analyze"].includes(verb)) throw refusedVerb(verb);
  const target = tokens.slice(introOf(tokens));
  // ANALYZE TABLE writes statistics; EXPLAIN TABLE explains a query.
  if (isQuery(verbOf(target)) && !(verb === "analyze" && verbOf(target) === "table")) return;
  if (verb === "analyze" || !isTableAndColumn(target)) throw refusedVerb(`${verb} ${target[0]?.text ?? ""}`.trim());
}

/** Without a query it is DESCRIBE: a table, and perhaps a column or a pattern. */
function isTableAndColumn(target: readonly Token[]): boolean {
  const [first] = target;
  if (first?.kind === "word" && notTables.has(first.text)) return false;
  const shape = target.map(({ kind, text }) => (text === "." ? "." : kind === "string" ? "s" : kind[0])).join("");
  return /^[wn](?:\.[wn])?[wns]?$/.test(shape);
}

/** How many of the first tokens say only how to explain. */
function introOf(tokens: readonly Token[]): number {
  const said = tokens.map(({ text }) => text.toLowerCase());
  let at = said[0] === "explain" && said[1] === "analyze" ? 2 : 1;
  for (;;) {
    if (said[at] === "extended" || said[at] === "partitions") at++;
    else if (said[at] === "format" && said[at + 1] === "=") at += 3;
    else return at;
  }
}

const notTables = new Set("insert replace update delete for merge table call set do into".split(" "));

function checkWord(word: string, tokens: readonly Token[], at: number): void {
  const token = tokens[at];
  const next = tokens[at + 1]?.text.toLowerCase();
  const isMember = tokens[at - 1]?.text === ".";
  if (token === undefined) return;
  if (word === "into") throw notAllowed("INTO writes a result somewhere, which is not allowed", token);
  if (forbidden.has(word) && !isMember) throw notAllowed(`${word.toUpperCase()} is not allowed in a query`, token);
  if ((word === "insert" || word === "replace") && next !== "(") throw notAllowed("Writing is not allowed", token);
  if (word === "for" && (next === "update" || next === "share")) throw locks(token);
  if (word === "lock" && next === "in") throw locks(token);
  if (word === "procedure" && !isMember) throw notAllowed("PROCEDURE is not allowed in a query", token);
  if ((word === "next" || word === "previous") && next === "value") {
    throw notAllowed("Sequences may not be advanced or read this way", token);
  }
}

/** A call to look up; undefined for what is harmless. Names in backticks call functions as well. */
function toCall(tokens: readonly Token[], at: number): Call | undefined {
  const token = tokens[at];
  if (token === undefined) return undefined;
  const name = token.text.toLowerCase();
  const before = tokens[at - 1]?.text;
  const schema = before === "." ? tokens[at - 2]?.text : undefined;
  if (schema !== undefined) return { schema, name: token.text, token };
  if (token.kind === "word" && openers.has(name)) return undefined;
  if (isColumnList(tokens, at)) return undefined;
  if (harmful.has(name)) throw notAllowed(`The function ${name.toUpperCase()} is not allowed`, token);
  if (natives.has(name) || isSpatial(name)) return undefined;
  return { schema: undefined, name: token.text, token };
}

/** `WITH t (a, b) AS (…`: nothing but names in the parentheses, and a query after them. */
function isColumnList(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1];
  if (before === undefined || !(before.text === "with" || before.text === "recursive" || before.text === ","))
    return false;
  for (let next = at + 2; next < tokens.length; next += 2) {
    const [name, mark, as, open] = tokens.slice(next, next + 4);
    if (name?.kind !== "word" && name?.kind !== "name") return false;
    if (mark?.text === ")") return as?.text === "as" && open?.text === "(";
    if (mark?.text !== ",") return false;
  }
  return false;
}

const locks = (token: Token) => notAllowed("Locking rows is not allowed", token);

function notAllowed(message: string, token: Token): StatementError {
  const hint = "Leave it out; a column of that name goes in backticks.";
  return new StatementError("not_allowed", `${message}.`, { hint, position: token.start + 1 });
}

function refusedVerb(verb: string): CodedError {
  const shown = /^[a-z ]{1,40}$/i.test(verb) ? verb.toUpperCase() : "This";
  return new CodedError("read_only", `This server only reads; ${shown} is not a query.`, {
    hint: "Use SELECT, WITH, VALUES, TABLE, SHOW, DESCRIBE or EXPLAIN.",
  });
}
