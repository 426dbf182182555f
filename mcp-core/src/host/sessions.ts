/**
 * Legacy Streamable HTTP (protocol ≤ 2025-11-25): one server per session, an unguessable id, idle sessions swept, their
 * number capped; a session belongs to the principal that opened it. It is given requests that have passed the door,
 * their body already parsed. Where several processes serve together, `session-sharing` lets each of them serve every one.
 */
import { randomUUID } from "node:crypto";
import {
  isInitializeRequest,
  isJSONRPCRequest,
  type McpServerFactory,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { type Audience, serverOf, watchSubscriptions } from "./audience.js";
import type { Log } from "./log.js";
import { type Caller, toAuthInfo } from "./principal.js";
import { problem } from "./problem.js";
import type { SessionDirectory } from "./session-directory.js";
import {
  addressQuestions,
  cancelledId,
  noSession,
  type SharedSession,
  type Sharing,
  shareSessions,
  untold,
  withSessionId,
} from "./session-sharing.js";
import { findGivingWay, type Holding } from "./shares.js";

/** What the sessions are made from. */
export interface SessionOptions {
  readonly factory: McpServerFactory;
  readonly audience: Audience;
  readonly log: Log;
  /** Milliseconds without a request or an open stream after which a session ends. */
  readonly idleMs: number;
  /** Sessions at most; at the cap one of the same principal's that rests gives way, or one of whoever has many more. */
  readonly maxSessions: number;
  /** The sessions of all processes that serve together, of which those here are the ones in use here. */
  readonly directory?: SessionDirectory | undefined;
  /** Milliseconds on any clock. Default: a monotonic one. */
  readonly now?: () => number;
}

/** The legacy leg of `/mcp`. */
export interface Sessions extends AsyncDisposable {
  /** @throws CodedError as the directory does, where sessions are shared */
  handle(request: Request, parsedBody: unknown, caller: Caller): Promise<Response>;
  /** Ends the sessions that have been idle for too long. */
  sweep(): Promise<void>;
  count(): number;
}

/** To all but its owner, who is the principal that opened it, it does not exist. */
interface Session extends Holding, SharedSession {
  /** Requests and streams in progress. */
  open: number;
  /** Those of them that only listen. */
  listening: number;
  lastUsed: number;
  /** Ids of the requests in progress that came alone in their POST. */
  readonly alone: Set<string | number>;
}

const full = () =>
  problem(503, "busy", "All sessions are in use. Try again later, or raise the limit of sessions.", {
    "retry-after": "5",
  });

/** No sessions yet. */
export function createSessions(options: SessionOptions): Sessions {
  const { factory, audience, log, idleMs, maxSessions, directory } = options;
  const now = options.now ?? (() => performance.now());
  const sessions = new Map<string, Session>();
  let opening = 0;

  async function open(id: string, request: Request, { principal }: Caller): Promise<Session> {
    const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => id });
    if (directory !== undefined) addressQuestions(transport, directory.peers.self);
    const requestInfo = withSessionId(request, id);
    const product = await factory({ era: "legacy", requestInfo, authInfo: toAuthInfo(principal) });
    await product.connect(transport);
    const server = serverOf(product);
    const leave = audience.join(server, watchSubscriptions(transport));
    const onclose = server.onclose;
    server.onclose = () => {
      leave();
      sessions.delete(id);
      log.debug("session_closed", { sessions: sessions.size });
      onclose?.();
    };
    const owner = principal.id;
    const session: Session = {
      ...{ id, owner, principal, transport, told: untold() },
      ...{ open: 0, listening: 0, lastUsed: now(), alone: new Set<string | number>() },
      get rests() {
        return session.open === 0;
      },
      get yields() {
        return session.open === session.listening;
      },
      close: () => product.close(),
    };
    return session;
  }

  /** Takes a place among the sessions, which `opening` then counts; false when there is none for this principal. */
  async function takePlace({ principal }: Caller): Promise<boolean> {
    if (sessions.size + opening >= maxSessions) {
      const leaving = findGivingWay(sessions.values(), principal.id);
      if (leaving === undefined) return false;
      log.info("session_evicted", { sessions: sessions.size });
      sessions.delete(leaving.id);
      opening++;
      await leaving.close();
      return true;
    }
    opening++;
    return true;
  }

  async function initialize(request: Request, parsedBody: unknown, caller: Caller): Promise<Response> {
    if (!(await takePlace(caller))) return full();
    try {
      const session = await open(randomUUID(), request, caller);
      const response = await pass(session, request, parsedBody, caller);
      if (session.transport.sessionId === undefined) await session.close();
      else {
        await begin(session, parsedBody);
        sessions.set(session.id, session);
        log.debug("session_opened", { sessions: sessions.size });
      }
      return response;
    } finally {
      opening--;
    }
  }

  /** A session that the others cannot be told of is none. */
  async function begin(session: Session, parsedBody: unknown): Promise<void> {
    try {
      await sharing?.begin(session, parsedBody);
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  const sharing: Sharing<Session> | undefined =
    directory === undefined
      ? undefined
      : shareSessions({
          directory,
          idleMs,
          log,
          full,
          get: (id) => sessions.get(id),
          async make(id, request, caller, prepare) {
            if (!(await takePlace(caller))) return undefined;
            try {
              const session = await open(id, request, caller);
              await prepare(session);
              sessions.set(id, session);
              return session;
            } finally {
              opening--;
            }
          },
        });

  async function pass(session: Session, request: Request, parsedBody: unknown, caller: Caller): Promise<Response> {
    const { signal } = caller;
    const { transport, alone } = session;
    const id = isJSONRPCRequest(parsedBody) ? parsedBody.id : undefined;
    const isListening = parsedBody === undefined && request.method === "GET";
    session.open++;
    if (isListening) session.listening++;
    if (id !== undefined) alone.add(id);
    const cancel = (): void => cancelRequests(transport, parsedBody);
    let done = false;
    const finish = (): void => {
      if (done) return;
      done = true;
      signal.removeEventListener("abort", cancel);
      session.open--;
      if (isListening) session.listening--;
      session.lastUsed = now();
      if (id !== undefined) alone.delete(id);
    };
    signal.addEventListener("abort", cancel, { once: true });
    try {
      const authInfo = toAuthInfo(caller.principal);
      const response = await transport.handleRequest(request, {
        authInfo,
        ...(parsedBody === undefined ? {} : { parsedBody }),
      });
      const cancelled = cancelledId(parsedBody);
      // nothing will follow on the stream of a cancelled request, but the SDK leaves it open
      if (cancelled !== undefined && alone.has(cancelled)) transport.closeSSEStream(cancelled);
      if (response.body !== null) return whenConsumed(response, finish);
      finish();
      return response;
    } catch (error) {
      finish();
      throw error;
    }
  }

  return {
    async handle(request, parsedBody, caller) {
      const id = request.headers.get("mcp-session-id");
      if (id === null) {
        if (isInitialize(parsedBody)) return initialize(request, parsedBody, caller);
        return problem(400, "session_required", "The Mcp-Session-Id header is missing. Initialize first.");
      }
      if (sharing !== undefined) {
        const found = await sharing.find(id, request, parsedBody, caller);
        return found instanceof Response ? found : pass(found.session, request, found.body, caller);
      }
      const session = sessions.get(id);
      if (session?.owner !== caller.principal.id) return noSession();
      return pass(session, request, parsedBody, caller);
    },
    async sweep() {
      const used = [...sessions.values()].filter((session) => session.open > 0);
      await Promise.allSettled(used.map((session) => sharing?.keep(session)));
      const before = now() - idleMs;
      const idle = [...sessions.values()].filter((session) => session.open === 0 && session.lastUsed <= before);
      await Promise.all(idle.map((session) => session.close()));
    },
    count: () => sessions.size,
    async [Symbol.asyncDispose]() {
      sharing?.[Symbol.dispose]();
      await Promise.all([...sessions.values()].map((session) => session.close()));
    },
  };
}

const isInitialize = (body: unknown): boolean =>
  (Array.isArray(body) ? body : [body]).some((one) => isInitializeRequest(one));

/**
 * A client that has gone cannot be answered: without an event store there is no other stream the result could take, so
 * the work is cancelled as the client itself would.
 */
function cancelRequests(transport: WebStandardStreamableHTTPServerTransport, body: unknown): void {
  for (const message of Array.isArray(body) ? body : [body]) {
    if (!isJSONRPCRequest(message)) continue;
    const params = { requestId: message.id, reason: "The client went away." };
    transport.onmessage?.({ jsonrpc: "2.0", method: "notifications/cancelled", params });
  }
}

/** The same response, telling when its body has been sent or given up. */
function whenConsumed(response: Response, finish: () => void): Response {
  const reader = response.body?.getReader();
  if (reader === undefined) return response;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (!done) return controller.enqueue(value);
      finish();
      controller.close();
    },
    async cancel(reason) {
      finish();
      await reader.cancel(reason);
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}
