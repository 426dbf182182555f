/**
 * Reads the tokens of a statement in the order of a grammar, and remembers which of them it has understood, so that the
 * rest can be held to the rules for any SQL. It knows no statement.
 */
import { isNameToken, type Token } from "./lexer.js";

/** A name as the statement writes it, qualified or not. */
export interface WrittenName {
  readonly schema: string | undefined;
  readonly name: string;
}

export interface TokenReader {
  readonly tokens: readonly Token[];
  /** The next token's index. */
  at: number;
  /** Indexes of the tokens that were taken. */
  readonly understood: Set<number>;
  /** The bare word or symbol that comes next; empty for a quoted name or the end. */
  next(offset?: number): string;
  /** Takes these words and symbols if they come next, all or none. */
  take(...words: readonly string[]): boolean;
  /** Takes the first of them that comes next. */
  takeOne(words: readonly string[]): string | undefined;
  /** Takes a name, with its schema where it has one. */
  takeName(): WrittenName | undefined;
  /** Goes behind the parenthesis that opens next, without having understood what is in it. */
  skipGroup(): void;
  /** Where one of these words stands next outside of parentheses; the end when none does. */
  find(words: readonly string[], from?: number): number;
  /** A token's own letters. */
  written(token: Token): string;
}

export function createTokenReader(sql: string, tokens: readonly Token[]): TokenReader {
  const understood = new Set<number>();
  const bare = (at: number): string => {
    const token = tokens[at];
    return token?.kind === "word" || token?.kind === "symbol" ? token.text : "";
  };
  const reader: TokenReader = {
    tokens,
    at: 0,
    understood,
    next: (offset = 0) => bare(reader.at + offset),
    take(...words) {
      if (!words.every((word, offset) => bare(reader.at + offset) === word)) return false;
      for (const _ of words) understood.add(reader.at++);
      return true;
    },
    takeOne: (words) => words.find((word) => reader.take(word)),
    takeName() {
      const [first, dot, second] = tokens.slice(reader.at, reader.at + 3);
      if (!isNameToken(first)) return undefined;
      const isQualified = dot?.text === "." && dot.kind === "symbol" && isNameToken(second);
      for (let taken = 0; taken < (isQualified ? 3 : 1); taken++) understood.add(reader.at++);
      const schema = reader.written(first);
      return isQualified ? { schema, name: reader.written(second) } : { schema: undefined, name: schema };
    },
    skipGroup() {
      if (bare(reader.at) === "(") reader.at = closingOf(tokens, reader.at) + 1;
    },
    find(words, from = reader.at) {
      for (let at = from; at < tokens.length; at++) {
        if (bare(at) === "(") at = closingOf(tokens, at);
        else if (tokens[at]?.kind === "word" && words.includes(bare(at)) && bare(at - 1) !== ".") return at;
      }
      return tokens.length;
    },
    // A word's text is in lower case, and names are not the same in both on every server.
    written: ({ kind, text, start, end }) => (kind === "word" ? sql.slice(start, end) : text),
  };
  return reader;
}

/** The parenthesis that closes this one; the end when none does. */
export function closingOf(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    const { kind, text } = tokens[at] ?? {};
    if (kind === "symbol" && text === "(") depth++;
    if (kind === "symbol" && text === ")" && --depth === 0) return at;
  }
  return tokens.length;
}

/** The parts between commas outside of parentheses, as half-open ranges of indexes. */
export function partsOf(
  tokens: readonly Token[],
  from: number,
  to: number,
): readonly (readonly [from: number, to: number])[] {
  const parts: [number, number][] = [];
  let start = from;
  for (let at = from; at < to; at++) {
    const { kind, text } = tokens[at] ?? {};
    if (kind !== "symbol") continue;
    if (text === "(") at = closingOf(tokens, at);
    else if (text === ",") {
      parts.push([start, at]);
      start = at + 1;
    }
  }
  parts.push([start, to]);
  return parts;
}
