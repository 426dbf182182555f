/** How the door learns whom a bearer token stands for. What a token is made of, each authenticator knows for itself. */
import { createHash, timingSafeEqual } from "node:crypto";
import { type Principal, tokenPrincipal } from "../principal.js";

/** Somebody who may come in. */
export interface Admission {
  readonly principal: Principal;
  /** Fires when what let them in is worth nothing any more: what they still have open is cut off. */
  readonly ended?: AbortSignal | undefined;
}

/** One way to prove who one is. */
export interface Authenticator {
  /** Whom a token stands for; undefined where this knows no such token. @throws CodedError `auth_unavailable` */
  authenticate(token: string): Admission | undefined | Promise<Admission | undefined>;
  /** What `WWW-Authenticate` tells a client about how to get a token. */
  readonly challenge?: Readonly<Record<string, string>> | undefined;
}

/** The one token of `--token`. */
export function oneToken(token: string): Authenticator {
  const digest = sha256(token);
  const admission: Admission = { principal: tokenPrincipal };
  return { authenticate: (given) => (timingSafeEqual(sha256(given), digest) ? admission : undefined) };
}

export const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();
