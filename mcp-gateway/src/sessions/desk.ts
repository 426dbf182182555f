/** What the front asks of sessions: its own tools' answers, and the server that a call with a session is for. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { ClientRequest } from "../client-request.js";
import { notFound } from "../errors.js";
import type { Fields } from "../message.js";
import type { Owner } from "../naming.js";
import type { Route } from "../routing.js";
import { type SessionToolOptions, sessionTools } from "./tools.js";

/** A way to a session's server, and what is passed on to it. */
export interface SessionCall extends Route {
  readonly arguments: Fields;
  /** The session's public id and its name of the database. */
  readonly sessionId: string;
  readonly connection: string;
}

/** The sessions as the front sees them. */
export interface SessionDesk {
  /** Answers a tool of the gateway's own. @throws CodedError */
  call(name: string, given: Fields, request: ClientRequest): Promise<Fields>;
  /** @throws CodedError `session_not_found`, `source_unknown`, `source_required`, `not_found` */
  route(owner: Owner & { readonly kind: "databases" }, given: Fields, request: ClientRequest): Promise<SessionCall>;
}

export function createSessionDesk(options: SessionToolOptions): SessionDesk {
  const tools = new Map(sessionTools.map((tool) => [tool.name, tool]));
  return {
    call(name, given, request) {
      const tool = tools.get(name);
      if (tool === undefined) throw notFound("tool", name, tools.keys());
      return tool.run(given, { request, options });
    },
    async route(owner, { session, source, ...rest }, request) {
      const key = { principal: request.principal.id, reference: textOf("session", session) };
      const name = source === undefined ? undefined : textOf("source", source);
      const { member, template, sessionId, connection } = await options.sessions.route(key, name);
      // a template's settings decide which tools its databases have
      if (!owner.servers.includes(`template:${template}`)) throw notFound("tool for this source", owner.name, []);
      return { member, name: owner.name, entry: owner.entry, arguments: rest, sessionId, connection };
    },
  };
}

function textOf(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new CodedError("parameter_invalid", `\`${name}\` must be text.`);
}
