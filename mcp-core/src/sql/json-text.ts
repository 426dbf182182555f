/**
 * Text from a database written so that it stays data: as JSON strings, as one-line labels, as identifiers. Characters a
 * reader cannot see (controls, bidirectional marks, zero-width and other ignorable ones, lone surrogates) leave as
 * `\uXXXX`. It knows nothing of columns, rows or tools.
 */

/**
 * Whatever is outside printable ASCII, Latin, Greek, Cyrillic, Hebrew, Indic letters, kana, CJK ideographs and Hangul
 * needs a second look; nearly all cells do not.
 */
const mayBeInvisible =
  /[^\x20-\x7e\xa1-\xac\xae-\u02ff\u0370-\u05ff\u0900-\u0dff\u3041-\u30ff\u4e00-\u9fff\uac00-\ud7a3]/;

/**
 * Controls, format characters, line and paragraph separators, lone surrogates and every default-ignorable code point.
 * @see https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
 */
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

function toUnicodeEscapes(character: string): string {
  let escaped = "";
  for (let index = 0; index < character.length; index++) {
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }
  return escaped;
}

/** Escapes what cannot be seen in text that is already JSON; inside its strings only, as JSON allows none elsewhere. */
export function escapeInvisible(json: string): string {
  return mayBeInvisible.test(json) ? json.replace(invisible, toUnicodeEscapes) : json;
}

/** Visible characters that JSON writes as they are: what most cells consist of. */
const plain =
  /^[\x20\x21\x23-\x5b\x5d-\x7e\xa1-\xac\xae-\u02ff\u0370-\u05ff\u0900-\u0dff\u3041-\u30ff\u4e00-\u9fff\uac00-\ud7a3]*$/;

/** Any text as a JSON string in which every character can be seen. */
export function toJsonString(text: string): string {
  return plain.test(text) ? `"${text}"` : escapeInvisible(JSON.stringify(text));
}

/** Any JSON-safe value as compact JSON in which every character can be seen. */
export function toJsonText(value: unknown): string {
  return escapeInvisible(JSON.stringify(value));
}

/** Text as one line in which every character can be seen, cut after `limit` characters; for labels and definitions. */
export function toOneLine(text: string, limit = 2_000): string {
  const kept = text.length > limit ? `${cutText(text, limit)}…` : text;
  return mayBeInvisible.test(kept)
    ? kept
        .replace(/\r?\n\s*/g, " ")
        .replace(/\t/g, " ")
        .replace(invisible, toUnicodeEscapes)
    : kept;
}

/** Text of several lines in which every character can be seen, each line after `indent`, so that none can pose as ours. */
export function toIndentedLines(text: string, indent: string): string {
  const lines = text.replaceAll("\r\n", "\n").replaceAll("\t", "  ").split("\n");
  return lines
    .map((line) => indent + (mayBeInvisible.test(line) ? line.replace(invisible, toUnicodeEscapes) : line))
    .join("\n");
}

/** The first `limit` UTF-16 units, one fewer where the cut would split a character. */
export function cutText(text: string, limit: number): string {
  const last = text.charCodeAt(limit - 1);
  const splits = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splits ? limit - 1 : limit);
}

/** The longest beginning of a text that has at most `limit` bytes of UTF-8. */
export function cutBytes(text: string, limit: number): string {
  if (text.length * 3 <= limit) return text;
  const bytes = new Uint8Array(limit);
  const { read } = new TextEncoder().encodeInto(text, bytes);
  return text.slice(0, read);
}
