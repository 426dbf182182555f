/**
 * SQL as the server's own lexer cuts it (utf8mb4, backslash escapes, no ANSI_QUOTES), token by token. What the server
 * could read differently from how it looks — executable comments, unclosed quotes, stray control characters — is
 * refused here. It knows tokens, not statements.
 */
import { isBroken, StatementError } from "@database-interface/mcp-core/sql";

/** `word` is a bare identifier, keyword or number; `name` one in backticks; `variable` starts with @. */
export type TokenKind = "word" | "name" | "string" | "variable" | "parameter" | "symbol" | "end";

export interface Token {
  readonly kind: TokenKind;
  /** A word in lower case, a name without its quotes, else the characters themselves. */
  readonly text: string;
  /** Offsets into the SQL, in UTF-16 units from 0; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
}

/** A word or a name in backticks. */
export const isNameToken = (token: Token | undefined): token is Token =>
  token?.kind === "word" || token?.kind === "name";

const space = /[ \t-\r]+/y;
/** Two dashes begin a comment only before a space or control character (manual 9.7). */
const lineComment = /(?:#|--(?=[\x00-\x20]|$))[^\n]*/y;
const blockComment = /\/\*[\s\S]*?\*\//y;
const string = /'(?:[^'\\]|''|\\[\s\S])*'|"(?:[^"\\]|""|\\[\s\S])*"/y;
const quotedName = /`(?:[^`]|``)+`/y;
const variable =
  /@@?(?:[A-Za-z0-9_$.\u0080-\uffff]+|`(?:[^`]|``)*`|'(?:[^'\\]|''|\\[\s\S])*'|"(?:[^"\\]|""|\\[\s\S])*")?/y;
const decimal = /(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?(?![A-Za-z0-9_$\u0080-\uffff])/y;
const word = /[A-Za-z0-9_$\u0080-\uffff]+/y;
const symbol = /:=|<=>|<<|>>|<=|>=|<>|!=|&&|\|\||->>?|\\N|[-+*/%&|^~!<>=(),.;:{}]/y;
/** `1.e` vanishes in some servers' lexers, and hides the call behind it. */
const brokenExponent = /\d\.[eE](?![+-]?\d)/y;

/** @throws StatementError `not_allowed`, `syntax_error` with its position */
export function tokenize(sql: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(sql)?.[0];
  };
  const push = (kind: TokenKind, text: string, length: number) => {
    tokens.push({ kind, text, start: at, end: at + length });
    at += length;
  };

  // A NUL ends a comment for the server, and is nothing anyone means.
  at = Math.max(0, sql.indexOf("\0"));
  if (at > 0 || sql.startsWith("\0")) throw unexpected(at);
  // The server would get another character than stands here.
  if (isBroken(sql)) throw unexpected(sql.search(/\p{Surrogate}/u));
  while (at < sql.length) {
    const blank = match(space) ?? match(lineComment) ?? comment();
    if (blank !== undefined) {
      at += blank.length;
      continue;
    }
    const character = sql[at] ?? "";
    if (character === ";") push("end", ";", 1);
    else if (character === "?") push("parameter", "?", 1);
    else if (character === "'" || character === '"') pushQuoted("string", match(string));
    else if (character === "`") {
      const found = match(quotedName);
      push("name", unquote(found), found?.length ?? 0);
    } else if (character === "@") {
      const found = match(variable) ?? character;
      push("variable", found, found.length);
    } else pushBare();
  }
  return tokens;

  function comment(): string | undefined {
    if (!sql.startsWith("/*", at)) return undefined;
    if (/\/\*M?!/y.test(sql.slice(at, at + 4))) throw refused("Executable comments (/*! … */) are not allowed.", at);
    const found = match(blockComment);
    if (found === undefined) throw unclosed("comment", at);
    // Optimizer hints that set variables or take the time limit off (MySQL manual 10.9.3).
    if (found.startsWith("/*+") && /set_var|max_execution_time|resource_group/i.test(found)) {
      throw refused("This optimizer hint is not allowed.", at);
    }
    return found;
  }

  function pushQuoted(kind: TokenKind, found: string | undefined): void {
    if (found === undefined) throw unclosed("quote", at);
    push(kind, found, found.length);
  }

  function unquote(found: string | undefined): string {
    if (found === undefined) throw unclosed("backtick", at);
    return found.slice(1, -1).replaceAll("``", "`");
  }

  function pushBare(): void {
    if (match(brokenExponent) !== undefined) throw refused("A number has an exponent without digits.", at);
    // After a point a digit begins a name: `t.1st`.
    const isMember = sql[at - 1] === "." && tokens.at(-1)?.text === ".";
    const found = (isMember ? undefined : match(decimal)) ?? match(word);
    if (found !== undefined) {
      push("word", found.toLowerCase(), found.length);
      return;
    }
    const mark = match(symbol);
    if (mark === undefined) throw unexpected(at);
    push("symbol", mark, mark.length);
  }
}

const refused = (message: string, at: number) =>
  new StatementError("not_allowed", message, { hint: "Write the statement without it.", position: at + 1 });

const unclosed = (what: string, at: number) =>
  new StatementError("syntax_error", `The statement has a ${what} that is never closed.`, { position: at + 1 });

const unexpected = (at: number) =>
  new StatementError("syntax_error", "The statement has a character that cannot stand there.", { position: at + 1 });
