/** What a program can be told about who may come in, and the ways in that come of it. */
import * as v from "valibot";
import { CodedError } from "../errors.js";
import type { Route } from "../http-server.js";
import type { Log } from "../log.js";
import { type Role, roles } from "../principal.js";
import { wholeSchema } from "../quantities.js";
import type { Environment } from "../resolve-settings.js";
import { type SettingValues, setting } from "../setting.js";
import type { Authenticator } from "./authenticator.js";
import { createRateLimiter, type RateLimiter, type RateLimiterOptions } from "./rate-limiter.js";
import { openTokensFile } from "./tokens-file.js";

const group = "Access";

const grant = v.pipe(
  v.string("must be text"),
  v.regex(/^[\x21-\x7e]+=(use|write|admin)$/, `must be a scope and a role, such as db.read=use (${roles.join(", ")})`),
);

export const accessSettings = {
  tokensFile: setting(v.optional(v.string()), {
    describe: "A JSON file of tokens, each with its principal, roles and perhaps an end; watched. See: token new.",
    env: ["MCP_TOKENS_FILE"],
    placeholder: "file",
    group,
  }),
  oauthIssuer: setting(v.optional(v.pipe(v.string(), v.url("must be a URL"))), {
    describe: "Takes access tokens (JWT) of this OAuth 2.1 authorization server.",
    env: ["MCP_OAUTH_ISSUER"],
    placeholder: "url",
    group,
  }),
  oauthResource: setting(v.optional(v.pipe(v.string(), v.url("must be a URL"))), {
    describe:
      "The URL by which clients and the authorization server know this endpoint, such as https://db.example.com/mcp.",
    env: ["MCP_OAUTH_RESOURCE"],
    placeholder: "url",
    group,
  }),
  oauthAudience: setting(v.optional(v.string()), {
    describe: "What a token's aud must hold. Default: the resource.",
    env: ["MCP_OAUTH_AUDIENCE"],
    placeholder: "text",
    group,
  }),
  oauthJwks: setting(v.optional(v.pipe(v.string(), v.url("must be a URL"))), {
    describe: "The issuer's keys. Default: where its metadata says.",
    env: ["MCP_OAUTH_JWKS"],
    placeholder: "url",
    group,
  }),
  oauthRoles: setting(v.array(grant), {
    describe: "Which scope gives which role.",
    env: ["MCP_OAUTH_ROLES"],
    placeholder: "scope=role",
    default: "mcp:use=use,mcp:write=write,mcp:admin=admin",
    group,
  }),
  rateLimit: setting(wholeSchema({ min: 0, max: 1_000_000 }), {
    describe: "Requests a minute that one principal may make, in bursts of up to a quarter of that; 0 for any number.",
    env: ["MCP_RATE_LIMIT"],
    default: 0,
    group,
  }),
};

/** The ways in besides the one token, and what limits them; closed together. */
export interface Access extends Disposable {
  readonly authenticators: readonly Authenticator[];
  /** What tells clients where tokens come from. */
  readonly routes: readonly Route[];
  readonly rateLimiter: RateLimiter | undefined;
}

/** What they are opened with. */
export interface AccessOptions {
  readonly environment: Environment;
  readonly log: Log;
  /** Default: a limiter of this process's own. */
  readonly createLimiter?: ((options: RateLimiterOptions) => RateLimiter) | undefined;
}

/**
 * Opens the ways in that the settings ask for.
 * @throws CodedError `config_invalid`, `config_unreadable`
 */
export async function openAccess(
  values: SettingValues<typeof accessSettings>,
  { environment, log, createLimiter = createRateLimiter }: AccessOptions,
): Promise<Access> {
  const { tokensFile, rateLimit } = values;
  const oauth = await openOAuth(values, log); // before the file, which stays open
  const tokens = tokensFile === undefined ? undefined : await openTokensFile({ path: tokensFile, environment, log });
  return {
    authenticators: [tokens, oauth?.authenticator].filter((one) => one !== undefined),
    routes: oauth?.routes ?? [],
    rateLimiter: rateLimit === 0 ? undefined : createLimiter({ perMinute: rateLimit }),
    [Symbol.dispose]: () => tokens?.[Symbol.dispose](),
  };
}

async function openOAuth(values: SettingValues<typeof accessSettings>, log: Log) {
  const { oauthIssuer: issuer, oauthResource: resource, oauthAudience, oauthJwks: jwks, oauthRoles } = values;
  if (issuer === undefined) {
    if (resource === undefined && oauthAudience === undefined && jwks === undefined) return undefined;
    throw new CodedError("config_invalid", "OAuth is set without its issuer.", { hint: "Set --oauth-issuer." });
  }
  if (resource === undefined) {
    throw new CodedError("config_invalid", "OAuth needs the URL that this endpoint is known by.", {
      hint: "Set --oauth-resource, such as https://db.example.com/mcp.",
    });
  }
  const scopes = new Map<string, Role>();
  for (const text of oauthRoles) {
    const cut = text.lastIndexOf("=");
    scopes.set(text.slice(0, cut), text.slice(cut + 1) as Role); // the schema has looked at it
  }
  // loaded only where tokens of this kind are taken
  const { createResourceServer } = await import("./resource-server.js");
  return createResourceServer({ issuer, resource, audience: oauthAudience ?? resource, jwks, scopes, log });
}
