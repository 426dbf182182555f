/**
 * Who may come in, and who they are: the Host and Origin checks that stop a web page from reaching a local server (DNS
 * rebinding), and the bearer token, which stands for a principal. It knows no route; it is asked before each.
 */
import { isIP } from "node:net";
import { type Admission, type Authenticator, oneToken } from "./access/authenticator.js";
import { CodedError } from "./errors.js";
import { anonymousPrincipal, localPrincipal } from "./principal.js";
import { problem } from "./problem.js";

/** What the door is made from. */
export interface DoorOptions {
  /** The address that is listened on. */
  readonly host: string;
  /** Off loopback this or an authenticator is required; enforced on every route that is not public. */
  readonly token?: string | undefined;
  /** Other ways to prove who one is, asked in this order after the token. */
  readonly authenticators?: readonly Authenticator[] | undefined;
  /** Host names (without port) accepted besides the default; `*` accepts all. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Origins (`https://app.example.com`) or their host names accepted besides the default; `*` accepts all. */
  readonly allowedOrigins?: readonly string[] | undefined;
}

/** Checks requests. */
export interface Door {
  /** Who asks, or the refusal. Whoever asks for what is `public` needs no token and is nobody. */
  admit(request: DoorRequest, access: "public" | "principal"): Promise<Admission | Response>;
  /** Headers that let an accepted origin's page read the answer. */
  corsHeaders(origin: string | undefined): Record<string, string>;
}

/** The headers the door looks at, and no others. */
export interface DoorRequest {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
}

/** Off loopback anyone may try. */
const minTokenLength = 16;

const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];

/** True for an address or name that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return (
    bare === "localhost" ||
    bare === "::1" ||
    (isIP(bare) === 4 && bare.startsWith("127.")) ||
    bare === "::ffff:127.0.0.1"
  );
}

/**
 * A door for an address.
 * @throws CodedError `config_invalid` for an address others can reach without a token
 */
export function createDoor(options: DoorOptions): Door {
  const local = isLoopback(options.host);
  if (local && options.token === "") {
    throw new CodedError("config_invalid", "The token is empty.", {
      hint: "Set MCP_TOKEN to a long random text, or unset it.",
    });
  }
  const authenticators = [...(options.token ? [oneToken(options.token)] : []), ...(options.authenticators ?? [])];
  if (!local && authenticators.length === 0) {
    throw new CodedError("config_invalid", `Listening on ${options.host} needs a token: others can reach it.`, {
      hint: "Set MCP_TOKEN (or MCP_TOKEN_FILE) to a long random text, name a --tokens-file, or listen on 127.0.0.1.",
    });
  }
  if (!local && options.token !== undefined && options.token.length < minTokenLength) {
    throw new CodedError("config_invalid", `A token of less than ${minTokenLength} characters can be guessed.`, {
      hint: "Make one with: openssl rand -base64 32",
    });
  }
  if (options.token !== undefined && !/^[\x21-\x7e]+$/.test(options.token)) {
    throw new CodedError("config_invalid", "The token holds characters that no HTTP header can carry.", {
      hint: "Use letters, digits and punctuation without blanks.",
    });
  }
  const hosts = new Set([
    ...loopbackNames,
    toHostname(options.host) ?? "",
    ...(options.allowedHosts ?? []).map((name) => toHostname(name) ?? name),
  ]);
  const origins = new Set(
    [...(local ? loopbackNames : []), ...(options.allowedOrigins ?? [])].map((one) => one.toLowerCase()),
  );
  const acceptsHost = (header: string | undefined): boolean => {
    const name = toHostname(header);
    if (name === undefined) return false;
    // a bare address cannot be re-bound to another one, so off loopback any of them is this machine
    return hosts.has("*") || hosts.has(name) || (!local && isIP(name.replace(/^\[|\]$/g, "")) !== 0);
  };
  const acceptsOrigin = (origin: string, host: string | undefined): boolean => {
    if (origins.has("*")) return true;
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (url === undefined || url.origin === "null") return false;
    return (
      origins.has(url.origin) ||
      origins.has(url.hostname) ||
      (host !== undefined && !local && url.host === host.toLowerCase())
    );
  };
  return {
    async admit({ host, origin, authorization }, access) {
      if (!acceptsHost(host))
        return problem(403, "forbidden_host", "This Host is not served. Add it with --allowed-hosts.");
      if (origin !== undefined && !acceptsOrigin(origin, host)) {
        return problem(403, "forbidden_host", "This Origin is not allowed. Add it with --allowed-origins.");
      }
      if (access === "public") return { principal: anonymousPrincipal };
      if (authenticators.length === 0) return { principal: localPrincipal };
      const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
      if (token === undefined) return unauthorized(false, authenticators);
      try {
        for (const authenticator of authenticators) {
          const admission = await authenticator.authenticate(token);
          if (admission !== undefined) return admission;
        }
      } catch (error) {
        if (!(error instanceof CodedError) || error.code !== "auth_unavailable") throw error;
        return problem(503, error.code, error.message, { "retry-after": "5" });
      }
      return unauthorized(true, authenticators);
    },
    corsHeaders(origin) {
      if (origin === undefined) return {};
      return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": "mcp-session-id, mcp-protocol-version, www-authenticate",
        vary: "origin",
      };
    },
  };
}

/** What to do to come in. @see https://www.rfc-editor.org/rfc/rfc6750#section-3 */
function unauthorized(hasToken: boolean, authenticators: readonly Authenticator[]): Response {
  const parts = Object.entries({
    ...(hasToken ? { error: "invalid_token" } : {}),
    ...Object.assign({}, ...authenticators.map(({ challenge }) => challenge)),
  }).map(([name, value]) => `${name}="${value}"`);
  const detail = hasToken ? "The bearer token is not valid, or not any more." : "A bearer token is required.";
  const challenge = ["Bearer", parts.join(", ")].filter(Boolean).join(" ");
  return problem(401, "unauthorized", detail, { "www-authenticate": challenge });
}

/** The name of `name`, `name:port`, `[::1]:port` or `::1`, in the URL standard's spelling. */
function toHostname(host: string | undefined): string | undefined {
  if (host === undefined || host === "" || /[/?#@\\\s]/.test(host)) return host === "*" ? host : undefined;
  const text = isIP(host) === 6 ? `[${host}]` : host;
  return URL.canParse(`http://${text}`) ? new URL(`http://${text}`).hostname : undefined;
}
