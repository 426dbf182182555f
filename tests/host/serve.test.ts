/** Both eras over HTTP and SSE, with the real clients of both generations. */
import { PassThrough } from "node:stream";
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernHttp,
  SSEClientTransport as ModernSse,
} from "@modelcontextprotocol/client";
import { Client as ReferenceClient } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as ReferenceSse } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport as ReferenceHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createLog, type Served, serve } from "../../mcp-core/src/host/index.js";
import { createFixture, createWitness } from "./fixture.js";

const witness = createWitness();
const stopped = new AbortController();
let served: Served;

beforeAll(async () => {
  served = await serve({
    name: "fixture",
    version: "1.2.3",
    factory: createFixture(witness),
    transport: "http",
    http: { host: "127.0.0.1", port: 0 },
    log: createLog({ name: "fixture", level: "silent", stream: new PassThrough() }),
    signal: stopped.signal,
  });
});
afterAll(() => served[Symbol.asyncDispose]());

type Reference = Parameters<ReferenceClient["connect"]>[0];
type Modern = Parameters<ModernClient["connect"]>[0];

async function reference(transport: unknown) {
  const client = new ReferenceClient({ name: "t", version: "1" });
  await client.connect(transport as Reference); // the SDK's own transports lack exactOptionalPropertyTypes
  return client as unknown as ModernClient; // the calls below are the same on both
}

async function modern(transport: unknown, mode: "legacy" | "auto") {
  const client = new ModernClient({ name: "t", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(transport as Modern); // as above
  return client;
}

const mcp = () => new URL(`${served.url}/mcp`);
const sse = () => new URL(`${served.url}/sse`);
const connections = {
  "v1 over HTTP": () => reference(new ReferenceHttp(mcp())),
  "v1 over SSE": () => reference(new ReferenceSse(sse())),
  "v2 legacy over HTTP": () => modern(new ModernHttp(mcp()), "legacy"),
  "v2 auto over HTTP": () => modern(new ModernHttp(mcp()), "auto"),
  "v2 legacy over SSE": () => modern(new ModernSse(sse()), "legacy"),
};

describe.each(Object.entries(connections))("%s", (_name, connect) => {
  const withClient = async (use: (client: ModernClient) => Promise<void>) => {
    const client = await connect();
    try {
      await use(client);
    } finally {
      await client.close();
    }
  };

  test("lists and calls tools", () =>
    withClient(async (client) => {
      const { tools } = await client.listTools();
      expect(tools.map(({ name }) => name)).toEqual(["echo", "wait", "count"]);
      expect(await client.callTool({ name: "echo", arguments: { text: " hi " } })).toMatchObject({
        content: [{ type: "text", text: "hi" }],
      });
    }));

  test("a cancelled call aborts the tool's signal", () =>
    withClient(async (client) => {
      const before = witness.aborted;
      const started = witness.started;
      const cancel = new AbortController();
      const options = { signal: cancel.signal };
      const params = { name: "wait", arguments: { ms: 20_000 } };
      const call =
        client instanceof ModernClient
          ? client.callTool(params, options)
          : (client as unknown as ReferenceClient).callTool(params, undefined, options);
      call.catch(() => {});
      await vi.waitFor(() => expect(witness.started).toBe(started + 1), 5_000);
      cancel.abort();
      await expect(call).rejects.toThrow();
      await vi.waitFor(() => expect(witness.aborted).toBe(before + 1), 5_000);
    }));

  test("a client that goes away aborts the tool's signal", async () => {
    const client = await connect();
    const before = witness.aborted;
    const started = witness.started;
    client.callTool({ name: "wait", arguments: { ms: 20_000 } }).catch(() => {});
    await vi.waitFor(() => expect(witness.started).toBe(started + 1), 5_000);
    await client.close();
    await vi.waitFor(() => expect(witness.aborted).toBe(before + 1), 5_000);
  });

  test("a change of the tools reaches the client", () =>
    withClient(async (client) => {
      let changed = 0;
      const onChanged = () => {
        changed++;
      };
      if (client instanceof ModernClient) {
        client.setNotificationHandler("notifications/tools/list_changed", onChanged);
      } else {
        const { ToolListChangedNotificationSchema } = await import("@modelcontextprotocol/sdk/types.js");
        (client as unknown as ReferenceClient).setNotificationHandler(ToolListChangedNotificationSchema, onChanged);
      }
      if (client instanceof ModernClient && client.getProtocolEra?.() === "modern") {
        await client.listen({ toolsListChanged: true });
      }
      await vi.waitFor(() => {
        served.notify.toolsChanged();
        expect(changed).toBeGreaterThan(0);
      }, 5_000);
    }));
});
