/**
 * The face towards clients: a low-level SDK server per connection (legacy) or request (modern) that keeps the protocol's
 * rules and hands every request on raw. What is answered here are the merged lists; all else goes by `routing` to
 * `relay`.
 */
import { randomBytes } from "node:crypto";
import { CodedError, type Log } from "@database-interface/mcp-core/host";
import {
  type McpRequestContext,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import type { Conversations } from "./conversation.js";
import { notFound, toErrorResult, toProtocolError } from "./errors.js";
import type { Member } from "./member.js";
import { AnsweredError, type Fields, isFields } from "./message.js";
import type { Meter } from "./meter.js";
import type { Names } from "./naming.js";
import { type Front, relay } from "./relay.js";
import { argumentsOf, type Router } from "./routing.js";
import type { Subscriptions } from "./subscriptions.js";

/** What the face shows and where it sends requests. */
export interface FrontOptions {
  readonly identity: { readonly name: string; readonly version: string };
  readonly members: readonly Member[];
  readonly router: Router;
  readonly conversations: Conversations;
  readonly subscriptions: Subscriptions;
  readonly meter: Meter;
  readonly log: Log;
  names(): Names;
  instructions(): string;
  /** Resolves when every server has been listed once, or should have been. */
  whenListed(signal: AbortSignal): Promise<void>;
  /** Milliseconds one server may hold up a list. */
  readonly listMs: number;
  onLogLevel(level: string): void;
}

type Context = ServerContext;

/** Makes the SDK's server for a connection or request. */
export function createFront(options: FrontOptions): (context: McpRequestContext) => Promise<Server> {
  const hasOthers = options.members.some(({ plan }) => plan.databases === undefined);
  const capabilities = {
    tools: { listChanged: true },
    resources: { listChanged: true, ...(hasOthers ? { subscribe: true } : {}) },
    prompts: { listChanged: true },
    completions: {},
    ...(hasOthers ? { logging: {} } : {}),
  };
  return async ({ era, requestInfo }) => {
    // who only now gets to know us should hear of every server; calls must not wait for servers they are not for
    const isHello =
      era === "legacy" || requestInfo === undefined || requestInfo.headers.get("mcp-method") === "server/discover";
    if (isHello) await options.whenListed(AbortSignal.timeout(60_000));
    const server = new Server(
      { ...options.identity, title: "Database Interface gateway" },
      { capabilities, instructions: options.instructions(), jsonSchemaValidator: noValidator },
    );
    const front: Front = { id: randomBytes(8).toString("hex"), era, server, logLevel: undefined };
    server.onerror = (error) => options.log.debug("protocol_error", { error: error.message });
    server.onclose = () => options.subscriptions.forget(front.id);
    if (hasOthers) {
      server.setRequestHandler("logging/setLevel", ({ params }) => {
        front.logLevel = params.level;
        options.onLogLevel(params.level);
        return {};
      });
    }
    // no handler by method: the SDK would parse and rebuild what must pass untouched
    server.fallbackRequestHandler = (request, context) =>
      answer(request.method, isFields(request.params) ? request.params : {}, front, context as Context, options);
    return server;
  };
}

async function answer(method: string, params: Fields, front: Front, context: Context, options: FrontOptions) {
  const { meter } = options;
  const call = meter.begin(method);
  try {
    const result = await handle(method, params, front, context, options);
    call.end(result.isError === true ? "tool_error" : "ok");
    return { ...result };
  } catch (error) {
    const { signal } = context.mcpReq;
    call.end(
      signal.aborted
        ? "cancelled"
        : error instanceof CodedError
          ? error.code
          : error instanceof AnsweredError
            ? "server_error"
            : "internal",
    );
    if (error instanceof AnsweredError || error instanceof ProtocolError) throw error;
    if (!(error instanceof CodedError) && !signal.aborted) options.log.error("internal_error", { method, error });
    if (method === "tools/call" && !(error instanceof CodedError && error.code === "not_found"))
      return { ...toErrorResult(error) };
    throw toProtocolError(error);
  }
}

function handle(
  method: string,
  params: Fields,
  front: Front,
  context: Context,
  options: FrontOptions,
): Promise<Fields> | Fields {
  switch (method) {
    case "tools/list":
    case "prompts/list":
    case "resources/templates/list":
      return list(method, params, context, options);
    case "resources/list":
      return listResources(params, context, options);
    case "tools/call":
      return callTool(params, front, context, options);
    case "prompts/get":
      return getPrompt(params, front, context, options);
    case "resources/read":
      return readResource(params, front, context, options);
    case "resources/subscribe":
    case "resources/unsubscribe":
      return changeSubscription(method, params, front, context, options);
    case "completion/complete":
      return complete(params, front, context, options);
    default:
      throw new ProtocolError(ProtocolErrorCode.MethodNotFound, "Method not found");
  }
}

/** All there is on one page. */
function assertFirstPage({ cursor }: Fields): void {
  if (cursor !== undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "There is no such page.");
}

function text(params: Fields, key: string): string {
  const value = params[key];
  if (typeof value === "string") return value;
  throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Invalid params: \`${key}\` must be text.`);
}

