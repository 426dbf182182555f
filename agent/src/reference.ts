/** Reference ids: whoever has one opens its session. */
import { randomBytes } from "node:crypto";

/** 128 random bits. On a command line a reference that begins with a dash would be taken for a flag. */
export function newReference(): string {
  const reference = randomBytes(16).toString("base64url");
  return reference.startsWith("-") ? newReference() : reference;
}
