/** The bearer tokens that are let in, and whose sessions each one opens. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Environment } from "../../config-file.js";
import { AgentError } from "../../errors.js";

/** Whoever has a token: sessions opened with one owner are unknown to every other. */
export interface Principal {
  readonly owner: string | undefined;
}

/** The tokens, and how they came to be. */
export interface Tokens {
  /** The one that was made because none is set; to be shown once. */
  readonly generated?: string;
  /** Whose a token is; undefined for an unknown one. */
  find(token: string): Principal | undefined;
}

const leastLength = 16;

/**
 * The tokens of a file (one a line, `name=token` for an owner of its own), else of `DB_AGENT_TOKEN_FILE`, else the one of
 * `DB_AGENT_TOKEN`, else a fresh one.
 * @throws AgentError `usage`, `config_unreadable`
 */
export async function readTokens(file: string | undefined, environment: Environment): Promise<Tokens> {
  const { DB_AGENT_TOKEN: token = "", DB_AGENT_TOKEN_FILE: named = "" } = environment;
  const path = file ?? (named === "" ? undefined : named);
  if (path !== undefined) return knownTokens((await readText(path)).split(/\r?\n/));
  if (token !== "") return knownTokens([token]);
  const generated = randomBytes(32).toString("base64url");
  return { generated, ...knownTokens([generated]) };
}

function knownTokens(lines: readonly string[]): Tokens {
  const known = lines
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, owner, token = line] = /^([A-Za-z0-9_-]{1,40})=(?!=*$)(.+)$/.exec(line) ?? [];
      if (token.length < leastLength || !/^[\x21-\x7e]+$/.test(token)) {
        throw new AgentError(
          "usage",
          `A token has fewer than ${leastLength} characters, or some no header can carry.`,
          {
            hint: "Make one with: openssl rand -base64 32",
          },
        );
      }
      return { digest: sha256(token), principal: { owner } };
    });
  if (known.length === 0) throw new AgentError("usage", "The token file holds no token.");
  return {
    find(token) {
      const digest = sha256(token);
      return known.filter((one) => timingSafeEqual(one.digest, digest))[0]?.principal; // looks at all of them
    },
  };
}

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new AgentError("config_unreadable", `The token file cannot be read: ${path}`, { cause });
  }
}
