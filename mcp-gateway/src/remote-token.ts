/**
 * Access tokens for one remote server, had by client credentials from the authorization server that the config names:
 * the secret goes there and nowhere else, whatever the remote server says. A token is kept in memory, renewed before it
 * ends and when the server refuses it, and asked for once however many requests need it.
 */
import type { Log } from "@database-interface/mcp-core/host";
import type { AuthorizationServerMetadata, AuthProvider } from "@modelcontextprotocol/client";

/** What the config says of it. */
export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
  /** The authorization server; its metadata says where tokens are had (RFC 8414). */
  readonly issuer: string;
  /** Where tokens are had, for a server without metadata. */
  readonly tokenUrl?: string | undefined;
  readonly scope?: string | undefined;
  /** What the token is for (RFC 8707). Default: the server's own name for itself, else its URL. */
  readonly resource?: string | undefined;
}

/** Why there is no token: a sentence, in which nothing stands that another program wrote. */
export class NoToken extends Error {
  override readonly name = "NoToken";
}

/** Milliseconds before its end that a token is renewed, but a tenth of its life at most. */
const renewMs = 60_000;
/** How long a token counts that does not say. */
const unsaidMs = 300_000;
/** Milliseconds an authorization server may take. */
const answerMs = 10_000;

interface Token {
  readonly text: string;
  /** Milliseconds of the clock. */
  readonly renewAt: number;
}

/** `now` is milliseconds, in place of the process's own clock. */
export function createRemoteToken(
  serverUrl: string,
  credentials: ClientCredentials,
  { log, now = () => performance.now() }: { readonly log: Log; readonly now?: () => number },
): AuthProvider {
  let token: Token | undefined;
  let asking: Promise<Token> | undefined;

  function renew(): Promise<Token> {
    asking ??= askForToken(serverUrl, credentials, now)
      .then((fresh) => {
        token = fresh;
        return fresh;
      })
      .catch((error: unknown) => {
        const refusal = toNoToken(error);
        log.warn("remote_token_refused", { issuer: credentials.issuer, reason: refusal.message });
        throw refusal;
      })
      .finally(() => {
        asking = undefined;
      });
    return asking;
  }

  return {
    async token() {
      if (token !== undefined && now() < token.renewAt) return token.text;
      return (await renew()).text;
    },
    async onUnauthorized({ response }) {
      await response.text().catch(() => {}); // read, so that its connection is free
      token = undefined;
      await renew();
    },
  };
}

async function askForToken(serverUrl: string, credentials: ClientCredentials, now: () => number): Promise<Token> {
  const { ClientCredentialsProvider, fetchToken } = await import("@modelcontextprotocol/client");
  const { clientId, clientSecret, issuer, scope } = credentials;
  // without the headers meant for the remote server
  const fetchFn = (url: string | URL, init?: RequestInit) =>
    fetch(url, { ...init, redirect: "error", signal: AbortSignal.timeout(answerMs) });
  const began = now();
  const metadata = await metadataOf(credentials, fetchFn);
  const resource = credentials.resource ?? (await resourceOf(serverUrl, fetchFn));
  const named = scope === undefined ? {} : { scope };
  const provider = new ClientCredentialsProvider({ clientId, clientSecret, expectedIssuer: issuer, ...named });
  const given = await fetchToken(provider, issuer, { metadata, resource, fetchFn, ...named });
  const lifeMs = given.expires_in === undefined ? unsaidMs : given.expires_in * 1_000;
  return { text: given.access_token, renewAt: began + lifeMs - Math.min(renewMs, lifeMs / 10) };
}

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

async function metadataOf(
  { issuer, tokenUrl }: ClientCredentials,
  fetchFn: Fetch,
): Promise<AuthorizationServerMetadata> {
  const { discoverAuthorizationServerMetadata } = await import("@modelcontextprotocol/client");
  if (tokenUrl !== undefined) {
    return {
      issuer,
      token_endpoint: tokenUrl,
      authorization_endpoint: issuer,
      response_types_supported: ["code"],
      token_endpoint_auth_methods_supported: ["client_secret_basic"],
    };
  }
  const found = await discoverAuthorizationServerMetadata(issuer, { fetchFn });
  if (found === undefined) throw new NoToken("its authorization server has no metadata; the config needs tokenUrl");
  return found;
}

/** What the server calls itself (RFC 9728), where that is part of its own URL; else the URL. */
async function resourceOf(serverUrl: string, fetchFn: Fetch): Promise<string> {
  const { checkResourceAllowed, discoverOAuthProtectedResourceMetadata, resourceUrlFromServerUrl } = await import(
    "@modelcontextprotocol/client"
  );
  const own = resourceUrlFromServerUrl(serverUrl);
  const said = await discoverOAuthProtectedResourceMetadata(serverUrl, {}, fetchFn).catch(() => undefined);
  const isItsOwn =
    said !== undefined && checkResourceAllowed({ requestedResource: own, configuredResource: said.resource });
  return isItsOwn ? said.resource : own.href;
}

/** Codes of RFC 6749, section 5.2, and RFC 8707: others are not repeated. */
const knownCodes = new Set([
  "invalid_request",
  "invalid_client",
  "invalid_grant",
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
  "invalid_target",
  "server_error",
  "temporarily_unavailable",
]);

function toNoToken(error: unknown): NoToken {
  if (error instanceof NoToken) return error;
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  if (knownCodes.has(code)) return new NoToken(`its authorization server refused the client (${code})`);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const system = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? ` (${cause.code})` : "";
  return new NoToken(`its authorization server gave no token${/^ \([A-Z_]+\)$/.test(system) ? system : ""}`);
}
