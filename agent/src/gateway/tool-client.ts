/** What the connection needs of an MCP client, whoever speaks the protocol for it. */
import type { CallToolResult, ListToolsResult } from "@modelcontextprotocol/sdk/types.js";
import type { GatewaySpec } from "./launch.js";

/** A tool as the gateway lists it. */
export type ListedTool = ListToolsResult["tools"][number];

/** Some of the tools, and where the others begin. */
export interface ToolsPage {
  readonly tools: readonly ListedTool[];
  readonly nextCursor?: string | undefined;
}

/** How far a call is. */
export interface Progress {
  readonly progress: number;
  readonly total?: number | undefined;
  readonly message?: string | undefined;
}

/** What a call takes besides its arguments. */
export interface ToolCallOptions {
  /** Cancels the call; the statement stops on the database's server. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** A connected client, closed on dispose together with what was started for it. */
export interface ToolClient extends AsyncDisposable {
  listTools(cursor: string | undefined): Promise<ToolsPage>;
  callTool(tool: string, args: Readonly<Record<string, unknown>>, options: ToolCallOptions): Promise<CallToolResult>;
}

/** What a client tells the connection, and asks it. */
export interface ClientListeners {
  /** Fires when nobody waits for the client any more: one that is being opened gives up. */
  readonly closing: AbortSignal;
  onClosed(): void;
  onToolsChanged(): void;
  /** A server asks its user something; whether what it asks has been allowed. */
  allows(message: string): boolean;
}

/** Opens a client. @throws AgentError `gateway_unreachable`, `gateway_failed`, `gateway_missing`, `unauthorized`, `usage` */
export type OpenClient = (spec: GatewaySpec, version: string, listeners: ClientListeners) => Promise<ToolClient>;
