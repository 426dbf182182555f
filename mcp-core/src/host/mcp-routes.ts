/** `/mcp`: each POST is parsed once, then answered by the modern handler or by a legacy session. It guards nothing. */
import {
  createMcpHandler,
  isLegacyRequest,
  type McpServerFactory,
  type ServerEventBus,
} from "@modelcontextprotocol/server";
import type { Log } from "./log.js";
import { type Caller, toAuthInfo } from "./principal.js";
import { methodNotAllowed } from "./problem.js";
import type { Sessions } from "./sessions.js";

/** What the endpoint is made from. */
export interface McpEndpointOptions {
  readonly factory: McpServerFactory;
  readonly sessions: Sessions;
  readonly bus: ServerEventBus;
  readonly log: Log;
}

/** The endpoint of both eras; disposing it ends the modern exchanges. */
export interface McpEndpoint extends AsyncDisposable {
  handle(request: Request, parsedBody: unknown, context: Caller): Promise<Response>;
}

/** The endpoint. */
export function createMcpEndpoint({ factory, sessions, bus, log }: McpEndpointOptions): McpEndpoint {
  const modern = createMcpHandler(factory, {
    legacy: "reject",
    bus,
    onerror: (error) => log.debug("protocol_error", { message: error.message }),
  });
  return {
    async handle(request, parsedBody, caller) {
      if (request.method !== "POST") {
        // GET and DELETE belong to legacy sessions; a modern client has neither
        if (request.headers.has("mcp-session-id") && /^(GET|DELETE)$/.test(request.method)) {
          return sessions.handle(request, undefined, caller);
        }
        return methodNotAllowed("POST");
      }
      if (await isLegacyRequest(request, parsedBody)) return sessions.handle(request, parsedBody, caller);
      return modern.fetch(request, { parsedBody, authInfo: toAuthInfo(caller.principal) });
    },
    async [Symbol.asyncDispose]() {
      await modern.close();
    },
  };
}
