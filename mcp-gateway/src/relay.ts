/**
 * One client request carried to one server and its answer back, whatever era each speaks: progress, log messages,
 * cancellation and questions on the way. Params and results pass as they are, but for what only one era knows.
 */
import {
  cacheMetaKey,
  clientMetaKey,
  factsMetaKey,
  mcpSpan,
  ownMetaPrefix,
  principalMetaKey,
  type Tracing,
  toldFacts,
  toPrincipalMeta,
} from "@database-interface/mcp-core/host";
import type { CallEntry } from "./audit/call-entry.js";
import type { ClientRequest } from "./client-request.js";
import type { Conversations, Question } from "./conversation.js";
import { callLost, unreachable } from "./errors.js";
import { legacyVersion, modernVersion } from "./handshake.js";
import { isSevereEnough } from "./log-levels.js";
import type { Member } from "./member.js";
import { AnsweredError, type Fields, isFields } from "./message.js";
import { metaKeys } from "./request-meta.js";
import { traceIn } from "./trace.js";
import { type Caller, ConnectionLost, type RequestOptions, type Upstream } from "./upstream.js";

/** A request to carry. */
export interface Errand {
  readonly member: Member;
  readonly method: string;
  readonly params: Fields;
  readonly request: ClientRequest;
  readonly conversations: Conversations;
  readonly tracing: Tracing;
  /** Nothing can have happened if the server goes away. */
  readonly isReading: boolean;
  /** Where what a server of ours knows of the call is written down. */
  readonly entry?: Pick<CallEntry, "id" | "told"> | undefined;
  /** Called when a server begins to work on it, and when that has ended. */
  onServed?(): Disposable;
}

/** @throws AnsweredError as the server answered; CodedError for what the gateway finds */
export async function relay(given: Errand): Promise<Fields> {
  const errand = { ...given, params: withPrincipal(given) };
  const { member, request, conversations } = errand;
  const { signal, requestState: token, caller, principal } = request;
  try {
    if (request.era === "legacy")
      return await member.supervisor.use((upstream) => exchangeLegacy(upstream, errand), signal, caller.account);
    const key = `${principal.id} ${member.plan.id} ${errand.method} ${String(errand.params.name ?? errand.params.uri)}`;
    if (conversations.owns(token)) return await conversations.resume(token, key, request.inputResponses ?? {}, signal);
    return await conversations.begin(
      key,
      (ask, inner) =>
        member.supervisor.use((upstream) => exchangeModern(upstream, errand, ask, inner), inner, caller.account),
      signal,
    );
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error;
    const { id } = member.plan;
    throw error.wasSent ? callLost(id, error.message, errand.isReading) : unreachable(id, error.message);
  }
}

const isOurs = ({ plan }: Member): boolean => plan.databases !== undefined;

/** What is the suite's own in a client's `_meta` is taken off; to our own servers goes who calls, by which connection, and what the audit asks. */
function withPrincipal({ params, member, request, entry }: Errand): Fields {
  const { _meta: given, ...rest } = params;
  const kept = isFields(given) ? Object.entries(given).filter(([key]) => !key.startsWith(ownMetaPrefix)) : [];
  const client = request.era === "legacy" ? { [clientMetaKey]: request.caller.id } : {};
  const asked = entry === undefined ? {} : { [factsMetaKey]: entry.id };
  const own = isOurs(member) ? { [principalMetaKey]: toPrincipalMeta(request.principal), ...client, ...asked } : {};
  const _meta = { ...Object.fromEntries(kept), ...own };
  return Object.keys(_meta).length > 0 ? { ...rest, _meta } : rest;
}

/** For a modern client: a modern server's questions pass in its answer, a legacy server's become one. */
async function exchangeModern(
  upstream: Upstream,
  errand: Errand,
  ask: (question: Question) => Promise<Fields>,
  signal: AbortSignal,
): Promise<Fields> {
  const { inputResponses, requestState, caller } = errand.request;
  const params = {
    ...errand.params,
    ...(inputResponses === undefined ? {} : { inputResponses }),
    ...(requestState === undefined ? {} : { requestState }),
  };
  using _served = errand.onServed?.();
  const result = await inSpan(upstream, errand, params, {
    ...listeners(errand),
    signal,
    onQuestion(question) {
      assertCapable(caller, question);
      return ask(question);
    },
  });
  return toClient(result, errand);
}

