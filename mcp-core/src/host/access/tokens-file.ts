/**
 * The tokens file: who may come in, by tokens of their own, each with its roles and perhaps an end. It is watched: a
 * token that is taken out is worth nothing from then on, and what its owner still has open is cut off.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { setMaxListeners } from "node:events";
import { stat } from "node:fs/promises";
import * as v from "valibot";
import { readConfigFile } from "../config-file.js";
import { CodedError, toErrorReport } from "../errors.js";
import { watchForChanges } from "../file-watch.js";
import type { Log } from "../log.js";
import { anonymousPrincipal, type Principal, type Role, roles, sharedPrincipals } from "../principal.js";
import type { Environment } from "../resolve-settings.js";
import { type Admission, type Authenticator, sha256 } from "./authenticator.js";

/** Shorter ones can be guessed. */
const minTokenLength = 16;

const taken = new Set([...sharedPrincipals, anonymousPrincipal.id]);

/** A name for people and programs, as it stands in audit trails. */
export const principalName = v.pipe(
  v.string("must be text"),
  v.regex(/^[A-Za-z0-9][A-Za-z0-9._@:+-]{0,99}$/, "must be a name of letters, digits and . _ @ : + -, at most 100"),
  v.check((name) => !taken.has(name), "must be a name that does not stand for everybody"),
);

export const endOfToken = v.pipe(
  v.string("must be text"),
  v.check(
    (text) => /^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(Date.parse(text)),
    "must be a date such as 2027-12-31",
  ),
);

export const roleList = v.pipe(
  v.array(v.picklist(roles, `must be ${roles.join(", ")}`), "must be a list of roles"),
  v.minLength(1, "must name at least one role"),
);

const entrySchema = v.pipe(
  v.strictObject({
    principal: principalName,
    /** Of the token, in hex: then the file holds no secret. */
    sha256: v.optional(v.pipe(v.string("must be text"), v.regex(/^[0-9a-f]{64}$/i, "must be 64 hexadecimal digits"))),
    /** The token itself, best as `${file:…}` or `${VARIABLE}`. */
    token: v.optional(
      v.pipe(
        v.string("must be text"),
        v.minLength(minTokenLength, `must have at least ${minTokenLength} characters`),
        v.regex(/^[\x21-\x7e]+$/, "must be letters, digits and punctuation without blanks"),
      ),
    ),
    roles: roleList,
    expires: v.optional(endOfToken),
    note: v.optional(v.string()),
  }),
  v.check((entry) => (entry.sha256 === undefined) !== (entry.token === undefined), "must have either sha256 or token"),
);

const fileSchema = v.strictObject({ $schema: v.optional(v.unknown()), tokens: v.array(entrySchema, "must be a list") });

/** An entry of the file. */
export type TokenEntry = v.InferInput<typeof entrySchema>;

interface Token {
  /** Equal for equal entries: everything there is to know about one. */
  readonly key: string;
  readonly digest: Buffer;
  readonly principal: Principal;
  readonly expires: number;
  readonly ended: AbortController;
}

/** Tokens of a file, kept up to date until disposed. */
export interface TokensFile extends Authenticator, Disposable {}

/** What the file is opened with. */
export interface TokensFileOptions {
  readonly path: string;
  readonly environment: Environment;
  readonly log: Log;
}

/**
 * Opens a tokens file.
 * @throws CodedError `config_unreadable`; `config_invalid` for one that is wrong, or that others can write to
 */
