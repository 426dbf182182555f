/**
 * Sealing for storage: AES-256-GCM under a sub-key of its own for every thread and field, so that a record copied to
 * another place does not open. Knows keys and texts; neither stores nor sessions.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, scryptSync } from "node:crypto";
import type { Environment } from "../config-file.js";
import { AgentError } from "../errors.js";

/** A key of 32 bytes by the short name that sealed records carry. */
export interface SealingKey {
  readonly id: string;
  readonly secret: Uint8Array;
}

/** The keys: the first seals, all open. */
export interface KeyRing {
  readonly keys: readonly SealingKey[];
  /** False for a key that dies with this process. */
  readonly isLasting: boolean;
}

/** Where a sealed text belongs; it opens nowhere else. */
export interface Place {
  readonly thread: string;
  readonly field: string;
}

const version = "s1";
const ivBytes = 12;
const tagBytes = 16;
/** A constant, as every process that knows the passphrase must find the same key; scrypt makes guessing slow. */
const passphraseSalt = "database-interface agent checkpoints";

/**
 * The keys of `MCP_KEYS` (`kid:base64,…`, 32 bytes each), else of `MCP_PASSPHRASE`, else a random one; `…_FILE` variants
 * are filled in before.
 * @throws AgentError `config_invalid`, never with a key in it
 */
export function readKeys({ MCP_KEYS: list = "", MCP_PASSPHRASE: passphrase = "" }: Environment): KeyRing {
  if (list !== "") {
    const keys = list.split(",").map((entry, index) => parseKey(entry.trim(), index + 1));
    if (new Set(keys.map(({ id }) => id)).size < keys.length) throw invalid("Two keys of MCP_KEYS have the same name.");
    return { keys, isLasting: true };
  }
  if (passphrase === "") return { keys: [{ id: "process", secret: randomBytes(32) }], isLasting: false };
  if (passphrase.length < 12) throw invalid("MCP_PASSPHRASE is shorter than 12 characters.");
  const cost = { N: 2 ** 16, r: 8, p: 1, maxmem: 128 * 2 ** 20 };
  return { keys: [{ id: "passphrase", secret: scryptSync(passphrase, passphraseSalt, 32, cost) }], isLasting: true };
}

/** Seals a text for a place. */
export function seal(text: string, place: Place, { keys }: KeyRing): string {
  const [key] = keys;
  if (key === undefined) throw new AgentError("internal", "There is no key to seal with.");
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv("aes-256-gcm", subKey(key, place), iv);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return `${version}.${key.id}.${Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString("base64")}`;
}

/** Opens what {@link seal} made for this place. @throws AgentError `store_sealed` when no key here opens it */
export function open(sealed: string, place: Place, { keys }: KeyRing): string {
  const [given, id, body = ""] = sealed.split(".");
  const key = keys.find((candidate) => candidate.id === id);
  if (given !== version || key === undefined) throw unopened();
  const bytes = Buffer.from(body, "base64");
  try {
    const iv = bytes.subarray(0, ivBytes);
    const decipher = createDecipheriv("aes-256-gcm", subKey(key, place), iv, { authTagLength: tagBytes });
    decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]).toString("utf8");
  } catch (cause) {
    throw unopened(cause);
  }
}

function subKey({ secret }: SealingKey, { thread, field }: Place): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, "", JSON.stringify(["checkpoint", thread, field]), 32));
}

function parseKey(entry: string, position: number): SealingKey {
  const [, id = "", encoded = ""] = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/_=-]+)$/.exec(entry) ?? [];
  const secret = Buffer.from(encoded, "base64");
  if (id === "" || secret.length !== 32) throw invalid(`Key ${position} of MCP_KEYS is not name:base64 of 32 bytes.`);
  return { id, secret };
}

const invalid = (message: string): AgentError =>
  new AgentError("config_invalid", message, { hint: `Make one with: echo "k1:$(openssl rand -base64 32)"` });

const unopened = (cause?: unknown): AgentError =>
  new AgentError("store_sealed", "A stored session does not open with the keys given here.", {
    hint: "Set the MCP_KEYS or MCP_PASSPHRASE it was sealed with; old keys stay in MCP_KEYS behind the new one.",
    cause,
  });
