/** An authorization server and a remote MCP server that wants its tokens, both on loopback, each telling what it was sent. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server as HttpServer, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";

async function listen(server: HttpServer): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // of a port it is one
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function close(server: HttpServer): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Gives tokens to the client `gateway` for its secret. */
export async function startAuthorizationServer(secret: string) {
  const state = {
    /** Each request's form, with the credentials that came with it. */
    asked: [] as Record<string, string>[],
    valid: new Set<string>(),
    lifeSeconds: 3_600,
    refuseWith: undefined as string | undefined,
    hasMetadata: true,
    delayMs: 0,
  };
  const server = createServer(async (incoming, outgoing) => {
    const answer = (status: number, body: unknown) =>
      outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (incoming.url?.startsWith("/.well-known/") === true) {
      if (!state.hasMetadata) return answer(404, {});
      return answer(200, {
        issuer: url,
        authorization_endpoint: `${url}/authorize`,
        token_endpoint: `${url}/token`,
        response_types_supported: ["code"],
        grant_types_supported: ["client_credentials"],
        token_endpoint_auth_methods_supported: ["client_secret_basic"],
      });
    }
    const form = Object.fromEntries(new URLSearchParams(await bodyOf(incoming)));
    const credentials = Buffer.from((incoming.headers.authorization ?? "").replace("Basic ", ""), "base64").toString();
    state.asked.push({ ...form, credentials, headers: Object.keys(incoming.headers).sort().join() });
    await new Promise((resolve) => setTimeout(resolve, state.delayMs));
    const refusal = state.refuseWith ?? (credentials === `gateway:${secret}` ? undefined : "invalid_client");
    if (refusal !== undefined) return answer(400, { error: refusal, error_description: `do not repeat ${secret}` });
    const token = randomBytes(12).toString("hex");
    state.valid.add(token);
    return answer(200, { access_token: token, token_type: "Bearer", expires_in: state.lifeSeconds });
  });
  const url = await listen(server);
  return { url, state, [Symbol.asyncDispose]: () => close(server) };
}

/** A server of one tool, for who has a token that the other one gave. */
export async function startProtectedServer(issuer: { readonly url: string; readonly state: { valid: Set<string> } }) {
  const received: IncomingHttpHeaders[] = [];
  const state = { scopeWanted: undefined as string | undefined };
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: "protected", version: "1" });
    server.registerTool("hello", {}, async () => ({ content: [{ type: "text", text: "hello" }] }));
    return server;
  });
  const server = createServer(async (incoming, outgoing) => {
    const body = await bodyOf(incoming);
    if (incoming.url === "/.well-known/oauth-protected-resource/mcp") {
      outgoing.writeHead(200, { "content-type": "application/json" });
      return outgoing.end(JSON.stringify({ resource: `${url}/mcp`, authorization_servers: [issuer.url] }));
    }
    received.push(incoming.headers);
    const token = /^Bearer (.+)$/.exec(incoming.headers.authorization ?? "")?.[1] ?? "";
    const challenge = `Bearer resource_metadata="${url}/.well-known/oauth-protected-resource/mcp"`;
    if (!issuer.state.valid.has(token)) return outgoing.writeHead(401, { "www-authenticate": challenge }).end();
    if (state.scopeWanted !== undefined) {
      const wanted = `${challenge}, error="insufficient_scope", scope="${state.scopeWanted}"`;
      return outgoing.writeHead(403, { "www-authenticate": wanted }).end();
    }
    const headers = new Headers(incoming.headers as Record<string, string>); // none comes twice here
    const method = incoming.method ?? "GET";
    const answer = await handler.fetch(
      new Request(`${url}${incoming.url}`, { method, headers, ...(method === "POST" ? { body } : {}) }),
    );
    outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
    outgoing.end(Buffer.from(await answer.arrayBuffer()));
  });
  const url = await listen(server);
  return { url: `${url}/mcp`, received, state, [Symbol.asyncDispose]: () => close(server) };
}
