/** A database server of these tests behind a real MCP client, in either era of the protocol, without a process between. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createMcpHandler, InMemoryTransport } from "@modelcontextprotocol/server";
import type { ServerSettings, Source } from "../../mcp-core/src/sql/call.js";
import type { DatabaseKind, SourceConfig } from "../../mcp-core/src/sql/database.js";
import { createDatabaseServer, type DatabaseServer } from "../../mcp-core/src/sql/server.js";

export const eras = ["legacy", "modern"] as const;
export type Era = (typeof eras)[number];

export const silentLog = { debug() {}, info() {}, warn() {}, error() {} };

export const defaultSettings: ServerSettings = {
  mode: "read-only",
  tools: ["core"],
  structured: false,
  poolSize: 4,
  maxRows: 1_000,
  maxBytes: 65_536,
  timeoutMs: 30_000,
};

/** Sources of these names, all on one URL; they connect on first use. */
export function openSources<Config extends SourceConfig>(
  kind: DatabaseKind<Config>,
  urls: Readonly<Record<string, string>>,
): AsyncDisposable & { readonly list: readonly Source[] } {
  const list = Object.entries(urls).map(([name, url]): Source => {
    const config = kind.parseSource(url, {});
    const options = { poolSize: defaultSettings.poolSize, connectTimeoutMs: 5_000, log: silentLog };
    return { name, label: config.label, database: kind.open(config, options) };
  });
  return {
    list,
    async [Symbol.asyncDispose]() {
      await Promise.all(list.map(({ database }) => database[Symbol.asyncDispose]()));
    },
  };
}

/** A server over these sources. */
export function serverOf<Config extends SourceConfig>(
  kind: DatabaseKind<Config>,
  sources: readonly Source[],
  settings: Partial<ServerSettings> = {},
): DatabaseServer {
  return createDatabaseServer({ kind, sources, settings: { ...defaultSettings, ...settings }, log: silentLog });
}

/** A client of the server, in this era. */
export async function connect(server: DatabaseServer, era: Era): Promise<Client> {
  const client = new Client(
    { name: "test", version: "1.0.0" },
    { versionNegotiation: { mode: era === "legacy" ? "legacy" : "auto" } },
  );
  if (era === "legacy") {
    const [near, far] = InMemoryTransport.createLinkedPair();
    await (await server({ era })).connect(far);
    await client.connect(near);
    return client;
  }
  const handler = createMcpHandler(server, { legacy: "reject" });
  const transport = new StreamableHTTPClientTransport(new URL("http://127.0.0.1/mcp"), {
    fetch: (input, init) => handler.fetch(new Request(input, init)),
  });
  await client.connect(transport);
  return client;
}

/** What a tool answered: its one text block. */
export async function callText(
  client: Client,
  name: string,
  args: Record<string, unknown>,
): Promise<{ readonly text: string; readonly isError: boolean }> {
  const { content, isError } = await client.callTool({ name, arguments: args });
  const [block, second] = content;
  if (block?.type !== "text" || second !== undefined) throw new Error("not exactly one text block");
  return { text: block.text, isError: isError ?? false };
}

/** What a tool answered in JSON. */
export async function callJson(client: Client, name: string, args: Record<string, unknown>) {
  const { text, isError } = await callText(client, name, args);
  return { ...JSON.parse(text), isError };
}
