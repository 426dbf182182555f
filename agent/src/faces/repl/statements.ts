/**
 * Where one statement ends and the next begins: quotes, comments and dollar quotes are understood, nothing else of SQL.
 * Deciding what may run is the server's business.
 */

/** What the text of a dialect looks like. */
export interface Dialect {
  /** `\'` inside a quoted text. */
  readonly backslashEscapes: boolean;
  /** `# comment` to the end of the line. */
  readonly hashComments: boolean;
  /** `$tag$ … $tag$`. */
  readonly dollarQuotes: boolean;
}

/** The dialect of a server by the name it gives itself. */
export function dialectOf(server: string | undefined): Dialect {
  const isMysql = /maria|mysql/i.test(server ?? "");
  return { backslashEscapes: isMysql, hashComments: isMysql, dollarQuotes: !isMysql };
}

/** The statements that end with `;` in a text, and what is left behind the last one. */
export function splitStatements(
  text: string,
  dialect: Dialect,
): { readonly statements: readonly string[]; readonly rest: string } {
  const statements: string[] = [];
  let start = 0;
  let at = 0;
  while (at < text.length) {
    if (text[at] === ";") {
      const statement = text.slice(start, at).trim();
      if (!isBlank(statement, dialect)) statements.push(statement);
      start = at + 1;
      at += 1;
    } else {
      at = skipToken(text, at, dialect);
    }
  }
  const rest = text.slice(start);
  return { statements, rest: isBlank(rest, dialect) && isClosed(rest, dialect) ? "" : rest };
}

/** Whether a text holds comments and space only. */
export function isBlank(text: string, dialect: Dialect): boolean {
  for (let at = 0; at < text.length; ) {
    const isSpace = /\s/.test(text[at] ?? "");
    if (!isSpace && !startsComment(text, at, dialect)) return false;
    at = isSpace ? at + 1 : skipToken(text, at, dialect);
  }
  return true;
}

/** A piece of a statement: a comment, a quoted text (closed or not), or what stands between those. */
export interface Piece {
  readonly kind: "comment" | "quoted" | "plain";
  readonly text: string;
}

/** The pieces of a text, in order; together they are the text. */
export function piecesOf(text: string, dialect: Dialect): readonly Piece[] {
  const pieces: Piece[] = [];
  let plainFrom = 0;
  const closePlain = (at: number): void => {
    if (at > plainFrom) pieces.push({ kind: "plain", text: text.slice(plainFrom, at) });
  };
  for (let at = 0; at < text.length; ) {
    const end = skipToken(text, at, dialect);
    const isComment = startsComment(text, at, dialect);
    if (isComment || end > at + 1 || /['"`]/.test(text[at] ?? "")) {
      closePlain(at);
      pieces.push({ kind: isComment ? "comment" : "quoted", text: text.slice(at, end) });
      plainFrom = end;
    }
    at = end;
  }
  closePlain(text.length);
  return pieces;
}

/** The end of what starts at a position: a quoted text, a comment, or one character. */
function skipToken(text: string, at: number, dialect: Dialect): number {
  const character = text[at];
  if (startsComment(text, at, dialect))
    return text.startsWith("/*", at) ? after(text, "*/", at + 2) : after(text, "\n", at);
  if (character === "'" || character === '"' || character === "`") return endOfQuoted(text, at, character, dialect);
  if (character === "$" && dialect.dollarQuotes && !/[\w$]/.test(text[at - 1] ?? "")) {
    const tag = /^\$(?:[A-Za-z_]\w*)?\$/.exec(text.slice(at, at + 70))?.[0];
    if (tag !== undefined) return after(text, tag, at + tag.length);
  }
  return at + 1;
}

function startsComment(text: string, at: number, dialect: Dialect): boolean {
  return text.startsWith("--", at) || text.startsWith("/*", at) || (dialect.hashComments && text[at] === "#");
}

function endOfQuoted(text: string, start: number, quote: string, dialect: Dialect): number {
  const isEscaped =
    quote !== "`" &&
    (dialect.backslashEscapes || (quote === "'" && /(?:^|\W)e$/i.test(text.slice(Math.max(0, start - 2), start))));
  for (let at = start + 1; at < text.length; at += 1) {
    if (isEscaped && text[at] === "\\") at += 1;
    else if (text[at] === quote) {
      if (text[at + 1] !== quote) return at + 1;
      at += 1;
    }
  }
  return text.length;
}

function after(text: string, end: string, from: number): number {
  const found = text.indexOf(end, from);
  return found === -1 ? text.length : found + end.length;
}

/** False while a block comment is still open. */
function isClosed(text: string, dialect: Dialect): boolean {
  for (let at = 0; at < text.length; ) {
    if (text.startsWith("/*", at) && !text.includes("*/", at + 2)) return false;
    at = skipToken(text, at, dialect);
  }
  return true;
}
