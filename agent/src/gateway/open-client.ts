/** Opens the SDK's MCP client: over HTTP to a gateway that runs, or over the pipes of one that is started for us. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  type CallToolResult,
  ElicitRequestSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { linkedAbort } from "../linked-abort.js";
import { toConnectError, toLaunchError } from "./call-errors.js";
import { answerTimeoutMs, toEndpoint } from "./endpoint.js";
import { type LaunchSpec, launchGateway } from "./launch.js";
import type { ClientListeners, OpenClient, ToolClient } from "./tool-client.js";

/** Far beyond any statement: how long one may take is the server's setting. The most a timer takes. */
const callTimeoutMs = 2 ** 31 - 1;

type End = ToolClient[typeof Symbol.asyncDispose];

/** A cold npx fetches the gateway first. */
const startTimeoutMs = 120_000;

/** @throws AgentError `gateway_unreachable`, `gateway_failed`, `gateway_missing`, `unauthorized`, `usage` */
export const openClient: OpenClient = async (spec, version, listeners) => {
  const client = new Client({ name: "db-agent", version }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) =>
    // no other form is ours to fill in: what else a server wants to know is no business of an approval
    listeners.allows(params.message) ? { action: "accept", content: { allow: true } } : { action: "decline" },
  );
  client.onclose = listeners.onClosed;
  client.setNotificationHandler(ToolListChangedNotificationSchema, listeners.onToolsChanged);
  const end = await ("url" in spec ? overHttp(client, spec, listeners) : overPipes(client, spec, version, listeners));
  return {
    listTools: (cursor) => client.listTools(cursor === undefined ? {} : { cursor }),
    async callTool(name, args, { signal, onProgress }) {
      const result = await client.callTool({ name, arguments: args }, undefined, {
        timeout: callTimeoutMs,
        ...(signal ? { signal } : {}),
        ...(onProgress ? { onprogress: onProgress } : {}),
      });
      return result as CallToolResult; // the schema passed is the default one
    },
    [Symbol.asyncDispose]: end,
  };
};

async function overHttp(
  client: Client,
  { url, token }: { url: string; token?: string },
  { closing }: ClientListeners,
): Promise<End> {
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const transport = new StreamableHTTPClientTransport(toEndpoint(url), {
    requestInit: token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  });
  try {
    using opening = linkedAbort(closing); // once it is open, the SDK would take an abort for a cancelled greeting
    // as a Transport: it lacks exactOptionalPropertyTypes only
    await client.connect(transport as Transport, { signal: opening.signal, timeout: answerTimeoutMs });
  } catch (error) {
    throw toConnectError(error, url);
  }
  return async () => {
    await Promise.race([transport.terminateSession(), soon(1_000)]).catch(() => {}); // the gateway sweeps it otherwise
    await client.close();
  };
}

async function overPipes(client: Client, spec: LaunchSpec, version: string, listeners: ClientListeners): Promise<End> {
  const launched = await launchGateway(spec, version);
  const { transport } = launched;
  client.onclose = () => {
    void launched[Symbol.asyncDispose](); // also after a crash, which nobody disposes
    listeners.onClosed();
  };
  try {
    using opening = linkedAbort(listeners.closing);
    await client.connect(transport, { signal: opening.signal, timeout: startTimeoutMs });
  } catch (error) {
    await transport.close();
    await launched[Symbol.asyncDispose]();
    throw toLaunchError(error, transport.log());
  }
  return async () => {
    await client.close();
    await launched[Symbol.asyncDispose]();
  };
}

const soon = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
