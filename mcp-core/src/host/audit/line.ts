/**
 * One record as a line: JSON that names the hash of the line before it, and ends with its own. Whether a line may
 * follow another is decided here; files and writing are other rooms' business.
 */
import { createHash } from "node:crypto";

/** Where a chain stands: the last record's number and hash. */
export interface Link {
  readonly sequence: number;
  /** SHA-256 in hex. */
  readonly hash: string;
}

/** What a record says, apart from its place in the chain. */
export type Body = Readonly<Record<string, unknown>>;

/** Before the first record. */
export const beginning: Link = { sequence: 0, hash: "0".repeat(64) };

/** A line as it was read. */
export interface ReadLine extends Link {
  readonly previous: string;
  /** Its hash is the hash of what it says. */
  readonly isIntact: boolean;
  readonly body: Body;
}

/** The line of a record after `last`, newline included, and where the chain stands then. */
export function toLine(body: Body, last: Link): { readonly line: string; readonly link: Link } {
  const sequence = last.sequence + 1;
  const text = escapeUnseen(JSON.stringify({ sequence, ...body, previous: last.hash }));
  const hash = hashOf(text);
  return { line: `${text.slice(0, -1)},"hash":"${hash}"}\n`, link: { sequence, hash } };
}

const form = /^(\{.*),"hash":"([0-9a-f]{64})"\}$/;

/** A line without its newline; undefined when it isn't one of ours. */
export function parseLine(line: string): ReadLine | undefined {
  const [, start, hash] = form.exec(line) ?? [];
  if (start === undefined || hash === undefined) return undefined;
  const text = `${start}}`;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof body !== "object" || body === null) return undefined;
  const { sequence, previous } = body as { sequence?: unknown; previous?: unknown }; // looked at below
  if (typeof sequence !== "number" || typeof previous !== "string") return undefined;
  return { sequence, previous, hash, isIntact: hashOf(text) === hash, body: body as Body };
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Control, bidi and zero-width characters, which JSON leaves as they are and terminals obey. */
const unseen = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const escapeUnseen = (text: string): string =>
  text.replace(unseen, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

const maxTextLength = 200;

/** A name that came from outside, short enough for a record. */
export const toRecordText = (text: string): string =>
  text.length > maxTextLength ? `${text.slice(0, maxTextLength)}…` : text;
