/**
 * MCP's stateless era over HTTP, as far as a command needs that asks once and ends: a POST for each request, no session,
 * little to load. It only asks, and is asked nothing; a gateway that does not speak it is left to the SDK's client.
 */
import type { IncomingMessage } from "node:http";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { createParser } from "eventsource-parser";
import * as v from "valibot";
import { linkedAbort } from "../linked-abort.js";
import { connectionClosed, toConnectError } from "./call-errors.js";
import { answerTimeoutMs, toEndpoint } from "./endpoint.js";
import type { OpenClient, ToolCallOptions, ToolsPage } from "./tool-client.js";

const protocolVersion = "2026-07-28";

/** Opens it for a gateway that runs; anything else is the SDK's to open. */
export const openStateless: OpenClient = async (spec, version, listeners) => {
  const openWhole = async () => (await import("./open-client.js")).openClient(spec, version, listeners);
  if (!("url" in spec)) return openWhole();
  const ask = createLine(toEndpoint(spec.url), spec.token, version);
  const listTools = async (cursor: string | undefined): Promise<ToolsPage> => {
    const params = cursor === undefined ? {} : { cursor };
    using patience = linkedAbort(listeners.closing);
    const timer = setTimeout(() => patience.abort(), answerTimeoutMs);
    const listed = await ask("tools/list", params, patience)
      .catch((error: unknown) => {
        const isLate = patience.signal.aborted && !listeners.closing.aborted;
        throw isLate ? new Error(`no answer within ${answerTimeoutMs / 1_000} s`) : error;
      })
      .finally(() => clearTimeout(timer));
    return read(pageSchema, listed) as ToolsPage; // a tool's own fields are for whoever reads them
  };
  let first: ToolsPage | undefined; // the greeting is the first question
  try {
    first = await listTools(undefined);
  } catch (error) {
    if (error instanceof Refusal && error.code !== 401 && error.code !== 403) return openWhole();
    throw toConnectError(error, spec.url);
  }
  return {
    async listTools(cursor) {
      const page = cursor === undefined ? first : undefined;
      first = undefined;
      return page ?? (await listTools(cursor));
    },
    async callTool(name, args, options) {
      const result = await ask("tools/call", { name, arguments: args }, options);
      return read(resultSchema, result) as CallToolResult; // blocks of any type, read by their type
    },
    async [Symbol.asyncDispose]() {},
  };
};

const pageSchema = v.looseObject({
  tools: v.array(v.looseObject({ name: v.string(), inputSchema: v.looseObject({ type: v.literal("object") }) })),
  nextCursor: v.optional(v.string()),
});
const resultSchema = v.looseObject({
  content: v.array(v.looseObject({ type: v.string() })),
  isError: v.optional(v.boolean()),
});
const messageSchema = v.looseObject({
  id: v.optional(v.union([v.number(), v.string(), v.null()])),
  method: v.optional(v.string()),
  params: v.optional(v.looseObject({})),
  result: v.optional(v.looseObject({})),
  error: v.optional(v.looseObject({ code: v.number(), message: v.string() })),
});
type Message = v.InferOutput<typeof messageSchema>;
const progressSchema = v.looseObject({
  progress: v.number(),
  total: v.optional(v.number()),
  message: v.optional(v.string()),
});

/** The gateway's no: a status of HTTP or a code of JSON-RPC. */
class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

function read<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  throw new Refusal(200, "its answer is none of MCP's");
}

type Ask = (method: string, params: Readonly<Record<string, unknown>>, options: ToolCallOptions) => Promise<unknown>;

/** What asks at an address. Aborting closes the request, which is how this era cancels. */
function createLine(endpoint: URL, token: string | undefined, version: string): Ask {
  const envelope = {
    "io.modelcontextprotocol/protocolVersion": protocolVersion,
    "io.modelcontextprotocol/clientInfo": { name: "db-agent", version },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const opened = endpoint.protocol === "https:" ? import("node:https") : import("node:http");
  let asked = 0;
  return async (method, params, { signal, onProgress }) => {
    asked += 1;
    const id = asked;
    const meta = onProgress === undefined ? envelope : { ...envelope, progressToken: id };
    const body = JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta: meta } });
    const { request } = await opened;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = {
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "mcp-protocol-version": protocolVersion,
        "mcp-method": method,
        ...(typeof params.name === "string" ? { "mcp-name": params.name } : {}),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      };
      request(endpoint, { method: "POST", headers, ...(signal === undefined ? {} : { signal }) })
        .once("response", resolve)
        .once("error", (error) => reject(toLost(error)))
        .end(body);
    });
    for await (const message of messagesOf(response)) {
      if (message.method === "notifications/progress") {
        const progress = v.safeParse(progressSchema, message.params);
        if (progress.success) onProgress?.(progress.output);
      }
      if (message.error !== undefined) throw new Refusal(message.error.code, message.error.message);
      if (message.id === id && message.result !== undefined) return message.result;
    }
    throw lost("it ended without an answer");
  };
}

/** The messages of a response, whichever way they come. */
async function* messagesOf(response: IncomingMessage): AsyncGenerator<Message> {
  const { statusCode = 0, headers } = response;
  response.setEncoding("utf8");
  if (headers["content-type"]?.startsWith("text/event-stream")) {
    const arrived: string[] = [];
    const parser = createParser({ onEvent: ({ data }) => arrived.push(data) });
    for await (const chunk of piecesOf(response)) {
      parser.feed(chunk);
      yield* arrived.splice(0).map(toMessage);
    }
    return;
  }
  let text = "";
  for await (const chunk of piecesOf(response)) text += chunk;
  if (statusCode === 401 || statusCode === 403) throw new Refusal(statusCode, `HTTP status ${statusCode}`);
  const message = headers["content-type"]?.startsWith("application/json") ? tryMessage(text) : undefined;
  if (message?.error === undefined && statusCode !== 200) {
    throw new Refusal(statusCode, `HTTP status ${statusCode}: ${text.slice(0, 500)}`);
  }
  yield message ?? toMessage(text);
}

async function* piecesOf(response: IncomingMessage): AsyncGenerator<string> {
  try {
    yield* response as AsyncIterable<string>; // it has an encoding
  } catch (error) {
    throw toLost(error);
  }
}

function toMessage(text: string): Message {
  const message = tryMessage(text);
  if (message === undefined) throw new Refusal(200, "its answer is none of MCP's");
  return message;
}

function tryMessage(text: string): Message | undefined {
  try {
    return v.parse(messageSchema, JSON.parse(text));
  } catch {
    return undefined;
  }
}

const lost = (reason: string, cause?: unknown): Error =>
  Object.assign(new Error(reason, { cause }), { code: connectionClosed });

/** A line that broke after it stood; what never came to stand is as the system says it. */
const toLost = (error: unknown): unknown =>
  error instanceof Error && "code" in error && error.code === "ECONNRESET" ? lost("it broke off", error) : error;
