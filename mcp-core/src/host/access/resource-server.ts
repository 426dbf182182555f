/**
 * This server as an OAuth 2.1 resource server: access tokens (JWT) of one issuer for one audience, scopes into roles,
 * and the metadata that leads a client to the issuer. It takes no token it cannot check: without keys nobody comes in.
 * @see https://www.rfc-editor.org/rfc/rfc9728 https://www.rfc-editor.org/rfc/rfc9068
 */
import { setMaxListeners } from "node:events";
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import * as v from "valibot";
import { CodedError } from "../errors.js";
import type { Route } from "../http-server.js";
import type { Log } from "../log.js";
import { anonymousPrincipal, type Role, sharedPrincipals } from "../principal.js";
import { type Admission, type Authenticator, sha256 } from "./authenticator.js";

/** Whose tokens are taken, and for what. */
export interface ResourceServerOptions {
  readonly issuer: string;
  /** The URL clients know this endpoint by. */
  readonly resource: string;
  /** What a token's `aud` must hold. */
  readonly audience: string;
  /** The issuer's keys; where its metadata says when undefined. */
  readonly jwks?: string | undefined;
  /** Scope → role. */
  readonly scopes: ReadonlyMap<string, Role>;
  readonly log: Log;
}

/** Asymmetric ones only: with a shared secret whoever checks tokens could make them. */
const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
const clockToleranceSeconds = 30;
const fetchMs = 5_000;
/** Milliseconds after which a token that was seen before is checked again, against the keys of that moment. */
const recheckMs = 60_000;
const maxRemembered = 1_000;
/** Node's timers hold 31 bits. */
const longestTimeoutMs = 2_147_483_647;

interface Remembered {
  readonly admission: Admission;
  /** Cuts off what it let in; runs by itself at the token's end. */
  end(): void;
  checkedAt: number;
}

/** The authenticator, and the route of its metadata. */
export function createResourceServer(options: ResourceServerOptions): {
  readonly authenticator: Authenticator;
  readonly routes: readonly Route[];
} {
  const { resource, scopes, log } = options;
  const { origin, pathname } = new URL(resource);
  const wellKnown = "/.well-known/oauth-protected-resource";
  const metadataUrl = `${origin}${wellKnown}${pathname === "/" ? "" : pathname}`;
  const leastScope = [...scopes].find(([, role]) => role === "use")?.[0];
  const remembered = new Map<string, Remembered>();
  const verify = createVerifier(options);

  function remember(key: string, payload: JWTPayload): Admission | undefined {
    const principal = toPrincipal(payload, scopes);
    const expires = (payload.exp ?? 0) * 1_000 + clockToleranceSeconds * 1_000;
    if (principal === undefined || expires <= Date.now()) return undefined;
    const ended = new AbortController();
    setMaxListeners(0, ended.signal); // one for each exchange
    const end = (): void => {
      clearTimeout(timer);
      if (remembered.get(key)?.end === end) remembered.delete(key);
      ended.abort();
    };
    // also of one that is forgotten to make room: what it let in goes on until then, and no longer
    const timer = setTimeout(end, Math.min(expires - Date.now(), longestTimeoutMs)).unref();
    const [oldest] = remembered.keys();
    if (oldest !== undefined && remembered.size >= maxRemembered) remembered.delete(oldest);
    const admission: Admission = { principal, ended: ended.signal };
    remembered.set(key, { admission, end, checkedAt: Date.now() });
    return admission;
  }

  const metadata = {
    resource,
    authorization_servers: [options.issuer],
    scopes_supported: [...scopes.keys()],
    bearer_methods_supported: ["header"],
    resource_name: "Database Interface",
  };
  const route = (path: string): Route => ({
    method: "GET",
    path,
    access: "public",
    handle: async () => Response.json(metadata, { headers: { "cache-control": "max-age=300" } }),
  });
  return {
    authenticator: {
      challenge: { resource_metadata: metadataUrl, ...(leastScope === undefined ? {} : { scope: leastScope }) },
      async authenticate(token) {
        // anything else is a token of another kind
        if (token.split(".").length !== 3) return undefined;
        const key = sha256(token).toString("base64");
        const known = remembered.get(key);
        if (known !== undefined && Date.now() - known.checkedAt < recheckMs) return known.admission;
        const payload = await verify(token).catch((error: unknown) => {
          if (!isRefusal(error)) throw unavailable(error);
          log.debug("token_refused", { reason: error.code });
          return undefined;
        });
        if (payload === undefined) {
          known?.end();
          return undefined;
        }
        if (known === undefined) return remember(key, payload);
        known.checkedAt = Date.now();
        return known.admission;
      },
    },
    routes: [...new Set([wellKnown, `${wellKnown}${pathname === "/" ? "" : pathname}`])].map(route),
  };

  function unavailable(cause: unknown): CodedError {
    log.warn("oauth_keys_unavailable", { error: cause });
    const hint = "Try again; the operator's log says more.";
    return new CodedError("auth_unavailable", "Tokens cannot be checked at the moment.", {
      hint,
      retryable: true,
      cause,
    });
  }
}

