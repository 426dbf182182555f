/** Opens one MCP client: over HTTP to a gateway that runs, or over the pipes of one that is started for us. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { AgentError } from "../errors.js";
import { toConnectError, toLaunchError } from "./call-errors.js";
import { type GatewaySpec, type LaunchSpec, launchGateway } from "./launch.js";

/** A connected client, closed on dispose together with what was started for it. */
export interface OpenedClient extends AsyncDisposable {
  readonly client: Client;
}

/** What the connection hears about. */
export interface ClientListeners {
  onClosed(): void;
  onToolsChanged(): void;
  /** A server asks its user something; whether what it asks has been allowed. */
  allows(message: string): boolean;
}

/** A cold npx fetches the gateway first. */
const connectTimeoutMs = 120_000;

/** @throws AgentError `gateway_unreachable`, `gateway_failed`, `gateway_missing`, `unauthorized`, `usage` */
export async function openClient(
  spec: GatewaySpec,
  version: string,
  listeners: ClientListeners,
): Promise<OpenedClient> {
  const client = new Client({ name: "db-agent", version }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) =>
    // no other form is ours to fill in: what else a server wants to know is no business of an approval
    listeners.allows(params.message) ? { action: "accept", content: { allow: true } } : { action: "decline" },
  );
  client.onclose = listeners.onClosed;
  client.setNotificationHandler(ToolListChangedNotificationSchema, listeners.onToolsChanged);
  return "url" in spec ? overHttp(client, spec) : overPipes(client, spec, version, listeners);
}

async function overHttp(client: Client, { url, token }: { url: string; token?: string }): Promise<OpenedClient> {
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const transport = new StreamableHTTPClientTransport(toEndpoint(url), {
    requestInit: token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  });
  try {
    await client.connect(transport as Transport, { timeout: connectTimeoutMs }); // lacks exactOptionalPropertyTypes only
  } catch (error) {
    throw toConnectError(error, url);
  }
  return {
    client,
    async [Symbol.asyncDispose]() {
      await Promise.race([transport.terminateSession(), soon(1_000)]).catch(() => {}); // the gateway sweeps it otherwise
      await client.close();
    },
  };
}

async function overPipes(
  client: Client,
  spec: LaunchSpec,
  version: string,
  listeners: ClientListeners,
): Promise<OpenedClient> {
  const launched = await launchGateway(spec, version);
  const { transport } = launched;
  client.onclose = () => {
    void launched[Symbol.asyncDispose](); // also after a crash, which nobody disposes
    listeners.onClosed();
  };
  try {
    await client.connect(transport, { timeout: connectTimeoutMs });
  } catch (error) {
    await transport.close();
    await launched[Symbol.asyncDispose]();
    throw toLaunchError(error, transport.log());
  }
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await launched[Symbol.asyncDispose]();
    },
  };
}

/** The gateway's MCP address; its origin alone is enough. */
function toEndpoint(url: string): URL {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new AgentError("usage", "The gateway's address is not an http or https URL.", {
      hint: "Such as http://127.0.0.1:8730",
    });
  }
  const endpoint = new URL(url);
  if (endpoint.pathname === "/") endpoint.pathname = "/mcp";
  return endpoint;
}

const soon = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
