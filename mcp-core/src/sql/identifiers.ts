/** Names as a statement needs them: read from what a model typed, written back quoted only where they must be. */
import { CodedError } from "../host/errors.js";
import type { TableName } from "./catalog-objects.js";
import { toOneLine } from "./json-text.js";

/** The character a dialect puts around names. */
export type IdentifierQuote = '"' | "`";

const plainName = /^[a-z_][a-z0-9_]*$/;

/** A name ready for a statement: as it is when plain and lower-case, else quoted, every character visible. */
export function quoteName(name: string, quote: IdentifierQuote): string {
  if (plainName.test(name)) return name;
  return quote + toOneLine(name, 256).replaceAll(quote, quote + quote) + quote;
}

/** A table's name with its schema, ready for a statement. */
export function quoteTable(table: { readonly schema: string; readonly name: string }, quote: IdentifierQuote): string {
  return `${quoteName(table.schema, quote)}.${quoteName(table.name, quote)}`;
}

const part = /\s*(?:"((?:[^"]|"")+)"|`((?:[^`]|``)+)`|([^."`\s][^."`]*?))\s*(\.|$)/y;

/**
 * Reads `table`, `schema.table` and their quoted forms.
 * @throws CodedError `parameter_invalid` for anything else
 */
export function parseTableName(text: string): TableName {
  const parts: string[] = [];
  part.lastIndex = 0;
  for (let more = true; more; ) {
    const found = part.exec(text);
    const name = found?.[1]?.replaceAll('""', '"') ?? found?.[2]?.replaceAll("``", "`") ?? found?.[3];
    if (name === undefined) break;
    parts.push(name);
    more = found?.[4] === ".";
    if (!more && part.lastIndex >= text.length && parts.length <= 2) {
      const [first, second] = parts;
      if (second !== undefined) return { schema: first, name: second };
      if (first !== undefined) return { name: first };
    }
  }
  throw new CodedError("parameter_invalid", "`table` is not the name of a table.", {
    hint: 'Write table or schema.table; a name with dots or spaces goes in quotes: schema."my table".',
  });
}
