/**
 * The lexical shape of a statement: where it begins and ends, how many there are, which `$n` it names. It reads quotes,
 * dollar quotes and nested comments as the server does (manual 4.1) with standard_conforming_strings on; it does not
 * understand SQL.
 */

export interface StatementShape {
  /** The first word in lower case, parentheses skipped; empty for a text of comments and space only. */
  readonly keyword: string;
  /** How many statements hold more than comments. */
  readonly statements: number;
  /** The first statement's first character. */
  readonly start: number;
  /** The first statement's last character, exclusive: before its semicolon and trailing comments. */
  readonly end: number;
  /** The highest `$n`; 0 for none. */
  readonly parameters: number;
  /** Every quote, comment and parenthesis is closed and none closes too early. */
  readonly isClosed: boolean;
  /** Where its comments stand, from and to. */
  readonly comments: readonly (readonly [number, number])[];
}

const space = /\s+|--[^\n\r]*/y;
const word = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const marker = /\$(\d+)/y;
const dollarTag = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
const number = /\d[\w.]*/y;
const plainString = /'[^']*(?:''[^']*)*'/y;
// A literal that continues on the next line keeps its backslash escapes (manual 4.1.2.1).
const escapeString =
  /'[^'\\]*(?:(?:''|\\[\s\S])[^'\\]*)*'(?:(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:\s|--[^\n\r]*[\n\r])*'[^'\\]*(?:(?:''|\\[\s\S])[^'\\]*)*')*/y;
const quotedName = /"[^"]*(?:""[^"]*)*"/y;

export function scanStatement(sql: string): StatementShape {
  let at = 0;
  let depth = 0;
  let isClosed = true;
  let keyword = "";
  let statements = 0;
  let start = 0;
  let end = 0;
  let parameters = 0;
  let isFresh = true;
  const comments: (readonly [number, number])[] = [];

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    return pattern.exec(sql)?.[0];
  }

  while (at < sql.length) {
    const skipped = match(space) ?? blockComment(sql, at);
    if (skipped !== undefined) {
      if (skipped === "") isClosed = false;
      if (/^(--|\/\*)/.test(skipped)) comments.push([at, at + skipped.length]);
      at += skipped.length || sql.length;
      continue;
    }
    if (sql[at] === ";") {
      isFresh = true;
      at++;
      continue;
    }
    if (isFresh) statements++;
    if (isFresh && statements === 1) start = at;
    isFresh = false;
    const token = nextToken();
    at += token.length;
    if (statements === 1) end = at;
  }
  return { keyword, statements, start, end, parameters, isClosed: isClosed && depth === 0, comments };

  function nextToken(): string {
    const found = match(word);
    if (found !== undefined) {
      if (keyword === "" && statements === 1) keyword = found.toLowerCase();
      if (!/^e$/i.test(found) || sql[at + 1] !== "'") return found;
      at++;
      const text = string(escapeString);
      at--;
      return found + text;
    }
    const parameter = match(marker);
    if (parameter !== undefined) {
      parameters = Math.max(parameters, Number(parameter.slice(1)));
      return parameter;
    }
    const character = sql[at] ?? "";
    if (character === "'") return string(plainString);
    if (character === '"') return string(quotedName);
    const tag = match(dollarTag);
    if (tag !== undefined) return dollarString(tag);
    if (character === "(") depth++;
    if (character === ")" && --depth < 0) isClosed = false;
    return match(number) ?? character;
  }

  /** The quoted token here, or the rest of the text when it never ends. */
  function string(pattern: RegExp): string {
    const text = match(pattern);
    if (text === undefined) isClosed = false;
    return text ?? sql.slice(at);
  }

  function dollarString(tag: string): string {
    const close = sql.indexOf(tag, at + tag.length);
    if (close === -1) isClosed = false;
    return close === -1 ? sql.slice(at) : sql.slice(at, close + tag.length);
  }
}

/** The (nested) comment that starts here; empty when it never ends, undefined when there is none. */
function blockComment(sql: string, start: number): string | undefined {
  if (!sql.startsWith("/*", start)) return undefined;
  const mark = /\/\*|\*\//g;
  mark.lastIndex = start;
  let depth = 0;
  for (let found = mark.exec(sql); found !== null; found = mark.exec(sql)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return sql.slice(start, mark.lastIndex);
  }
  return "";
}

/** The name, qualified or not, that is written at this offset, folded as the server folds it. */
export function nameAt(sql: string, offset: number): readonly string[] {
  const name = /(?:"((?:[^"]|"")*)"|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*))\s*(\.\s*)?/y;
  name.lastIndex = offset;
  const parts: string[] = [];
  for (let found = name.exec(sql); found !== null; found = name.exec(sql)) {
    parts.push(found[1]?.replaceAll('""', '"') ?? found[2]?.toLowerCase() ?? "");
    if (found[3] === undefined) break;
  }
  return parts;
}
