/**
 * The anchor of a chain: a small file beside it that knows the last record, so that a cut-off end is seen. With a key
 * it carries an HMAC, and who lacks the key can neither move it nor rewrite the chain under it.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { type FileHandle, readFile } from "node:fs/promises";
import type { Link } from "./line.js";

/** What an anchor says. */
export interface Anchor extends Link {
  /** The writer ended in order: nothing may follow but a new writer's file. */
  readonly isClosed: boolean;
}

/** An anchor as it was read: `proof` is how far it can be believed. */
export interface ReadAnchor extends Anchor {
  /** `unkeyed`: it has no HMAC. `unchecked`: it has one, and no key is at hand. */
  readonly proof: "keyed" | "unkeyed" | "unchecked" | "forged";
}

/** Bytes of the file, always the same: it is overwritten in place, which needs no room on a full disk. */
const anchorBytes = 320;

/** Overwrites the anchor of a chain. */
export async function writeAnchor(file: FileHandle, chain: string, anchor: Anchor, key: string | undefined) {
  const hmac = key === undefined ? {} : { hmac: hmacOf(chain, anchor, key) };
  const text = JSON.stringify({ ...anchor, ...hmac });
  await file.write(`${text.padEnd(anchorBytes - 1)}\n`, 0);
}

/** The anchor at this path; undefined when it is missing or says nothing. */
export async function readAnchor(
  path: string,
  chain: string,
  key: string | undefined,
): Promise<ReadAnchor | undefined> {
  let read: unknown;
  try {
    read = JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
  if (typeof read !== "object" || read === null) return undefined;
  const { sequence, hash, isClosed, hmac } = read as Readonly<Record<string, unknown>>; // looked at below
  if (typeof sequence !== "number" || typeof hash !== "string" || typeof isClosed !== "boolean") return undefined;
  const anchor = { sequence, hash, isClosed };
  return { ...anchor, proof: proofOf(chain, anchor, hmac, key) };
}

function proofOf(chain: string, anchor: Anchor, hmac: unknown, key: string | undefined): ReadAnchor["proof"] {
  if (typeof hmac !== "string") return "unkeyed";
  if (key === undefined) return "unchecked";
  const expected = Buffer.from(hmacOf(chain, anchor, key));
  const given = Buffer.from(hmac);
  return given.length === expected.length && timingSafeEqual(given, expected) ? "keyed" : "forged";
}

function hmacOf(chain: string, { sequence, hash, isClosed }: Anchor, key: string): string {
  return createHmac("sha256", key).update(`${chain}\n${sequence}\n${hash}\n${isClosed}`).digest("hex");
}
