/**
 * Who calls: the one shape in which the door hands it to every room behind it, through the SDK (`authInfo`) and from a
 * gateway to its own servers (`_meta`). How somebody proves who they are is the door's business.
 */
import type { AuthInfo } from "@modelcontextprotocol/server";

/** `use`: tools that only read. `write`: tools that may change something, and with it `use`. `admin`: `/v1` and figures. */
export const roles = ["use", "write", "admin"] as const;
export type Role = (typeof roles)[number];

/** Who calls. */
export interface Principal {
  /** Unique among all who may come in; stands in audit trails and logs. */
  readonly id: string;
  readonly roles: ReadonlySet<Role>;
}

/** Whose request it is. */
export interface Caller {
  /** Whom the door let in; on a public route nobody in particular. */
  readonly principal: Principal;
  /** Fires when the client goes away, and at the end of the drain when the server closes. */
  readonly signal: AbortSignal;
}

/** The user this process runs as, whose programs reach it without a token: over stdio, and on loopback. */
export const localPrincipal: Principal = Object.freeze({ id: "local", roles: new Set(roles) });

/** Whoever has the one token of `--token`. */
export const tokenPrincipal: Principal = Object.freeze({ id: "token", roles: new Set(roles) });

/** Whoever asks for what is public. */
export const anonymousPrincipal: Principal = Object.freeze({ id: "anonymous", roles: new Set<Role>() });

/** Names that many people may share, and that no token of a person's own can carry. */
export const sharedPrincipals: ReadonlySet<string> = new Set([localPrincipal.id, tokenPrincipal.id]);

/** Keys under this prefix are the suite's own between its parts; from outside they are taken off. */
export const ownMetaPrefix = "database-interface/";

/** Where a gateway tells its own servers who calls: `{"id":"ada","roles":["use"]}`. */
export const principalMetaKey = `${ownMetaPrefix}principal`;

/** Where a gateway tells its own servers which of its clients' connections a call came by, where there is one. */
export const clientMetaKey = `${ownMetaPrefix}client`;

/** Where our own servers say whether a result came from memory: `hit`, `miss` or `bypass`. */
export const cacheMetaKey = `${ownMetaPrefix}cache`;

/** The principal for the SDK; the token itself goes no further than the door. */
export const toAuthInfo = ({ id, roles: held }: Principal): AuthInfo => ({
  token: "",
  clientId: id,
  scopes: [...held],
});

/** The principal for a server of our own, under {@link principalMetaKey}. */
export const toPrincipalMeta = ({ id, roles: held }: Principal) => ({ id, roles: [...held] });

/** The part of the SDK's request context that tells who calls. */
export interface CallContext {
  readonly http?: { readonly authInfo?: AuthInfo } | undefined;
  readonly mcpReq: { readonly _meta?: Readonly<Record<string, unknown>> | undefined };
}

/**
 * Who makes a call. Over HTTP it is whom the door let in, whatever the client says. Over stdio the parent process speaks
 * for others where it is trusted to, and else calls for itself.
 */
export function principalOf({ http, mcpReq }: CallContext, { isParentTrusted = false } = {}): Principal {
  if (http === undefined) {
    const spokenFor = isParentTrusted ? parsePrincipal(mcpReq._meta?.[principalMetaKey]) : undefined;
    return spokenFor ?? localPrincipal;
  }
  const { authInfo } = http;
  return authInfo === undefined ? localPrincipal : { id: authInfo.clientId, roles: toRoles(authInfo.scopes) };
}

function parsePrincipal(value: unknown): Principal | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { id, roles: held } = value as { id?: unknown; roles?: unknown }; // looked at here
  return typeof id === "string" && id !== "" && Array.isArray(held) ? { id, roles: toRoles(held) } : undefined;
}

const toRoles = (names: readonly unknown[]): ReadonlySet<Role> => new Set(roles.filter((role) => names.includes(role)));
