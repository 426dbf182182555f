/**
 * The commonest request of all, known on sight: a modern `tools/call` over HTTP with nothing unusual about it. A server
 * that forwards calls can answer it without the SDK building a server for it; whatever is not plainly valid is not one,
 * and the SDK says what is wrong with it.
 */
import type { IncomingHttpHeaders } from "node:http";
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  ProtocolErrorCode,
} from "@modelcontextprotocol/server";
import type { Caller } from "./principal.js";

type Fields = Readonly<Record<string, unknown>>;

/** A plainly valid call. */
export interface PlainCall {
  readonly id: string | number;
  /** `name`, `arguments` and `_meta`, and nothing else. */
  readonly params: Fields & { readonly name: string };
  /** `params._meta`: version, capabilities and perhaps the client's name and a trace context. */
  readonly envelope: Fields;
  /** Of the request it came by: a trace context may stand there. */
  readonly headers: Pick<Headers, "get">;
}

/** What goes back under the call's id. */
export type PlainAnswer =
  | { readonly result: Fields }
  | { readonly error: { readonly code: number; readonly message: string; readonly data?: unknown } };

/** Answers a plain call, or leaves it to the SDK by returning undefined at once. The signal fires when the client goes away. */
export type PlainCallHandler = (call: PlainCall, caller: Caller) => Promise<PlainAnswer> | undefined;

const version = "2026-07-28";

/** The plain call in a request, undefined when it is anything else. */
export function toPlainCall(headers: IncomingHttpHeaders, body: unknown): PlainCall | undefined {
  if (headers["mcp-protocol-version"] !== version || headers["mcp-method"] !== "tools/call") return undefined;
  if (headers["mcp-session-id"] !== undefined || !acceptsBoth(headers.accept)) return undefined;
  if (!isFields(body) || body.jsonrpc !== "2.0" || body.method !== "tools/call") return undefined;
  const { id, params } = body;
  if (!(typeof id === "string" || Number.isSafeInteger(id)) || !hasOnly(body, bodyKeys)) return undefined;
  if (!isFields(params) || !hasOnly(params, paramKeys)) return undefined;
  const { name, arguments: given, _meta: envelope } = params;
  if (typeof name !== "string" || name !== headers["mcp-name"] || !/^[\w.-]+$/.test(name)) return undefined;
  if (given !== undefined && !isFields(given)) return undefined;
  if (!isFields(envelope) || !isPlainEnvelope(envelope)) return undefined;
  // both have just been looked at
  return { id: id as string | number, params: params as PlainCall["params"], envelope, headers: reader(headers) };
}

const reader = (headers: IncomingHttpHeaders): PlainCall["headers"] => ({
  get(name) {
    const value = headers[name];
    return typeof value === "string" ? value : null;
  },
});

/** The HTTP status the SDK would answer with. */
export const statusOf = (answer: PlainAnswer): number =>
  "error" in answer && answer.error.code === ProtocolErrorCode.MissingRequiredClientCapability ? 400 : 200;

const bodyKeys = new Set(["jsonrpc", "id", "method", "params"]);
const paramKeys = new Set(["name", "arguments", "_meta"]);
const textKeys = new Set(["traceparent", "tracestate", "baggage"]);

function isPlainEnvelope(envelope: Fields): boolean {
  let hasVersion = false;
  let hasCapabilities = false;
  for (const [key, value] of Object.entries(envelope)) {
    if (key === PROTOCOL_VERSION_META_KEY && value === version) hasVersion = true;
    else if (key === CLIENT_CAPABILITIES_META_KEY && isPlainCapabilities(value)) hasCapabilities = true;
    else if (key === CLIENT_INFO_META_KEY && isPlainInfo(value)) continue;
    else if (textKeys.has(key) && typeof value === "string") continue;
    else return false;
  }
  return hasVersion && hasCapabilities;
}

const isPlainInfo = (value: unknown): boolean =>
  isFields(value) &&
  typeof value.name === "string" &&
  typeof value.version === "string" &&
  (value.title === undefined || typeof value.title === "string") &&
  hasOnly(value, infoKeys);
const infoKeys = new Set(["name", "version", "title"]);

const isPlainCapabilities = (value: unknown): boolean =>
  isFields(value) && Object.values(value).every((one) => isFields(one) && Object.values(one).every(isFields));

function acceptsBoth(accept: string | undefined): boolean {
  return accept?.includes("application/json") === true && accept.includes("text/event-stream");
}

function hasOnly(value: Fields, keys: ReadonlySet<string>): boolean {
  for (const key in value) if (!keys.has(key)) return false;
  return true;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
