/**
 * The face towards clients: a low-level SDK server per connection (legacy) or request (modern) that keeps the protocol's
 * rules and hands every request on raw. What is answered here are the merged lists; all else goes by `routing` to
 * `relay`.
 */
import { createHash, randomBytes } from "node:crypto";
import type { PlainCallHandler } from "@database-interface/mcp-core/host";
import {
  type McpRequestContext,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { answer } from "./answer.js";
import { callTool, complete, getPrompt, readResource, text } from "./calls.js";
import { type ClientRequest, type Front, ofPlainCall, toClientRequest } from "./client-request.js";
import { notFound, toErrorBody } from "./errors.js";
import type { FrontOptions } from "./front-options.js";
import { list, listResources } from "./lists.js";
import { type Fields, isFields } from "./message.js";
import { metaKeys } from "./request-meta.js";

const title = "Database Interface gateway";

/** Makes the SDK's server for a connection or request. */
export function createFront(options: FrontOptions): (context: McpRequestContext) => Promise<Server> {
  options.elsewhere?.serve((params, request) => callTool(params, request, options));
  return async ({ era, requestInfo }) => {
    // who only now gets to know us should hear of every server; calls must not wait for servers they are not for
    const isHello =
      era === "legacy" || requestInfo === undefined || requestInfo.headers.get("mcp-method") === "server/discover";
    if (isHello) await options.whenListed(AbortSignal.timeout(60_000));
    const hasOthers = options.members.some(({ plan }) => plan.databases === undefined);
    const capabilities = {
      tools: { listChanged: true },
      resources: { listChanged: true, ...(hasOthers ? { subscribe: true } : {}) },
      prompts: { listChanged: true },
      completions: {},
      ...(hasOthers ? { logging: {} } : {}),
    };
    const server = new Server(
      { ...options.identity, title },
      { capabilities, instructions: options.instructions(), jsonSchemaValidator: noValidator },
    );
    const front: Front = { id: frontId(era, requestInfo), era, server, logLevel: undefined };
    server.onerror = (error) => options.log.debug("protocol_error", { error: error.message });
    server.onclose = () => options.subscriptions.forget(front.id);
    if (hasOthers) {
      server.setRequestHandler("logging/setLevel", ({ params }) => {
        front.logLevel = params.level;
        options.onLogLevel(params.level);
        return {};
      });
    }
    const named = era === "modern" ? requestInfo?.headers.get("mcp-method") : undefined;
    if (typeof named === "string" && !methods.has(named)) return server; // the SDK says 404, as HTTP wants it
    // no handler by method: the SDK would parse and rebuild what must pass untouched
    server.fallbackRequestHandler = (request, context) =>
      answerSdk(request.method, isFields(request.params) ? request.params : {}, front, context, options);
    return server;
  };
}

/** A connection has the same one wherever its session is served. */
function frontId(era: Front["era"], requestInfo: Request | undefined): string {
  const session = era === "legacy" ? (requestInfo?.headers.get("mcp-session-id") ?? undefined) : undefined;
  return session === undefined
    ? randomBytes(8).toString("hex")
    : createHash("sha256").update(session).digest("hex").slice(0, 16);
}

/** What is answered here or behind. */
const methods: ReadonlySet<string> = new Set([
  "tools/list",
  "tools/call",
  "prompts/list",
  "prompts/get",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "completion/complete",
]);

async function answerSdk(method: string, params: Fields, front: Front, context: ServerContext, options: FrontOptions) {
  const request = toClientRequest(front, context, params);
  if (method === "resources/subscribe" || method === "resources/unsubscribe")
    return {
      ...(await answer(method, params, request, options, (traced) =>
        changeSubscription(method, params, front.id, traced, options),
      )),
    };
  return { ...(await answer(method, params, request, options, (traced) => handle(method, params, traced, options))) };
}

/** Plain calls of tools that are known: answered here as the SDK's server would have. */
export function createPlainCalls(options: FrontOptions): PlainCallHandler {
  const serverInfo = { ...options.identity, title };
  return (call, caller) => {
    if (!options.names().tools.has(call.params.name)) return undefined;
    const request = ofPlainCall(call, caller);
    return answer("tools/call", call.params, request, options, (traced) => callTool(call.params, traced, options)).then(
      (result) => ({
        result: { resultType: "complete", ...result, _meta: { ...metaOf(result), [metaKeys.serverInfo]: serverInfo } },
      }),
      (error: unknown) => ({ error: toErrorBody(error) }),
    );
  };
}

const metaOf = ({ _meta }: Fields): Fields => (isFields(_meta) ? _meta : {});

function handle(
  method: string,
  params: Fields,
  request: ClientRequest,
  options: FrontOptions,
): Promise<Fields> | Fields {
  switch (method) {
    case "tools/list":
    case "prompts/list":
    case "resources/templates/list":
      return list(method, params, request, options);
    case "resources/list":
      return listResources(params, request, options);
    case "tools/call":
      return callTool(params, request, options);
    case "prompts/get":
      return getPrompt(params, request, options);
    case "resources/read":
      return readResource(params, request, options);
    case "completion/complete":
      return complete(params, request, options);
    default:
      throw new ProtocolError(ProtocolErrorCode.MethodNotFound, "Method not found");
  }
}

async function changeSubscription(
  method: string,
  params: Fields,
  client: string,
  { signal }: ClientRequest,
  { router, subscriptions, whenListed }: FrontOptions,
): Promise<Fields> {
  const uri = text(params, "uri");
  if (method === "resources/unsubscribe") {
    subscriptions.unsubscribe(client, uri);
    return {};
  }
  await whenListed(signal);
  const [member] = router.resource(uri);
  if (member === undefined) throw notFound("resource", uri, []);
  await subscriptions.subscribe(client, uri, member, signal);
  return {};
}

/** The gateway validates no client's JSON against a schema of its own; building the SDK's validator costs time. */
const noValidator = {
  getValidator: () => (input: unknown) => ({ valid: true as const, data: input as never, errorMessage: undefined }),
};