export async function openTokensFile({ path, environment, log }: TokensFileOptions): Promise<TokensFile> {
  // looked up by an HMAC under a key of this process: how long that takes tells nothing about any token
  const blind = randomBytes(32);
  const keyOf = (digest: Buffer): string => createHmac("sha256", blind).update(digest).digest("base64");
  let tokens = new Map<string, Token>();
  let timer: NodeJS.Timeout | undefined;
  let reading = Promise.resolve();

  function take(list: readonly Token[]): void {
    const before = new Map([...tokens.values()].map((token) => [token.key, token]));
    tokens = new Map();
    for (const one of list) {
      const kept = before.get(one.key) ?? one;
      before.delete(one.key);
      tokens.set(keyOf(one.digest), kept);
    }
    for (const { ended } of before.values()) ended.abort();
    endInTime();
  }

  /** Ends tokens whose time is over, and sleeps until the next one's. */
  function endInTime(): void {
    clearTimeout(timer);
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const { expires, ended } of tokens.values()) {
      if (expires <= now) ended.abort();
      else next = Math.min(next, expires);
    }
    if (next !== Number.POSITIVE_INFINITY)
      timer = setTimeout(endInTime, Math.min(next - now, longestTimeoutMs)).unref();
  }

  async function reload(): Promise<void> {
    try {
      take(await readTokens({ path, environment, log }));
      log.info("tokens_loaded", { tokens: tokens.size });
    } catch (error) {
      const { code, message, hint } = toErrorReport(error);
      const isGone = code === "config_unreadable";
      // what is wrong may be a slip of the pen; what is gone was taken away
      if (isGone) take([]);
      log.error(isGone ? "tokens_gone" : "tokens_not_reloaded", { code, message, hint });
    }
  }

  take(await readTokens({ path, environment, log }));
  const watch = watchForChanges(
    path,
    () => {
      reading = reading.then(reload);
    },
    { log },
  );
  return {
    authenticate(given): Admission | undefined {
      const digest = sha256(given);
      const token = tokens.get(keyOf(digest));
      if (token === undefined || !timingSafeEqual(token.digest, digest)) return undefined;
      if (token.ended.signal.aborted || token.expires <= Date.now()) return undefined;
      return { principal: token.principal, ended: token.ended.signal };
    },
    [Symbol.dispose]() {
      watch[Symbol.dispose]();
      clearTimeout(timer);
    },
  };
}

/** Node's timers hold 31 bits. */
const longestTimeoutMs = 2_147_483_647;

/** @throws CodedError as {@link openTokensFile} */
export async function readTokens({ path, environment, log }: TokensFileOptions): Promise<readonly Token[]> {
  const { value } = await readConfigFile(path, { environment });
  const parsed = v.safeParse(fileSchema, value, { abortEarly: true });
  if (!parsed.success) throw invalid(path, parsed.issues[0]);
  const { tokens } = parsed.output;
  await checkMode(
    path,
    tokens.some(({ token }) => token !== undefined),
    log,
  );
  const list = tokens.map(toToken);
  const digests = new Set(list.map(({ digest }) => digest.toString("hex")));
  if (digests.size === list.length) return list;
  throw new CodedError("config_invalid", `${path} holds a token twice.`, { hint: "Make one for each: token new." });
}

function toToken({ principal: id, sha256: hex, token, roles: given, expires }: TokenEntry): Token {
  const digest = hex === undefined ? sha256(token ?? "") : Buffer.from(hex, "hex");
  const held = new Set<Role>(given);
  if (held.has("write")) held.add("use");
  const ended = new AbortController();
  setMaxListeners(0, ended.signal); // one for each exchange
  return {
    key: JSON.stringify([id, digest.toString("hex"), [...held].sort(), expires]),
    digest,
    principal: { id, roles: held },
    expires: expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires),
    ended,
  };
}

/** Who may write the file can let anybody in; who may read it, has the tokens that stand in it. */
async function checkMode(path: string, holdsSecrets: boolean, log: Log): Promise<void> {
  if (process.platform === "win32") return; // modes mean nothing there
  const { mode } = await stat(path);
  const hint = `Take the right away: chmod 600 ${path}`;
  if ((mode & 0o022) !== 0) throw new CodedError("config_invalid", `Others can write to ${path}.`, { hint });
  if ((mode & 0o044) !== 0 && holdsSecrets) log.warn("tokens_file_readable", { path, hint });
}

function invalid(path: string, issue: v.BaseIssue<unknown>): CodedError {
  const at = v.getDotPath(issue);
  const isUnknown = issue.expected === "never";
  const reason = isUnknown ? "is not a known key" : issue.message.startsWith("must ") ? issue.message : "is missing";
  return new CodedError("config_invalid", `${path}${at === null ? "" : `: \`${at}\``} ${reason}.`, {
    hint: 'It looks like {"tokens":[{"principal":"ada","sha256":"…","roles":["use"]}]}; token new writes an entry.',
  });
}