/** Asks the server in a span of its own, whose context it is told. */
function inSpan(
  upstream: Upstream,
  { method, params: { name: target }, member: { plan }, tracing, request }: Errand,
  params: Fields,
  options: RequestOptions,
): Promise<Fields> {
  if (!tracing.isOn) return upstream.request(method, params, options);
  const kind = method === "tools/call" ? "tool" : method === "prompts/get" ? "prompt" : undefined;
  const { name, attributes } = mcpSpan(method, kind === undefined ? {} : { [kind]: String(target) });
  const where = {
    "mcp_gateway.server": plan.family ?? plan.id,
    "mcp.protocol.version": upstream.description.era === "modern" ? modernVersion : legacyVersion,
    "network.transport": plan.remote === undefined ? "pipe" : "tcp",
    "server.address": plan.remote?.hostname,
  };
  const parent = request.trace.carrier; // another replica may have begun it
  return tracing.run({ name, kind: "client", attributes: { ...attributes, ...where }, parent }, async (span) => {
    const result = await upstream.request(method, params, { ...options, trace: traceIn(span, request.trace) });
    if (result.isError === true) span?.fail("tool_error");
    return result;
  });
}

const maxRounds = 20;

/** For a legacy client: questions of either kind are put to it in the middle of the call. */
async function exchangeLegacy(upstream: Upstream, errand: Errand): Promise<Fields> {
  const { request } = errand;
  const { signal, caller } = request;
  const onQuestion = (question: Question): Promise<Fields> => {
    assertCapable(caller, question);
    return request.ask(question);
  };
  using _served = errand.onServed?.();
  const options = { ...listeners(errand), signal, onQuestion };
  let result = toClient(await inSpan(upstream, errand, errand.params, options), errand);
  for (let round = 0; result.resultType === "input_required"; round++) {
    if (round === maxRounds)
      throw new AnsweredError({ code: -32603, message: "The server asks too many questions in a row." });
    const answers = await answerAll(result, onQuestion);
    const { requestState } = result;
    const next = { ...errand.params, ...answers, ...(requestState === undefined ? {} : { requestState }) };
    result = toClient(await inSpan(upstream, errand, next, options), errand);
  }
  if (upstream.description.era === "legacy") return result;
  const { resultType: _, ttlMs: __, cacheScope: ___, ...kept } = result;
  // the legacy schema has objects there and nothing else
  return "structuredContent" in kept && !isFields(kept.structuredContent)
    ? { ...kept, structuredContent: { result: kept.structuredContent } }
    : kept;
}

async function answerAll(result: Fields, ask: (question: Question) => Promise<Fields>): Promise<Fields> {
  const { inputRequests } = result;
  if (!isFields(inputRequests)) return {};
  const inputResponses: Record<string, Fields> = {};
  for (const [name, request] of Object.entries(inputRequests)) {
    if (!isFields(request) || typeof request.method !== "string") continue;
    inputResponses[name] = await ask({
      method: request.method,
      params: isFields(request.params) ? request.params : {},
    });
  }
  return { inputResponses };
}

const neededCapability: Readonly<Record<string, string>> = {
  "elicitation/create": "elicitation",
  "sampling/createMessage": "sampling",
  "roots/list": "roots",
};

function assertCapable({ capabilities }: Caller, { method }: Question): void {
  const needed = neededCapability[method];
  if (needed !== undefined && capabilities[needed] !== undefined) return;
  throw new AnsweredError({ code: -32601, message: `The client cannot answer ${method}.` });
}

function listeners({ params, request }: Errand): Pick<RequestOptions, "caller" | "trace" | "onProgress" | "onLog"> {
  const { caller, trace, era } = request;
  const progressToken = isFields(params._meta) ? params._meta.progressToken : undefined;
  return {
    caller,
    trace,
    ...(typeof progressToken === "string" || typeof progressToken === "number"
      ? { onProgress: (told: Fields) => request.tell("notifications/progress", { ...told, progressToken }) }
      : {}),
    onLog(told) {
      if (era === "modern" && caller.logLevel === undefined) return;
      if (isSevereEnough(told, caller.logLevel)) request.tell("notifications/message", told);
    },
  };
}

/** Results name the software that made them, which to our client is the gateway; what our servers add is for us alone. */
function toClient(result: Fields, { member, entry }: Errand): Fields {
  if (!isFields(result._meta)) return result;
  const facts = isOurs(member) ? toldFacts(result) : undefined;
  if (facts !== undefined) entry?.told(facts);
  const { _meta, ...rest } = result;
  const given = Object.entries(result._meta);
  const isOwn = (key: string): boolean => key.startsWith(ownMetaPrefix) && !(key === cacheMetaKey && isOurs(member)); // where it is from may be known
  const kept = given.filter(([key]) => key !== metaKeys.serverInfo && !isOwn(key));
  if (kept.length === given.length) return result;
  return kept.length > 0 ? { ...rest, _meta: Object.fromEntries(kept) } : rest;
}
