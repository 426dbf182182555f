/** Who calls, as the door found out, in every room behind it: routes, factories, tools, plain calls; and over stdio. */
import { PassThrough } from "node:stream";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { McpServer, type McpServerFactory } from "@modelcontextprotocol/server";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import {
  createLog,
  type PlainCallHandler,
  principalOf,
  type Role,
  type Route,
  roles,
  serve,
  toMcpSchema,
} from "../../mcp-core/src/host/index.js";

const log = createLog({ name: "t", level: "silent", stream: new PassThrough() });
const token = "a-token-of-good-length-1234";

/** Says who calls: the tool by its request, its description by the connection. */
const factory: McpServerFactory = ({ authInfo }) => {
  const server = new McpServer({ name: "who", version: "1" });
  const inputSchema = toMcpSchema(v.object({}));
  server.registerTool("who", { description: String(authInfo?.clientId), inputSchema }, (_input, context) => {
    const { id, roles: held } = principalOf(context);
    return { content: [{ type: "text", text: [id, ...held].join(" ") }] };
  });
  return server;
};

const ask = (access: Role | "public"): Route => ({
  method: "GET",
  path: `/${access}`,
  access,
  handle: async (_request, { principal }) => new Response([principal.id, ...principal.roles].join(" ")),
});

const start = (given: { token?: string }, onPlainCall?: PlainCallHandler) =>
  serve({
    name: "who",
    version: "1",
    factory,
    transport: "http",
    http: { host: "127.0.0.1", port: 0, drainMs: 100, ...given },
    routes: (["public", ...roles] as const).map(ask),
    onPlainCall,
    log,
    signal: new AbortController().signal,
  });

describe.each([
  ["without a token", {} as { token?: string }, "local"],
  ["with the one token", { token }, "token"],
])("%s the principal", (_, given, id) => {
  const authorization = { authorization: `Bearer ${given.token ?? "whatever"}` };

  test.each(["legacy", "auto"] as const)("reaches factories and tools, %s", async (mode) => {
    await using served = await start(given);
    const client = new Client({ name: "t", version: "1" }, { versionNegotiation: { mode } });
    const requestInit = { headers: authorization };
    await client.connect(new StreamableHTTPClientTransport(new URL(`${served.url}/mcp`), { requestInit }));
    expect((await client.listTools()).tools[0]?.description).toBe(id);
    // over HTTP a client's word about itself counts nothing
    const _meta = { "database-interface/principal": { id: "someone else", roles: ["admin"] } };
    expect((await client.callTool({ name: "who", arguments: {}, _meta })).content).toEqual([
      { type: "text", text: `${id} use write admin` },
    ]);
    await client.close();
  });

  test("reaches plain calls and routes, and is nobody where all may come", async () => {
    const seen: string[] = [];
    await using served = await start(given, (_call, { principal }) => {
      seen.push(principal.id);
      return Promise.resolve({ result: {} });
    });
    const answers = ["public", ...roles].map(async (path) => {
      const response = await fetch(`${served.url}/${path}`, { headers: authorization });
      return response.text();
    });
    const everything = `${id} use write admin`;
    expect(await Promise.all(answers)).toEqual(["anonymous", everything, everything, everything]);
    const meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "who", _meta: meta } };
    await fetch(`${served.url}/mcp`, {
      method: "POST",
      body: JSON.stringify(call),
      headers: {
        ...authorization,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "who",
      },
    });
    expect(seen).toEqual([id]);
  });
});

test.each([
  ["for itself", undefined, "local", "use write admin"],
  ["for another", { id: "ada", roles: ["use", "admin", "root"] }, "ada", "use admin"],
  ["for nobody", { id: "", roles: ["use"] }, "local", "use write admin"],
  ["nonsense", "ada", "local", "use write admin"],
])("over stdio a trusted parent speaks %s, and no other for anybody", (_, value, id, held) => {
  const context = { mcpReq: { _meta: { "database-interface/principal": value } } };
  const principal = principalOf(context, { isParentTrusted: true });
  expect([principal.id, [...principal.roles].join(" ")]).toEqual([id, held]);
  expect(principalOf(context).id).toBe("local");
});
