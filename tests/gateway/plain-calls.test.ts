/** Calls answered without the SDK: the same bytes as with it, and only where nothing about them is unusual. */
import { expect, test } from "vitest";
import { toPlainCall } from "../../mcp-core/src/host/plain-call.js";
import { fixtureServer, startGateway, type TestGateway, until } from "./gateways.js";

const version = "2026-07-28";
const envelope = {
  "io.modelcontextprotocol/protocolVersion": version,
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } },
};
const headersFor = (name: string) => ({
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  "mcp-protocol-version": version,
  "mcp-method": "tools/call",
  "mcp-name": name,
});
const bodyFor = (name: string, given: unknown = {}, meta: object = {}) => ({
  jsonrpc: "2.0",
  id: "a",
  method: "tools/call",
  params: { name, arguments: given, _meta: { ...envelope, ...meta } },
});

async function post({ url }: TestGateway, headers: Record<string, string>, body: object) {
  const response = await fetch(`${url}/mcp`, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, body: JSON.parse(/^data: (\{.*)$/m.exec(text)?.[1] ?? text) as unknown };
}

test.each([
  ["a result", "s__echo", { text: "hé" }],
  ["a tool's own error", "s__echo", { text: 5 }],
  ["a question", "s__ask", { what: "who?" }],
])("%s is the same with and without the SDK", async (_, name, given) => {
  for (const server of ["legacy-server", "modern-server"] as const) {
    const answers: unknown[] = [];
    for (const own of [{}, { "example.com/own": 1 }]) {
      // a key that is unknown here goes the long way; a gateway each, for a question stands until it is answered
      await using gateway = await startGateway(() => ({ mcpServers: { s: fixtureServer(server) } }));
      await gateway.gateway.ready({ signal: AbortSignal.timeout(10_000) });
      const body = bodyFor(name, given, own);
      expect(toPlainCall(headersFor(name), body) === undefined).toBe("example.com/own" in own);
      const answer = JSON.stringify(await post(gateway, headersFor(name), body));
      answers.push(JSON.parse(answer.replace(/mcp-gateway\.[\w-]+/, "token")));
    }
    expect(answers[0]).toEqual(answers[1]);
  }
});

test.each([
  ["another version", { "mcp-protocol-version": "2025-11-25" }, {}],
  ["a name that is not the body's", { "mcp-name": "other" }, {}],
  ["no Mcp-Method", { "mcp-method": undefined }, {}],
  ["a session", { "mcp-session-id": "1" }, {}],
  ["no event stream accepted", { accept: "application/json" }, {}],
  ["a progress token", {}, { params: { ...bodyFor("t").params, _meta: { ...envelope, progressToken: 1 } } }],
  ["no envelope", {}, { params: { name: "t", arguments: {} } }],
  ["an answer to a question", {}, { params: { ...bodyFor("t").params, inputResponses: {} } }],
  ["arguments that are a list", {}, { params: { ...bodyFor("t").params, arguments: [] } }],
  ["an id that is null", {}, { id: null }],
  ["a fractional id", {}, { id: 1.5 }],
  ["an unknown key", {}, { extra: 1 }],
])("%s is for the SDK to judge", (_, headers, body) => {
  expect(toPlainCall(headersFor("t"), bodyFor("t"))).toBeDefined();
  expect(toPlainCall({ ...headersFor("t"), ...headers }, { ...bodyFor("t"), ...body })).toBeUndefined();
});

test("a batch, and what is no object, are no plain calls", () => {
  for (const body of [[bodyFor("t")], null, "text", 1]) expect(toPlainCall(headersFor("t"), body)).toBeUndefined();
});

test("a client that goes away cancels its plain call at the server", async () => {
  await using gateway = await startGateway((journal) => ({
    mcpServers: { s: fixtureServer("modern-server", { env: { JOURNAL: journal } }) },
  }));
  await gateway.gateway.ready({ signal: AbortSignal.timeout(10_000) });
  const gone = new AbortController();
  const call = fetch(`${gateway.url}/mcp`, {
    method: "POST",
    headers: headersFor("s__slow"),
    body: JSON.stringify(bodyFor("s__slow", { ms: 5_000 })),
    signal: gone.signal,
  });
  await until(async () => (await gateway.journal()).includes("slow begins"));
  gone.abort();
  await expect(call).rejects.toThrow();
  await until(async () => (await gateway.journal()).includes("slow cancelled"), 3_000);
});
