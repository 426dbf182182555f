/**
 * The keys that seal: of `MCP_KEYS`, of a passphrase, or a random one that dies with the process. The first seals, all
 * open, so that a new key put in front takes over as records are touched.
 */
import { createHash, createHmac, createSecretKey, type KeyObject, randomBytes, scryptSync } from "node:crypto";
import { CodedError } from "@database-interface/mcp-core/host";

/** A key by the short name that sealed records carry. */
export interface VaultKey {
  readonly kid: string;
  /** 32 bytes. */
  readonly secret: KeyObject;
}

/** The keys; the first seals. */
export interface KeyRing {
  readonly keys: readonly [VaultKey, ...VaultKey[]];
  /** False for a key that nobody will have after this process. */
  readonly isLasting: boolean;
}

/** A constant: every process that knows the passphrase must find the same key. scrypt makes guessing slow. */
const passphraseSalt = "database-interface gateway vault";
const scryptCost = { N: 2 ** 16, r: 8, p: 1, maxmem: 128 * 2 ** 20 };
const minPassphraseLength = 12;
const keyBytes = 32;

/**
 * The ring of `kid:base64,…` and of a passphrase, in this order; of neither: a random key.
 * @throws CodedError `config_invalid` naming the key, never showing it
 */
export function createKeyRing({
  keys = "",
  passphrase = "",
}: {
  readonly keys?: string | undefined;
  readonly passphrase?: string | undefined;
}): KeyRing {
  const listed =
    keys.trim() === "" ? [] : keys.split(/[,\n]/).flatMap((entry, index) => parseKey(entry.trim(), index + 1));
  const all = passphrase === "" ? listed : [...listed, fromPassphrase(passphrase)];
  const [first, ...others] = all;
  if (first === undefined) {
    const secret = createSecretKey(randomBytes(keyBytes));
    return { keys: [{ kid: `process-${randomBytes(4).toString("hex")}`, secret }], isLasting: false };
  }
  for (const [index, { kid }] of all.entries()) {
    if (all.findIndex((one) => one.kid === kid) !== index)
      throw invalid(`MCP_KEYS has two keys named ${kid}.`, "Give each its own name, such as the month it was made in.");
  }
  return { keys: [first, ...others], isLasting: true };
}

/** Tells one key from another of the same name, and nothing else about it. */
export const markOf = ({ secret }: VaultKey): string =>
  createHmac("sha256", secret).update("mark").digest("base64url").slice(0, 11);

function parseKey(entry: string, position: number): VaultKey[] {
  if (entry === "") return [];
  const colon = entry.indexOf(":");
  const kid = entry.slice(0, Math.max(0, colon));
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(kid))
    throw invalid(`Key ${position} of MCP_KEYS does not begin with its name and a colon.`);
  const encoded = entry.slice(colon + 1);
  if (!/^[A-Za-z0-9+/_-]+=*$/.test(encoded)) throw invalid(`The key ${kid} of MCP_KEYS is not base64.`);
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.length !== keyBytes)
    throw invalid(`The key ${kid} of MCP_KEYS has ${bytes.length} bytes instead of ${keyBytes}.`);
  return [{ kid, secret: createSecretKey(bytes) }];
}

function fromPassphrase(passphrase: string): VaultKey {
  if (passphrase.length < minPassphraseLength)
    throw invalid(
      `MCP_PASSPHRASE is shorter than ${minPassphraseLength} characters.`,
      "Take several words, or use MCP_KEYS.",
    );
  const bytes = scryptSync(passphrase.normalize("NFC"), passphraseSalt, keyBytes, scryptCost);
  // two passphrases have two names, so that a record says that it is of another one
  const mark = createHash("sha256").update("kid").update(bytes).digest("hex").slice(0, 8);
  return { kid: `passphrase-${mark}`, secret: createSecretKey(bytes) };
}

const invalid = (message: string, hint = `Make one with: echo "k1:$(openssl rand -base64 32)"`): CodedError =>
  new CodedError("config_invalid", message, { hint });
