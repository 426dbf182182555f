/**
 * Requests that are for servers: each routed to the one that answers, recorded where there is an audit trail, and
 * relayed. What the gateway answers by itself is for `front` and `lists`.
 */
import { cacheMetaKey } from "@database-interface/mcp-core/host";
import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import { type CallEntry, type Destination, recorded } from "./audit/call-entry.js";
import type { ClientRequest } from "./client-request.js";
import { codeOf, roleRequired } from "./errors.js";
import type { FrontOptions } from "./front-options.js";
import type { Member } from "./member.js";
import { AnsweredError, type Fields, isFields } from "./message.js";
import { type Meter, recallOutcomes } from "./meter.js";
import { readsOnly } from "./naming.js";
import { rememberedMs } from "./open-writes.js";
import { type Errand, relay } from "./relay.js";
import { argumentsOf, type Route } from "./routing.js";
import type { SessionCall } from "./sessions/desk.js";

/** Calls a tool by its outer name. */
export function callTool(params: Fields, request: ClientRequest, options: FrontOptions): Promise<Fields> {
  return inside("tools/call", params, request, options, callKnownTool);
}

async function callKnownTool(
  params: Fields,
  request: ClientRequest,
  options: FrontOptions,
  entry: CallEntry | undefined,
): Promise<Fields> {
  const name = text(params, "name");
  if (params.arguments !== undefined && !isFields(params.arguments)) {
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, "Invalid params: `arguments` must be an object.");
  }
  if (!options.names().tools.has(name)) await options.whenListed(request.signal);
  const given = argumentsOf(params);
  const owner = options.names().tools.get(name);
  const about = {
    ...(owner === undefined ? {} : { tool: name }),
    isReading: owner !== undefined && readsOnly(owner.entry),
  };
  entry?.routed(about);
  if (owner?.kind === "gateway") {
    await entry?.begin();
    return options.desk.call(name, given, request);
  }
  const route =
    owner?.kind === "databases" && given.session !== undefined
      ? await options.desk.route(owner, given, request)
      : options.router.tool(options.names(), name, given);
  const { member, entry: listed } = route;
  const isReading = readsOnly(listed);
  const place = placeOf(route, given);
  entry?.routed({ ...about, ...place, isReading });
  if (!isReading && !request.principal.roles.has("write")) throw roleRequired(name);
  const passed = { ...params, name: route.name, ...("arguments" in route ? { arguments: route.arguments } : {}) };
  const errand = { member, method: "tools/call", params: passed, options, isReading, entry };
  const isOurs = owner?.kind === "databases";
  const here = (one: ClientRequest) =>
    isOurs && !isReading
      ? keeping(member, given, () => send({ ...errand, request: one }))
      : send({ ...errand, request: one });
  const asked = { params, given, request, isOurs };
  const work = () => options.elsewhere?.call(asked, here) ?? here(request);
  // names that users give their connections would never end
  const source = place.session === undefined ? place.source : place.server;
  const isCounted = member.plan.databases !== undefined && source !== undefined;
  return isCounted ? timed(options.meter.query(source), work) : work();
}

/** A write; its server is not stopped as idle while it remembers something of it. */
async function keeping({ supervisor }: Member, given: Fields, work: () => Promise<Fields>): Promise<Fields> {
  let result: Fields | undefined;
  try {
    result = await work();
    return result;
  } finally {
    supervisor.keepFor(rememberedMs(given, result));
  }
}

/** A database's call in the figures, with the code of what its server refuses. */
async function timed(query: ReturnType<Meter["query"]>, work: () => Promise<Fields>): Promise<Fields> {
  try {
    const result = await work();
    query.end(result.isError === true ? codeIn(result) : "ok");
    return result;
  } catch (error) {
    query.end(codeOf(error));
    throw error;
  }
}

