/** A writing server of these tests behind a real client of either era, with or without a human who can be asked. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createMcpHandler, InMemoryTransport } from "@modelcontextprotocol/server";
import type { ServerSettings } from "../../mcp-core/src/sql/call.js";
import type { DatabaseKind, SourceConfig } from "../../mcp-core/src/sql/database.js";
import { createDatabaseServer, type DatabaseServer } from "../../mcp-core/src/sql/server.js";
import { callJson, defaultSettings, type Era, openSources, silentLog } from "../sql/connect.js";

/** A server and what its operator sees. */
export interface Writer extends AsyncDisposable {
  readonly server: DatabaseServer;
  /** The codes in its log, oldest first. */
  readonly codes: string[];
}

export function openWriter<Config extends SourceConfig>(
  kind: DatabaseKind<Config>,
  urls: Readonly<Record<string, string>>,
  settings: Partial<ServerSettings>,
): Writer {
  const sources = openSources(kind, urls);
  const codes: string[] = [];
  const log = {
    ...silentLog,
    warn(event: string, fields: Readonly<Record<string, unknown>> = {}) {
      if (event === "approval_code") codes.push(String(fields.approval));
    },
  };
  const server = createDatabaseServer({
    kind,
    sources: sources.list,
    settings: { ...defaultSettings, ...settings },
    log,
  });
  return {
    server,
    codes,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await sources[Symbol.asyncDispose]();
    },
  };
}

/** What the human says, and what they were shown. */
export interface Asked {
  readonly answers: readonly ({ action: "accept"; content: { allow: boolean } } | { action: "decline" | "cancel" })[];
  readonly shown: string[];
}

/** A client; its human can be asked when `asked` is given. */
export async function openClient(server: DatabaseServer, era: Era, asked?: Asked): Promise<Client> {
  const client = new Client(
    { name: "test", version: "1.0.0" },
    {
      versionNegotiation: { mode: era === "legacy" ? "legacy" : "auto" },
      ...(asked === undefined ? {} : { capabilities: { elicitation: { form: {} } } }),
    },
  );
  if (asked !== undefined) {
    const answers = [...asked.answers];
    client.setRequestHandler("elicitation/create", ({ params }) => {
      asked.shown.push(params.message);
      return answers.shift() ?? { action: "cancel" };
    });
  }
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

/** What `execute` answers to a client of its own. */
export async function execute(server: DatabaseServer, args: Record<string, unknown>) {
  const client = await openClient(server, "legacy");
  try {
    return await callJson(client, "execute", args);
  } finally {
    await client.close();
  }
}
