/** The clients real hosts are built on, behind one face, so that each rule is tested on every one of them. */
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernHttp,
  SSEClientTransport as ModernSse,
} from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernStdio } from "@modelcontextprotocol/client/stdio";
import { Client as ReferenceClient } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as ReferenceSse } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport as ReferenceStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as ReferenceHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

/** Where a server is to be found. */
export type Endpoint =
  | {
      readonly transport: "stdio";
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Record<string, string>;
    }
  | { readonly transport: "http" | "sse"; readonly url: string };

/** What a call of a tool came back with. */
export interface Answer {
  readonly text: string;
  readonly isError: boolean;
}

/** What every host does with a server. */
export interface HostClient extends AsyncDisposable {
  toolNames(): Promise<readonly string[]>;
  call(
    name: string,
    args: Record<string, unknown>,
    options?: { signal?: AbortSignal; onProgress?: () => void },
  ): Promise<Answer>;
  readResource(uri: string): Promise<string>;
  complete(template: string, argument: string, value: string, context: Record<string, string>): Promise<string[]>;
}

const identity = { name: "interop", version: "1.0.0" };

/** What both generations of the SDK's client have in common; their own types spell it differently. */
interface CommonClient {
  listTools(): Promise<{ tools: { name: string }[] }>;
  readResource(params: { uri: string }): Promise<{ contents: { text?: unknown }[] }>;
  complete(params: {
    ref: { type: "ref/resource"; uri: string };
    argument: { name: string; value: string };
    context?: { arguments: Record<string, string> };
  }): Promise<{ completion: { values: string[] } }>;
  close(): Promise<void>;
}

function toAnswer(result: object): Answer {
  const { content, isError } = result as { content?: { type: string; text?: string }[]; isError?: boolean }; // CallToolResult of either SDK
  return { text: content?.find(({ type }) => type === "text")?.text ?? "", isError: isError ?? false };
}

function commonHost(client: CommonClient, call: HostClient["call"]): HostClient {
  return {
    call,
    async toolNames() {
      return (await client.listTools()).tools.map(({ name }) => name);
    },
    async readResource(uri) {
      return String((await client.readResource({ uri })).contents[0]?.text);
    },
    async complete(template, argument, value, context) {
      const { completion } = await client.complete({
        ref: { type: "ref/resource", uri: template },
        argument: { name: argument, value },
        context: { arguments: context },
      });
      return completion.values;
    },
    async [Symbol.asyncDispose]() {
      await client.close();
    },
  };
}

async function connectReference(endpoint: Endpoint): Promise<HostClient> {
  const client = new ReferenceClient(identity);
  const transport =
    endpoint.transport === "stdio"
      ? new ReferenceStdio({ ...endpoint, args: [...endpoint.args], stderr: "ignore" })
      : endpoint.transport === "http"
        ? new ReferenceHttp(new URL(endpoint.url))
        : new ReferenceSse(new URL(endpoint.url));
  await client.connect(transport as Parameters<ReferenceClient["connect"]>[0]); // the SDK's own transports lack exactOptionalPropertyTypes
  return commonHost(client as unknown as CommonClient, async (name, args, options = {}) =>
    toAnswer(
      await client.callTool({ name, arguments: args }, undefined, {
        ...(options.signal ? { signal: options.signal } : {}),
        ...(options.onProgress ? { onprogress: options.onProgress } : {}),
      }),
    ),
  );
}

async function connectModern(endpoint: Endpoint, mode: "legacy" | "auto"): Promise<HostClient> {
  const client = new ModernClient(identity, { versionNegotiation: { mode } });
  const transport =
    endpoint.transport === "stdio"
      ? new ModernStdio({ ...endpoint, args: [...endpoint.args], stderr: "ignore" })
      : endpoint.transport === "http"
        ? new ModernHttp(new URL(endpoint.url))
        : new ModernSse(new URL(endpoint.url));
  await client.connect(transport as Parameters<ModernClient["connect"]>[0]); // the SDK's own transports lack exactOptionalPropertyTypes
  return commonHost(client as unknown as CommonClient, async (name, args, options = {}) =>
    toAnswer(
      await client.callTool(
        { name, arguments: args },
        {
          ...(options.signal ? { signal: options.signal } : {}),
          ...(options.onProgress ? { onprogress: options.onProgress } : {}),
        },
      ),
    ),
  );
}

async function connectAdapters(endpoint: Endpoint): Promise<HostClient> {
  let onProgress: (() => void) | undefined;
  const connection =
    endpoint.transport === "stdio"
      ? { ...endpoint, transport: "stdio" as const, args: [...endpoint.args], stderr: "ignore" as const }
      : { transport: endpoint.transport, url: endpoint.url };
  const adapters = new MultiServerMCPClient({
    mcpServers: { db: connection },
    onProgress: () => onProgress?.(),
    useStandardContentBlocks: false,
  });
  const tools = await adapters.getTools();
  const client = await adapters.getClient("db");
  if (client === undefined) throw new Error("The adapters have no client for the server.");
  const host = commonHost(client as unknown as CommonClient, async (name, args, options = {}) => {
    const tool = tools.find((one) => one.name === name);
    if (tool === undefined) throw new Error(`The adapters have no tool ${name}.`);
    onProgress = options.onProgress;
    try {
      const text: unknown = await tool.invoke(args, options.signal ? { signal: options.signal } : {});
      return { text: typeof text === "string" ? text : JSON.stringify(text), isError: false };
    } catch (error) {
      if (options.signal?.aborted) throw error;
      return { text: String(error), isError: true };
    }
  });
  return { ...host, [Symbol.asyncDispose]: () => adapters.close() };
}

/** Every client of the matrix by its name. */
export const clients = {
  "SDK v1": connectReference,
  "SDK v2 legacy": (endpoint: Endpoint) => connectModern(endpoint, "legacy"),
  "SDK v2 auto": (endpoint: Endpoint) => connectModern(endpoint, "auto"),
  "LangChain adapters": connectAdapters,
} satisfies Record<string, (endpoint: Endpoint) => Promise<HostClient>>;
