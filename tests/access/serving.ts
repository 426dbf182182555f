/** A server whose door is opened as a command would: one tool, a route for each role, a stream that never ends. */
import { PassThrough } from "node:stream";
import { McpServer } from "@modelcontextprotocol/server";
import type { Authenticator, RateLimiter, Route } from "../../mcp-core/src/host/index.js";
import { createLog, roles, serve } from "../../mcp-core/src/host/index.js";

/** What was logged, as text. */
export function openLog() {
  const stream = new PassThrough();
  let text = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  return { log: createLog({ name: "t", level: "debug", stream }), text: () => text };
}

const forRole = (access: "public" | (typeof roles)[number]): Route => ({
  method: "GET",
  path: `/${access}`,
  access,
  handle: async (_request, { principal }) => new Response(principal.id),
});

const endless: Route = {
  method: "GET",
  path: "/endless",
  handle: async () =>
    new Response(new ReadableStream({ start: (one) => one.enqueue(new TextEncoder().encode("on\n")) })),
};

export async function openServer(given: {
  authenticators?: readonly Authenticator[];
  routes?: readonly Route[];
  rateLimiter?: RateLimiter | undefined;
}) {
  const { log } = openLog();
  const served = await serve({
    name: "t",
    version: "1",
    factory: () => new McpServer({ name: "t", version: "1" }),
    transport: "http",
    http: { host: "127.0.0.1", port: 0, drainMs: 100, ...given },
    routes: [...(["public", ...roles] as const).map(forRole), endless, ...(given.routes ?? [])],
    log,
    signal: new AbortController().signal,
  });
  return {
    url: served.url ?? "",
    get: (path: string, token?: string) =>
      fetch(`${served.url}${path}`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

/** The code of a problem document. */
export async function codeOf(response: Response): Promise<unknown> {
  const problem: unknown = await response.json();
  return typeof problem === "object" && problem !== null && "code" in problem ? problem.code : undefined;
}
