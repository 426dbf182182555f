/** Who may come in: Host and Origin against web pages that reach for local servers, a bearer token for everything else. */
import { isIP } from "node:net";
import { AgentError } from "../../errors.js";
import type { Principal, Tokens } from "./tokens.js";

/** What the door is made of. */
export interface DoorOptions {
  /** The address listened on. */
  readonly host: string;
  /** Undefined lets everybody in who reaches the address: loopback only. */
  readonly tokens: Tokens | undefined;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

/** Checks requests. */
export interface Door {
  /** @throws AgentError `host_forbidden` */
  checkPlace(headers: Headers): void;
  /** Who asks. @throws AgentError `token_invalid` */
  admit(headers: Headers): Principal;
}

const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];

/** Whether only this machine reaches an address. */
export const isLoopback = (host: string): boolean =>
  ["localhost", "::1", "[::1]"].includes(host.toLowerCase()) || (isIP(host) === 4 && host.startsWith("127."));

/** @throws AgentError `usage` for an address others can reach and no token */
export function createDoor({ host, tokens, allowedHosts, allowedOrigins }: DoorOptions): Door {
  if (tokens === undefined && !isLoopback(host)) {
    throw new AgentError("usage", "Without tokens only this machine may be served.", {
      hint: "Leave --no-auth out, or --host.",
    });
  }
  const hosts = new Set([...loopbackNames, bare(host), ...allowedHosts.map(bare)]);
  const origins = new Set(allowedOrigins.map((origin) => origin.toLowerCase().replace(/\/$/, "")));
  return {
    checkPlace(headers) {
      if (!hosts.has(bare(headers.get("host") ?? ""))) {
        throw new AgentError("host_forbidden", "This Host is not served here.", { hint: "Add it with --allow-host." });
      }
      const origin = headers.get("origin");
      if (origin !== null && !origins.has(origin.toLowerCase())) {
        throw new AgentError("host_forbidden", "This Origin may not call.", { hint: "Add it with --allow-origin." });
      }
    },
    admit(headers) {
      if (tokens === undefined) return { owner: undefined };
      const [, bearer] = /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "") ?? [];
      const token = bearer ?? headers.get("x-api-key") ?? undefined; // where LangGraph's clients put it
      const principal = token === undefined ? undefined : tokens.find(token);
      if (principal !== undefined) return principal;
      throw new AgentError("token_invalid", "A bearer token is required.", {
        hint: "Send Authorization: Bearer <token>. The server showed it when it started, or has it from DB_AGENT_TOKEN.",
      });
    },
  };
}

/** A host name without its port, lower case. */
const bare = (host: string): string => {
  const lower = host.toLowerCase();
  return lower.includes(":") && isIP(lower) === 6 ? `[${lower}]` : lower.replace(/:\d+$/, "");
};
