/** How HTTP is served, apart from what. */
import type { Authenticator } from "./access/authenticator.js";
import type { RateLimiter } from "./access/rate-limiter.js";

/** How HTTP is served. */
export interface HttpOptions {
  /** Address to listen on; off loopback a token is required. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Bearer token, enforced on every route that is not public when set. */
  readonly token?: string | undefined;
  /** Other ways to prove who one is, such as a tokens file; their owner closes them. */
  readonly authenticators?: readonly Authenticator[] | undefined;
  /** Counts the requests of each principal; default: as many as they like. */
  readonly rateLimiter?: RateLimiter | undefined;
  /** Names accepted in the Host header besides loopback and `host` itself; `*` for any. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Origins of web pages accepted besides loopback ones; `*` for any. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** Milliseconds after which an unused legacy session ends. Default 30 minutes. */
  readonly sessionIdleMs?: number | undefined;
  /** Legacy sessions at most, and SSE streams at most. Default 100. */
  readonly maxSessions?: number | undefined;
  /** Default 4 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Milliseconds that calls in progress get when the server stops. Default 5,000. */
  readonly drainMs?: number | undefined;
}
