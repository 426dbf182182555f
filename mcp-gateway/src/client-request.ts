/**
 * One request of one client as the gateway's rooms see it, whatever brought it: the SDK's server, or a plain call that
 * needed none. Who asks, how they are told things and asked things; not what they want.
 */
import {
  type PlainCall,
  type Caller as PlainCaller,
  type Principal,
  principalOf,
  type SpanAttributes,
  sharedPrincipals,
} from "@database-interface/mcp-core/host";
import type { Server, ServerContext } from "@modelcontextprotocol/server";
import type { Question } from "./conversation.js";
import type { Era } from "./handshake.js";
import { isSevereEnough } from "./log-levels.js";
import { AnsweredError, type Fields, isFields } from "./message.js";
import { metaKeys } from "./request-meta.js";
import { type Trace, traceOf } from "./trace.js";
import type { Caller } from "./upstream.js";

/** A client's connection (legacy) or single request (modern), as the SDK's server sees it. */
export interface Front {
  readonly id: string;
  readonly era: Era;
  readonly server: Server;
  /** The least level of log messages a legacy client wants. */
  logLevel: string | undefined;
}

/** A request to answer. */
export interface ClientRequest {
  readonly era: Era;
  readonly principal: Principal;
  readonly caller: Caller;
  /** The id that this call has in every log. */
  readonly trace: Trace;
  /** What its span says of it. */
  readonly span: SpanAttributes;
  /** Fires when nobody wants the answer any more. */
  readonly signal: AbortSignal;
  /** What a modern client brings back to a call that had asked it something. */
  readonly requestState: string | undefined;
  readonly inputResponses: Fields | undefined;
  /** Sends a notification that belongs to this request. */
  tell(method: string, params: Fields): void;
  /** Puts a question to a legacy client in the middle of the call. */
  ask(question: Question): Promise<Fields>;
}

/** A request that came through the SDK's server. */
export function toClientRequest(front: Front, context: ServerContext, params: Fields): ClientRequest {
  const { mcpReq } = context;
  const principal = principalOf(context);
  const isModern = front.era === "modern";
  const envelope: Fields = isModern && isFields(mcpReq.envelope) ? mcpReq.envelope : {};
  const capabilities = isModern ? envelope[metaKeys.clientCapabilities] : front.server.getClientCapabilities();
  const info = isModern ? envelope[metaKeys.clientInfo] : front.server.getClientVersion();
  const level = isModern ? envelope[metaKeys.logLevel] : front.logLevel;
  const state = mcpReq.requestState() as unknown; // a string, or nothing
  const account = accountOf(principal, isModern ? nameOf(info) : front.id);
  const caller = toCaller(front.id, account, capabilities, info, level);
  return {
    era: front.era,
    principal,
    caller: isModern ? caller : { ...caller, onOwnLog: (told) => tellOwn(front, told) },
    trace: traceOf(params._meta, context.http?.req?.headers),
    span: {
      "jsonrpc.request.id": String(mcpReq.id),
      "mcp.session.id": context.sessionId,
      "network.transport": context.http === undefined ? "pipe" : "tcp",
    },
    signal: mcpReq.signal,
    requestState: typeof state === "string" ? state : undefined,
    inputResponses: mcpReq.inputResponses,
    tell(method, told) {
      mcpReq.notify({ method, params: { ...told } } as Parameters<typeof mcpReq.notify>[0]).catch(() => {}); // nobody listens any more
    },
    async ask({ method, params: asked }) {
      const options = { signal: mcpReq.signal, timeout: questionTimeoutMs };
      const answer: unknown = await mcpReq.send({ method, params: { ...asked } }, anything, options);
      return isFields(answer) ? answer : {};
    },
  };
}

/** To a legacy connection, outside any request of its. */
function tellOwn({ server, logLevel }: Front, told: Fields): void {
  if (!isSevereEnough(told, logLevel)) return;
  const message = { method: "notifications/message", params: { ...told } };
  server.notification(message as Parameters<Server["notification"]>[0]).catch(() => {}); // as it came; it may have gone
}

let plainCalls = 0;

/** A request that needed no SDK: it has asked for no progress and no log messages, and cannot be asked in the middle. */
export function ofPlainCall({ id, envelope, headers }: PlainCall, { principal, signal }: PlainCaller): ClientRequest {
  const info = envelope[metaKeys.clientInfo];
  const account = accountOf(principal, nameOf(info));
  return {
    era: "modern",
    principal,
    caller: toCaller(`plain ${++plainCalls}`, account, envelope[metaKeys.clientCapabilities], info, undefined),
    trace: traceOf(envelope, headers),
    span: { "jsonrpc.request.id": String(id), "network.transport": "tcp" },
    signal,
    requestState: undefined,
    inputResponses: undefined,
    tell: () => {},
    ask: () => Promise.reject(new AnsweredError({ code: -32603, message: "The client cannot be asked." })),
  };
}

function toCaller(id: string, account: string, capabilities: unknown, info: unknown, level: unknown): Caller {
  return {
    id,
    account,
    capabilities: isFields(capabilities) ? capabilities : {},
    ...(isFields(info) ? { info } : {}),
    ...(typeof level === "string" ? { logLevel: level } : {}),
  };
}

/** Whose share of a server's places a request takes: a person's own, or a client's where many may be one principal. */
const accountOf = ({ id }: Principal, client: string): string => (sharedPrincipals.has(id) ? `${id} ${client}` : id);

/** Modern requests come without a connection: what they say of themselves is all that tells clients apart. */
const nameOf = (info: unknown): string => (isFields(info) ? `${String(info.name)} ${String(info.version)}` : "unnamed");

const anything = {
  "~standard": { version: 1, vendor: "mcp-gateway", validate: (value: unknown) => ({ value }) },
} as const;

/** Milliseconds a person has to answer. */
const questionTimeoutMs = 600_000;