/** The code in the one text of an error of ours. */
function codeIn({ content }: Fields): string {
  const [first] = Array.isArray(content) ? content.filter(isFields) : [];
  return /^\{"code":"([a-z_]{1,40})"/.exec(String(first?.text))?.[1] ?? "tool_error";
}

/** Where a call goes, as the audit names it. */
function placeOf(route: Route | SessionCall, { source }: Fields): Omit<Destination, "isReading"> {
  const { plan } = route.member;
  const server = plan.family ?? plan.id;
  if ("sessionId" in route) return { server, source: route.connection, session: route.sessionId };
  const { sources = [] } = plan.databases ?? {};
  const [only] = sources.length === 1 ? sources : [];
  return { server, source: sources.find((one) => one === source) ?? only };
}

/** Gets a prompt by its outer name. */
export function getPrompt(params: Fields, request: ClientRequest, options: FrontOptions): Promise<Fields> {
  return inside("prompts/get", params, request, options, getKnownPrompt);
}

/** Reads a resource of whichever server has it. */
export function readResource(params: Fields, request: ClientRequest, options: FrontOptions): Promise<Fields> {
  return inside("resources/read", params, request, options, readFirst);
}

type Answer = (
  params: Fields,
  request: ClientRequest,
  options: FrontOptions,
  entry: CallEntry | undefined,
) => Promise<Fields>;

/** Work: recorded, and let in by the gate; what answers a question of earlier work goes on with it. */
function inside(method: string, params: Fields, request: ClientRequest, options: FrontOptions, answerIt: Answer) {
  const { recorder, gate, names } = options;
  const entry = recorder.open(request);
  // the names of tools that do not exist are the client's words
  const tool = method === "tools/call" && typeof params.name === "string" && names().tools.has(params.name);
  entry?.routed({ ...(tool ? { tool: String(params.name) } : { method }), isReading: true });
  return recorded(entry, request, async () => {
    const what = tool ? String(params.name) : method;
    using _inside = gate.enter(what, request.principal.id, request.requestState !== undefined);
    return await answerIt(params, request, options, entry);
  });
}

async function getKnownPrompt(
  params: Fields,
  request: ClientRequest,
  options: FrontOptions,
  entry: CallEntry | undefined,
) {
  const name = text(params, "name");
  const method = "prompts/get";
  if (!options.names().prompts.has(name)) await options.whenListed(request.signal);
  const { member, name: own } = options.router.prompt(options.names(), name, argumentsOf(params));
  entry?.routed({ method, server: member.plan.id, isReading: true });
  return send({ member, method, params: { ...params, name: own }, request, options, entry });
}

/** The likeliest server first; the next one only where a server says that it does not know the resource. */
async function readFirst(
  params: Fields,
  request: ClientRequest,
  options: FrontOptions,
  entry: CallEntry | undefined,
): Promise<Fields> {
  const uri = text(params, "uri");
  const method = "resources/read";
  await options.whenListed(request.signal);
  let refusal: unknown;
  for (const member of options.router.resource(uri)) {
    try {
      entry?.routed({ method, server: member.plan.id, isReading: true });
      return await send({ member, method, params, request, options, entry });
    } catch (error) {
      if (!(error instanceof AnsweredError)) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

/** Completes an argument of a prompt or resource template. */
export async function complete(params: Fields, request: ClientRequest, options: FrontOptions): Promise<Fields> {
  const { ref, argument } = params;
  if (!isFields(ref) || !isFields(argument))
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, "Invalid params: `ref` and `argument` must be objects.");
  await options.whenListed(request.signal);
  const argumentName = text(argument, "name");
  const known = isFields(params.context) && isFields(params.context.arguments) ? params.context.arguments : {};
  if (ref.type === "ref/prompt") {
    if (
      argumentName === "source" &&
      options.router.sources.length > 1 &&
      options.names().prompts.get(text(ref, "name"))?.kind === "databases"
    ) {
      return completion(startingWith(text(argument, "value"), options.router.sources));
    }
    const route = options.router.prompt(options.names(), text(ref, "name"), known);
    const named = { ...params, ref: { ...ref, name: route.name } };
    return send({ member: route.member, method: "completion/complete", params: named, request, options });
  }
  const members = options.router.template(text(ref, "uri"), argumentName, known);
  const [only] = members;
  if (only !== undefined && members.length === 1)
    return send({ member: only, method: "completion/complete", params, request, options });
  return completion(members.length === 0 ? [] : startingWith(text(argument, "value"), options.router.sources));
}

const startingWith = (beginning: string, names: readonly string[]): string[] =>
  names.filter((name) => name.toLowerCase().startsWith(beginning.toLowerCase()));

const completion = (values: readonly string[]): Fields => ({
  completion: { values: values.slice(0, 100), total: values.length, hasMore: values.length > 100 },
});

async function send({
  member,
  method,
  params,
  request,
  options: { conversations, meter, tracing },
  isReading = true,
  entry,
}: Pick<Errand, "member" | "method" | "params" | "request"> & {
  readonly options: FrontOptions;
  /** Default true. */
  readonly isReading?: boolean;
  readonly entry?: CallEntry | undefined;
}): Promise<Fields> {
  await entry?.begin();
  const result = await relay({
    member,
    method,
    params,
    request,
    conversations,
    tracing,
    isReading,
    entry,
    onServed: () => meter.serve(member.plan.family ?? member.plan.id, method),
  });
  const { _meta } = result;
  const recalled = member.plan.databases !== undefined && isFields(_meta) ? _meta[cacheMetaKey] : undefined;
  const outcome = recallOutcomes.find((one) => one === recalled);
  if (outcome !== undefined) meter.recall(outcome);
  return result;
}

/** A parameter that must be text. @throws ProtocolError */
export function text(params: Fields, key: string): string {
  const value = params[key];
  if (typeof value === "string") return value;
  throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Invalid params: \`${key}\` must be text.`);
}
