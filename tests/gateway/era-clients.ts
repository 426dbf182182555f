/** Real SDK clients, v1 and v2, over every way in, behind one face: what a host does with a server that tells and asks. */
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as ReferenceClient } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as ReferenceSse } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport as ReferenceStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as ReferenceHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import * as reference from "@modelcontextprotocol/sdk/types.js";
import type { Era } from "../../mcp-gateway/src/handshake.js";

/** Where the gateway is reached. */
export type WayIn =
  | { readonly transport: "stdio"; readonly args: readonly string[]; readonly env: Record<string, string> }
  | { readonly transport: "http" | "sse"; readonly url: string };

/** What a client heard from the moment it was connected; each list grows. */
export interface Heard {
  readonly toolChanges: unknown[];
  readonly updates: string[];
  readonly logs: unknown[];
  readonly questions: string[];
}

type Reply = { action: "accept"; content: Record<string, string> } | { action: "decline" };

/** A call's options. */
export interface CallOptions {
  /** Modern clients ask for log messages with each call, legacy ones once. */
  readonly wantsLogs?: boolean;
  readonly signal?: AbortSignal;
  readonly onprogress?: (told: { progress: number; message?: string | undefined }) => void;
}

/** A connected client. */
export interface EraClient extends AsyncDisposable {
  readonly era: Era;
  readonly heard: Heard;
  /** How its person answers the next questions. */
  reply: Reply;
  toolNames(): Promise<string[]>;
  /** The first text of the result. */
  call(name: string, args: Record<string, unknown>, options?: CallOptions): Promise<string>;
  templates(): Promise<string[]>;
  read(uri: string): Promise<unknown>;
  prompt(name: string, args: Record<string, string>): Promise<unknown>;
  complete(uri: string, name: string, value: string): Promise<string[]>;
  /** Resolves when updates of the resource are told, until the returned function is called. */
  subscribe(uri: string): Promise<() => Promise<unknown>>;
}

/** What both generations of the SDK's client have in common; their own types spell it differently. */
interface CommonClient {
  listTools(): Promise<{ tools: { name: string }[] }>;
  listResourceTemplates(): Promise<{ resourceTemplates: { uriTemplate: string }[] }>;
  readResource(params: { uri: string }): Promise<{ contents: { text?: unknown }[] }>;
  getPrompt(params: object): Promise<{ messages: { content: { text?: unknown } }[] }>;
  complete(params: object): Promise<{ completion: { values: string[] } }>;
  subscribeResource(params: { uri: string }): Promise<unknown>;
  unsubscribeResource(params: { uri: string }): Promise<unknown>;
  close(): Promise<void>;
}

const identity = { name: "eras", version: "1.0.0" };
const capabilities = { elicitation: { form: {} } };

const textOf = (result: object): string => {
  const { content } = result as { content?: { text?: string }[] }; // CallToolResult of either SDK
  return content?.[0]?.text ?? "";
};

function face(era: Era, client: CommonClient, own: Pick<EraClient, "call" | "subscribe">): EraClient {
  return {
    era,
    heard: { toolChanges: [], updates: [], logs: [], questions: [] },
    reply: { action: "decline" },
    ...own,
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    templates: async () => (await client.listResourceTemplates()).resourceTemplates.map((one) => one.uriTemplate),
    read: async (uri) => (await client.readResource({ uri })).contents[0]?.text,
    prompt: async (name, args) => (await client.getPrompt({ name, arguments: args })).messages[0]?.content.text,
    async complete(uri, name, value) {
      const { completion } = await client.complete({ ref: { type: "ref/resource", uri }, argument: { name, value } });
      return completion.values;
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** Subscriptions of the legacy era. */
const subscribeOne = (client: CommonClient) => async (uri: string) => {
  await client.subscribeResource({ uri });
  return () => client.unsubscribeResource({ uri });
};

async function connectReference(way: WayIn): Promise<EraClient> {
  const client = new ReferenceClient(identity, { capabilities });
  const common = client as unknown as CommonClient; // see there
  const one = face("legacy", common, {
    call: async (name, args, { wantsLogs: _, ...options } = {}) =>
      textOf(await client.callTool({ name, arguments: args }, undefined, options)),
    subscribe: subscribeOne(common),
  });
  const { heard } = one;
  client.setRequestHandler(reference.ElicitRequestSchema, ({ params }) => {
    heard.questions.push(params.message);
    return one.reply;
  });
  client.setNotificationHandler(reference.ToolListChangedNotificationSchema, () => void heard.toolChanges.push(1));
  client.setNotificationHandler(reference.ResourceUpdatedNotificationSchema, ({ params }) => {
    heard.updates.push(params.uri);
  });
  client.setNotificationHandler(reference.LoggingMessageNotificationSchema, ({ params }) => {
    heard.logs.push(params.data);
  });
  const transport =
    way.transport === "stdio"
      ? new ReferenceStdio({ command: process.execPath, args: [...way.args], env: way.env, stderr: "ignore" })
      : way.transport === "http"
        ? new ReferenceHttp(new URL(`${way.url}/mcp`))
        : new ReferenceSse(new URL(`${way.url}/sse`));
  await client.connect(transport as Parameters<ReferenceClient["connect"]>[0]); // the SDK's own transports lack exactOptionalPropertyTypes
  await client.setLoggingLevel("debug");
  return one;
}

async function connectModern(way: WayIn, era: Era): Promise<EraClient> {
  const mode = era === "legacy" ? "legacy" : "auto";
  const client = new Client(identity, { capabilities, versionNegotiation: { mode } });
  const common = client as unknown as CommonClient; // see there
  const one = face(era, common, {
    async call(name, args, { wantsLogs = false, ...options } = {}) {
      const more = wantsLogs && era === "modern" ? { _meta: { "io.modelcontextprotocol/logLevel": "debug" } } : {};
      return textOf(await client.callTool({ name, arguments: args, ...more }, options));
    },
    async subscribe(uri) {
      if (era === "legacy") return subscribeOne(common)(uri);
      const listening = await client.listen({ resourceSubscriptions: [uri] });
      return () => listening.close();
    },
  });
  const { heard } = one;
  client.setRequestHandler("elicitation/create", ({ params }) => {
    heard.questions.push(params.message);
    return one.reply;
  });
  client.setNotificationHandler("notifications/tools/list_changed", () => void heard.toolChanges.push(1));
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => void heard.updates.push(params.uri));
  client.setNotificationHandler("notifications/message", ({ params }) => void heard.logs.push(params.data));
  await client.connect(
    way.transport === "stdio"
      ? new StdioClientTransport({ command: process.execPath, args: [...way.args], env: way.env, stderr: "ignore" })
      : way.transport === "http"
        ? new StreamableHTTPClientTransport(new URL(`${way.url}/mcp`))
        : new SSEClientTransport(new URL(`${way.url}/sse`)),
  );
  if (era === "legacy") await client.setLoggingLevel("debug");
  else await client.listen({ toolsListChanged: true });
  return one;
}

/** The clients by name. */
export const eraClients = {
  "SDK v1": { era: "legacy", connect: connectReference },
  "SDK v2 as legacy": { era: "legacy", connect: (way) => connectModern(way, "legacy") },
  "SDK v2": { era: "modern", connect: (way) => connectModern(way, "modern") },
} as const satisfies Record<string, { era: Era; connect(way: WayIn): Promise<EraClient> }>;
