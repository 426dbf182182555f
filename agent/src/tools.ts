/**
 * The gateway's tools as LangChain sees them, by the MCP adapters, loaded lazily from the one connection. A tool made
 * here outlives a crash of its server, because the connection behind it reconnects. Text goes to whoever reads the
 * message, everything else a tool sends stays in the artifact.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { DynamicStructuredTool } from "@langchain/core/tools";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { AgentError } from "./errors.js";
import type { CallOptions, GatewayConnection } from "./gateway/connection.js";
import type { ListedTool } from "./gateway/tool-client.js";

/** Tools by name, and a call by name. */
export interface Toolbox {
  readonly tools: ReadonlyMap<string, DynamicStructuredTool>;
  /** Whether a tool says of itself that it only reads; what says nothing writes. */
  isReadOnly(name: string): boolean;
  /** The text a tool answers. @throws AgentError with the server's code */
  call(name: string, args: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<string>;
}

/** What adapters call a tool's error when it shall pass through them as it is. */
class ToolError extends AgentError {
  override readonly name = "ToolException";
}

/** The adapters know one progress listener for all calls; this tells them apart. */
const currentCall = new AsyncLocalStorage<CallOptions>();

/** Loads the tools the gateway has now. */
export async function loadTools(connection: GatewayConnection): Promise<Toolbox> {
  const { loadMcpTools } = await import("@langchain/mcp-adapters");
  const loaded = await loadMcpTools("gateway", adaptersClient(connection), {
    afterToolCall: ({ result: [content, artifacts] }) => ({ result: [toText(content), artifacts] }),
  });
  const tools = new Map<string, DynamicStructuredTool>();
  for (const tool of loaded) {
    if (tools.has(tool.name)) throw new AgentError("tool_ambiguous", `The gateway lists two tools named ${tool.name}.`);
    tools.set(tool.name, tool);
  }
  const readOnly = new Set((await connection.tools()).filter(readsOnly).map(({ name }) => name));
  return {
    tools,
    isReadOnly: (name) => readOnly.has(name),
    async call(name, args, options = {}) {
      const tool = tools.get(name);
      if (tool === undefined) throw new AgentError("tool_unknown", `The gateway has no tool ${name}.`);
      options.signal?.throwIfAborted();
      const config = options.signal ? { signal: options.signal } : {};
      const given = await connection.fitArguments(name, args);
      const answer: unknown = await currentCall.run(options, () => tool.invoke(given, config));
      return toText(answer);
    },
  };
}

const readsOnly = ({ annotations }: ListedTool): boolean => annotations?.readOnlyHint === true;

/** Loads the tools when they are first needed, and again when the gateway's list has changed. */
export function createToolboxLoader(connection: GatewayConnection): () => Promise<Toolbox> {
  let loaded: { readonly of: readonly ListedTool[]; readonly toolbox: Promise<Toolbox> } | undefined;
  return async () => {
    const listed = await connection.tools();
    if (loaded?.of !== listed) loaded = { of: listed, toolbox: loadTools(connection) };
    const { toolbox } = loaded;
    toolbox.catch(() => {
      loaded = undefined;
    });
    return toolbox;
  };
}

/** The two methods of an SDK client the adapters use, on the connection that reconnects. */
function adaptersClient(connection: GatewayConnection): Client {
  const client = {
    async listTools() {
      return { tools: structuredClone(await connection.tools()) }; // the adapters write into schemas
    },
    async callTool(
      { name, arguments: args = {} }: { name: string; arguments?: Record<string, unknown> },
      _schema?: unknown,
      options: CallOptions = {},
    ) {
      try {
        return await connection.callTool(name, args, { ...currentCall.getStore(), ...options });
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        throw new ToolError(error.code, error.message, { ...error.report, cause: error });
      }
    },
  };
  return client as unknown as Client; // the adapters' type asks for the class; loadMcpTools calls these two
}

function toText(content: unknown): string {
  if (typeof content === "string") return content;
  const blocks: unknown[] = Array.isArray(content) ? content : [content];
  return blocks
    .map((block) => (typeof block === "object" && block !== null && "text" in block ? String(block.text) : ""))
    .join("\n");
}