async function list(method: string, params: Fields, { mcpReq }: Context, options: FrontOptions): Promise<Fields> {
  assertFirstPage(params);
  await options.whenListed(mcpReq.signal);
  const names = options.names();
  if (method === "tools/list") return { tools: names.listedTools };
  return method === "prompts/list" ? { prompts: names.listedPrompts } : { resourceTemplates: names.listedTemplates };
}

/** Every server's own resources, in the config's order; one that is slow or broken leaves its last ones. */
async function listResources(params: Fields, { mcpReq }: Context, options: FrontOptions): Promise<Fields> {
  assertFirstPage(params);
  await options.whenListed(mcpReq.signal);
  const lists = await Promise.all(
    options.members.map(async (member) => {
      try {
        return await member.resources(AbortSignal.any([mcpReq.signal, AbortSignal.timeout(options.listMs)]));
      } catch (error) {
        options.log.debug("resources_not_listed", { server: member.plan.id, error });
        return member.listing?.resources ?? [];
      }
    }),
  );
  return { resources: lists.flat() };
}

async function callTool(params: Fields, front: Front, context: Context, options: FrontOptions): Promise<Fields> {
  const name = text(params, "name");
  if (params.arguments !== undefined && !isFields(params.arguments)) {
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, "Invalid params: `arguments` must be an object.");
  }
  if (!options.names().tools.has(name)) await options.whenListed(context.mcpReq.signal);
  const route = options.router.tool(options.names(), name, argumentsOf(params));
  const { annotations } = route.entry;
  return send(
    route.member,
    "tools/call",
    { ...params, name: route.name },
    front,
    context,
    options,
    isFields(annotations) && annotations.readOnlyHint === true,
  );
}

async function getPrompt(params: Fields, front: Front, context: Context, options: FrontOptions): Promise<Fields> {
  const name = text(params, "name");
  if (!options.names().prompts.has(name)) await options.whenListed(context.mcpReq.signal);
  const route = options.router.prompt(options.names(), name, argumentsOf(params));
  return send(route.member, "prompts/get", { ...params, name: route.name }, front, context, options);
}

/** The likeliest server first; the next one only where a server says that it does not know the resource. */
async function readResource(params: Fields, front: Front, context: Context, options: FrontOptions): Promise<Fields> {
  const uri = text(params, "uri");
  await options.whenListed(context.mcpReq.signal);
  let refusal: unknown;
  for (const member of options.router.resource(uri)) {
    try {
      return await send(member, "resources/read", params, front, context, options);
    } catch (error) {
      if (!(error instanceof AnsweredError)) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

async function changeSubscription(
  method: string,
  params: Fields,
  front: Front,
  { mcpReq }: Context,
  { router, subscriptions, whenListed }: FrontOptions,
): Promise<Fields> {
  const uri = text(params, "uri");
  if (method === "resources/unsubscribe") {
    subscriptions.unsubscribe(front.id, uri);
    return {};
  }
  await whenListed(mcpReq.signal);
  const [member] = router.resource(uri);
  if (member === undefined) throw notFound("resource", uri, []);
  await subscriptions.subscribe(front.id, uri, member, mcpReq.signal);
  return {};
}

async function complete(params: Fields, front: Front, context: Context, options: FrontOptions): Promise<Fields> {
  const { ref, argument } = params;
  if (!isFields(ref) || !isFields(argument))
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, "Invalid params: `ref` and `argument` must be objects.");
  await options.whenListed(context.mcpReq.signal);
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
    return send(
      route.member,
      "completion/complete",
      { ...params, ref: { ...ref, name: route.name } },
      front,
      context,
      options,
    );
  }
  const members = options.router.template(text(ref, "uri"), argumentName, known);
  const [only] = members;
  if (only !== undefined && members.length === 1)
    return send(only, "completion/complete", params, front, context, options);
  return completion(members.length === 0 ? [] : startingWith(text(argument, "value"), options.router.sources));
}

const startingWith = (beginning: string, names: readonly string[]): string[] =>
  names.filter((name) => name.toLowerCase().startsWith(beginning.toLowerCase()));

const completion = (values: readonly string[]): Fields => ({
  completion: { values: values.slice(0, 100), total: values.length, hasMore: values.length > 100 },
});

function send(
  member: Member,
  method: string,
  params: Fields,
  front: Front,
  context: Context,
  { conversations, meter }: FrontOptions,
  isReading = method !== "tools/call",
): Promise<Fields> {
  return relay({
    member,
    method,
    params,
    front,
    context,
    conversations,
    isReading,
    onServed: () => meter.serve(member.plan.id, method),
  });
}

/** The gateway validates no client's JSON against a schema of its own; building the SDK's validator costs time. */
const noValidator = {
  getValidator: () => (input: unknown) => ({ valid: true as const, data: input as never, errorMessage: undefined }),
};
