/**
 * Opens Fernet tokens, as Python's `cryptography` makes them: for reading what others have sealed, once. Nothing is
 * sealed so here. A package for it exists, on a cipher library that is no longer kept; Node has all the parts.
 * @see https://github.com/fernet/spec/blob/master/Spec.md
 */
import { createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";

/** The two halves of a Fernet key. */
export interface FernetKey {
  readonly signing: Uint8Array;
  readonly encryption: Uint8Array;
}

/** How old a token may be. */
export interface FernetAge {
  /** Milliseconds since it was made, at most; without it any age will do. */
  readonly maxAgeMs?: number | undefined;
  readonly now?: (() => number) | undefined;
}

const version = 0x80;
const [timeEnd, ivEnd, tagBytes, blockBytes, halfBytes] = [9, 25, 32, 16, 16];
/** Milliseconds by which the clock of whoever made a token may be ahead, as the reference has it. */
const maxSkewMs = 60_000;

/** The key in 32 bytes. */
export const toFernetKey = (bytes: Uint8Array): FernetKey => ({
  signing: bytes.subarray(0, halfBytes),
  encryption: bytes.subarray(halfBytes, 2 * halfBytes),
});

/** The key that `Fernet.generate_key()` wrote; undefined for any other text. */
export function parseFernetKey(text: string): FernetKey | undefined {
  const bytes = decode(text.trim());
  return bytes?.length === 2 * halfBytes ? toFernetKey(bytes) : undefined;
}

/** The text in a token; undefined when it is none of this key's, was changed, or is too old. */
export function openFernet(
  token: string,
  { signing, encryption }: FernetKey,
  { maxAgeMs, now = Date.now }: FernetAge = {},
): string | undefined {
  const bytes = decode(token);
  if (bytes === undefined || bytes.length < ivEnd + blockBytes + tagBytes || bytes[0] !== version) return undefined;
  const signed = bytes.subarray(0, -tagBytes);
  if (!timingSafeEqual(createHmac("sha256", signing).update(signed).digest(), bytes.subarray(-tagBytes)))
    return undefined;
  const madeAt = Number(bytes.readBigUInt64BE(1)) * 1_000;
  if (maxAgeMs !== undefined && (madeAt + maxAgeMs < now() || madeAt > now() + maxSkewMs)) return undefined;
  try {
    const cipher = createDecipheriv("aes-128-cbc", encryption, signed.subarray(timeEnd, ivEnd));
    return Buffer.concat([cipher.update(signed.subarray(ivEnd)), cipher.final()]).toString("utf8");
  } catch {
    return undefined; // no whole blocks, or padding that is none
  }
}

/** Node's own decoder passes over what is not base64. */
function decode(text: string): Buffer | undefined {
  return /^[A-Za-z0-9_-]+={0,2}$/.test(text) ? Buffer.from(text, "base64url") : undefined;
}