/** Checks tokens; the issuer's keys are fetched on first need, and again when a token names one that is not known. */
function createVerifier({ issuer, audience, jwks }: ResourceServerOptions): (token: string) => Promise<JWTPayload> {
  let keys: Promise<JWTVerifyGetKey> | undefined;
  const findKeys = async (): Promise<JWTVerifyGetKey> => {
    const url = jwks ?? (await discoverKeys(issuer));
    return createRemoteJWKSet(new URL(url), { timeoutDuration: fetchMs, cooldownDuration: 10_000 });
  };
  return async (token) => {
    keys ??= findKeys().catch((error: unknown) => {
      keys = undefined;
      throw error;
    });
    const { payload } = await jwtVerify(token, await keys, {
      issuer,
      audience,
      algorithms,
      clockTolerance: clockToleranceSeconds,
      requiredClaims: ["exp", "sub"],
    });
    return payload;
  };
}

/** A token that is not worth anything, as against keys that cannot be had. */
const isRefusal = (error: unknown): error is errors.JOSEError =>
  error instanceof errors.JOSEError &&
  !(error instanceof errors.JWKSTimeout) &&
  !(error instanceof errors.JWKSInvalid) &&
  error.code !== "ERR_JOSE_GENERIC"; // what a JWKS that does not answer with 200 throws

const serverMetadata = v.object({ issuer: v.string(), jwks_uri: v.pipe(v.string(), v.url()) });

/** The issuer's own word, under either of its two names. @see https://www.rfc-editor.org/rfc/rfc8414#section-3 */
async function discoverKeys(issuer: string): Promise<string> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname === "/" ? "" : pathname.replace(/\/$/, "");
  const places = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
  let failure: unknown;
  for (const place of new Set(places)) {
    try {
      const response = await fetch(place, { redirect: "error", signal: AbortSignal.timeout(fetchMs) });
      if (!response.ok) continue;
      const metadata = v.parse(serverMetadata, await response.json());
      if (metadata.issuer === issuer) return metadata.jwks_uri;
      failure = new Error(`${place} speaks for another issuer.`);
    } catch (error) {
      failure = error;
    }
  }
  throw failure ?? new Error(`${issuer} has no metadata.`);
}

/** Its subject with the roles of its scopes; undefined for one that would pass for somebody of ours. */
function toPrincipal({ sub, scope, scp }: JWTPayload, scopes: ReadonlyMap<string, Role>) {
  if (sub === undefined || sub === "" || sub.length > 200) return undefined;
  if (sharedPrincipals.has(sub) || sub === anonymousPrincipal.id) return undefined;
  const given = [scope, scp].flatMap((one) => (Array.isArray(one) ? one : String(one ?? "").split(" ")));
  const roles = new Set<Role>();
  for (const name of given) {
    const role = scopes.get(String(name));
    if (role === undefined) continue;
    roles.add(role);
    if (role === "write") roles.add("use");
  }
  return { id: sub, roles };
}
