/** Both eras over every transport, with the real clients of both generations. */
import { PassThrough } from "node:stream";
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
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createLog, type Served, serve } from "../../mcp-core/src/host/index.js";
import { buildChild } from "./build-child.js";
import { createFixture, createWitness } from "./fixture.js";

let served: Served;
let child: Awaited<ReturnType<typeof buildChild>>;

beforeAll(async () => {
  child = await buildChild();
  served = await serve({
    name: "fixture",
    version: "1.2.3",
    factory: createFixture(createWitness(), () => served),
    transport: "http",
    http: { host: "127.0.0.1", port: 0, drainMs: 100 },
    log: createLog({ name: "fixture", level: "silent", stream: new PassThrough() }),
    signal: new AbortController().signal,
  });
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await child?.[Symbol.asyncDispose]();
});

interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onprogress?: () => void;
}

/** What the tests need of either generation's client. */
interface Connected {
  tools(): Promise<string[]>;
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<string>;
  /** Calls back with the method of each notification, updated resources with their URI. */
  hear(onNotification: (what: string) => void): Promise<void>;
  readResource(uri: string): Promise<unknown>;
  getPrompt(name: string): Promise<unknown>;
  close(): Promise<void>;
}

const identity = { name: "test", version: "1" };
const accept = () => ({ action: "accept" as const, content: { name: "Ada" } });
const textOf = (result: object): string => {
  const { content } = result as { content?: { text?: string }[] }; // CallToolResult of either SDK
  return content?.[0]?.text ?? "";
};

async function reference(transport: unknown): Promise<Connected> {
  const client = new ReferenceClient(identity, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, accept);
  await client.connect(transport as Parameters<ReferenceClient["connect"]>[0]); // the SDK's own lack exactOptionalPropertyTypes
  return {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, options = {}) =>
      textOf(await client.callTool({ name, arguments: args }, undefined, options)),
    async hear(onNotification) {
      client.fallbackNotificationHandler = async ({ method, params }) => onNotification(String(params?.uri ?? method));
      await client.subscribeResource({ uri: "note://one" });
    },
    readResource: (uri) => client.readResource({ uri }),
    getPrompt: (name) => client.getPrompt({ name }),
    close: () => client.close(),
  };
}

async function modern(transport: unknown, mode: "legacy" | "auto"): Promise<Connected> {
  const client = new ModernClient(identity, {
    versionNegotiation: { mode },
    capabilities: { elicitation: { form: {} } },
  });
  client.setRequestHandler("elicitation/create", accept);
  await client.connect(transport as Parameters<ModernClient["connect"]>[0]); // as above
  return {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, options = {}) => textOf(await client.callTool({ name, arguments: args }, options)),
    async hear(onNotification) {
      client.setNotificationHandler("notifications/tools/list_changed", ({ method }) => onNotification(method));
      client.setNotificationHandler("notifications/prompts/list_changed", ({ method }) => onNotification(method));
      client.setNotificationHandler("notifications/resources/list_changed", ({ method }) => onNotification(method));
      client.setNotificationHandler("notifications/resources/updated", ({ params }) => onNotification(params.uri));
      if (client.getProtocolEra() !== "modern") return void (await client.subscribeResource({ uri: "note://one" }));
      await client.listen({
        toolsListChanged: true,
        promptsListChanged: true,
        resourcesListChanged: true,
        resourceSubscriptions: ["note://one"],
      });
    },
    readResource: (uri) => client.readResource({ uri }),
    getPrompt: (name) => client.getPrompt({ name }),
    close: () => client.close(),
  };
}

const mcp = () => new URL(`${served.url}/mcp`);
const sse = () => new URL(`${served.url}/sse`);
const stdio = () => ({ command: process.execPath, args: [child.file], stderr: "ignore" as const });
const connections: Record<string, () => Promise<Connected>> = {
  "v1 over HTTP": () => reference(new ReferenceHttp(mcp())),
  "v1 over SSE": () => reference(new ReferenceSse(sse())),
  "v1 over stdio": () => reference(new ReferenceStdio(stdio())),
  "v2 legacy over HTTP": () => modern(new ModernHttp(mcp()), "legacy"),
  "v2 auto over HTTP": () => modern(new ModernHttp(mcp()), "auto"),
  "v2 legacy over SSE": () => modern(new ModernSse(sse()), "legacy"),
  "v2 legacy over stdio": () => modern(new ModernStdio(stdio()), "legacy"),
  "v2 auto over stdio": () => modern(new ModernStdio(stdio()), "auto"),
};

async function using(connect: () => Promise<Connected>, use: (client: Connected) => Promise<void>): Promise<void> {
  const client = await connect();
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

async function witness(client: Connected): Promise<{ started: number; aborted: number }> {
  return JSON.parse(await client.call("witness"));
}

const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 10_000, interval: 20 });

describe.each(Object.entries(connections))("%s", (_name, connect) => {
  const withClient = (use: (client: Connected) => Promise<void>) => using(connect, use);

  test("lists and calls tools, reads resources and prompts", () =>
    withClient(async (client) => {
      expect(await client.tools()).toEqual(["echo", "wait", "count", "ask", "witness", "change"]);
      expect(await client.call("echo", { text: " hi " })).toBe("hi");
      expect(await client.readResource("note://one")).toMatchObject({ contents: [{ text: "remember" }] });
      expect(await client.getPrompt("greet")).toMatchObject({ messages: [{ content: { text: "Hello." } }] });
    }));

  test("progress arrives", () =>
    withClient(async (client) => {
      let steps = 0;
      await client.call("count", {}, { onprogress: () => steps++ });
      expect(steps).toBeGreaterThan(1);
    }));

  test("a tool may ask the user", () =>
    withClient(async (client) => {
      expect(await client.call("ask")).toBe("Hello, Ada!");
    }));

  test("a cancelled call aborts the tool's signal", () =>
    withClient(async (client) => {
      const before = await witness(client);
      const cancel = new AbortController();
      const call = client.call("wait", {}, { signal: cancel.signal });
      call.catch(() => {});
      await until(async () => expect((await witness(client)).started).toBe(before.started + 1));
      cancel.abort();
      await expect(call).rejects.toThrow();
      await until(async () => expect((await witness(client)).aborted).toBe(before.aborted + 1));
    }));

  test("changes reach the client, updates only of resources it subscribed to", () =>
    withClient(async (client) => {
      const heard = new Set<string>();
      await client.hear((what) => heard.add(what));
      await until(async () => {
        await client.call("change");
        expect([...heard].sort()).toEqual([
          "note://one",
          "notifications/prompts/list_changed",
          "notifications/resources/list_changed",
          "notifications/tools/list_changed",
        ]);
      });
    }));
});

test.each(Object.entries(connections).filter(([name]) => !name.endsWith("stdio")))(
  "%s: a client that goes away aborts the tool's signal",
  (_name, connect) =>
    using(connect, async (other) => {
      const before = await witness(other);
      const client = await connect();
      client.call("wait").catch(() => {});
      await until(async () => expect((await witness(other)).started).toBe(before.started + 1));
      await client.close();
      await until(async () => expect((await witness(other)).aborted).toBe(before.aborted + 1));
    }),
);
