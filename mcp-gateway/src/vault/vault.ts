/**
 * Sealing for storage: AES-256-GCM under a sub-key of its own for every record and field, bound to both, so that a text
 * copied to another place does not open. It also makes the names under which records stand. It knows keys and texts;
 * neither stores nor sessions.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
import { CodedError, type Log } from "@database-interface/mcp-core/host";
import type { KeyRing, VaultKey } from "./key-ring.js";

/** Where a sealed text belongs; it opens nowhere else. */
export interface Place {
  /** The record's name in the store. */
  readonly record: string;
  readonly field: string;
  /** A secret that is kept nowhere and without which not even the keys open the text. */
  readonly reference?: string | undefined;
}

/** An opened text. */
export interface Opened {
  readonly text: string;
  /** False when it was sealed with a key that seals no more: seal it again. */
  readonly isCurrent: boolean;
}

/** Seals, opens and names. */
export interface Vault {
  readonly isLasting: boolean;
  seal(text: string, place: Place): string;
  /** @throws CodedError `key_unknown`, `record_damaged` */
  open(sealed: string, place: Place): Opened;
  /** The names of a record known by secret words: the one it gets now, then those it may have under older keys. */
  namesOf(...words: readonly string[]): readonly [string, ...string[]];
}

const format = "v1";
const ivBytes = 12;
const tagBytes = 16;

export function createVault(ring: KeyRing, { log }: { log: Log }): Vault {
  const [sealing] = ring.keys;
  const naming = ring.keys.map(({ secret }) => Buffer.from(hkdfSync("sha256", secret, "", "names", 32)));
  const nameBy = (key: Buffer, words: readonly string[]): string =>
    createHmac("sha256", key).update(JSON.stringify(words)).digest("base64url");
  return {
    isLasting: ring.isLasting,
    seal(text, place) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv("aes-256-gcm", subKey(sealing, place), iv);
      cipher.setAAD(associated(sealing.kid, place));
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return `${format}.${sealing.kid}.${Buffer.concat([iv, cipher.getAuthTag(), body]).toString("base64url")}`;
    },
    open(sealed, place) {
      const [given, kid = "", encoded, ...rest] = sealed.split(".");
      if (given !== format || encoded === undefined || rest.length > 0) throw damaged(log, place);
      const key = ring.keys.find((one) => one.kid === kid);
      if (key === undefined) throw unknownKey(log, kid, place);
      const bytes = Buffer.from(encoded, "base64url");
      const isExact = bytes.toString("base64url") === encoded; // Node's decoder passes over what it cannot read
      if (!isExact || bytes.length < ivBytes + tagBytes) throw damaged(log, place);
      try {
        const iv = bytes.subarray(0, ivBytes);
        const decipher = createDecipheriv("aes-256-gcm", subKey(key, place), iv, { authTagLength: tagBytes });
        decipher.setAAD(associated(kid, place));
        decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
        const text = Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]);
        return { text: text.toString("utf8"), isCurrent: key === sealing };
      } catch (cause) {
        throw damaged(log, place, cause);
      }
    },
    namesOf(...words) {
      const [current = "", ...older] = naming.map((key) => nameBy(key, words));
      return [current, ...older];
    },
  };
}

const subKey = ({ secret }: VaultKey, { record, field, reference = "" }: Place): Buffer =>
  Buffer.from(hkdfSync("sha256", secret, reference, JSON.stringify(["seal", record, field]), 32));

const associated = (kid: string, { record, field }: Place): Buffer =>
  Buffer.from(JSON.stringify([format, kid, record, field]));

/** The record stays as it is: the key may come back. */
function unknownKey(log: Log, kid: string, { record, field }: Place): CodedError {
  log.error("vault_key_unknown", { kid: /^[\w-]{1,32}$/.test(kid) ? kid : "?", record, field });
  return new CodedError("key_unknown", "What is stored here was sealed with a key that this gateway does not have.", {
    hint: "The gateway's log names the key; its operator adds it behind the first one of MCP_KEYS.",
  });
}

/** The record stays as it is, for people to look at. */
function damaged(log: Log, { record, field }: Place, cause?: unknown): CodedError {
  log.error("vault_record_damaged", { record, field });
  return new CodedError("record_damaged", "What is stored here was changed by somebody else or is damaged.", {
    hint: "Open a new session; the gateway's log names the record.",
    cause,
  });
}
