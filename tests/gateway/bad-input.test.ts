/** Clients that send what no client should: each gets its answer, and the next one is served as if nothing had been. */
import { connect } from "node:net";
import { expect, test } from "vitest";
import { fixtureServer, startGateway, textOf } from "./gateways.js";

const version = "2026-07-28";
const _meta = {
  "io.modelcontextprotocol/protocolVersion": version,
  "io.modelcontextprotocol/clientCapabilities": {},
};
const usual = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const modern = { ...usual, "mcp-protocol-version": version, "mcp-method": "tools/call", "mcp-name": "s__echo" };
const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "s__echo", arguments: {}, _meta } };

const start = () => startGateway(() => ({ mcpServers: { s: fixtureServer("odd-server", { args: ["good"] }) } }));

test.each([
  ["a batch", modern, JSON.stringify([call, call]), 400],
  ["an unknown method", { ...modern, "mcp-method": "no/such" }, JSON.stringify({ ...call, method: "no/such" }), 404],
  ["a header of another era", { ...modern, "mcp-protocol-version": "2025-11-25" }, JSON.stringify(call), 400],
  ["a version nobody speaks", { ...modern, "mcp-protocol-version": "2099-01-01" }, JSON.stringify(call), 400],
  ["another name in the header", { ...modern, "mcp-name": "s__other" }, JSON.stringify(call), 400],
  ["a body that is not JSON", modern, '{"jsonrpc": ', 400],
  ["a body that is no object", modern, "7", 400],
  ["an empty body", modern, "", 400],
  ["a session nobody has", { ...usual, "mcp-session-id": "none" }, JSON.stringify({ ...call, params: {} }), 404],
  ["a body of 5 MB", modern, JSON.stringify({ ...call, x: "x".repeat(5_000_000) }), 413],
  ["a body that is not declared as JSON", { ...modern, "content-type": "text/plain" }, JSON.stringify(call), 415],
])("%s", async (_, headers, body, status) => {
  await using gateway = await start();
  await gateway.gateway.ready({ signal: AbortSignal.timeout(10_000) });
  const response = await fetch(`${gateway.url}/mcp`, { method: "POST", headers, body });
  expect([response.status, await response.text()]).toEqual([status, expect.stringMatching(/error|code|message/)]);
  const next = await fetch(`${gateway.url}/mcp`, { method: "POST", headers: modern, body: JSON.stringify(call) });
  expect(await next.text()).toContain('"resultType":"complete"');
});

test.each([
  [
    "1 MB of headers",
    `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nx-big: ${"x".repeat(1_000_000)}\r\n\r\n`,
    /^HTTP\/1\.1 431/,
  ],
  ["a request that is no HTTP", "hello\r\n\r\n", /^HTTP\/1\.1 400/],
])("%s is refused, and so is the connection", async (_, bytes, expected) => {
  await using gateway = await start();
  await using client = await gateway.connect("modern");
  expect(await send(gateway.url, bytes)).toMatch(expected);
  expect(textOf(await client.callTool({ name: "s__echo", arguments: {} }))).toContain("echo");
});

test("half a body and a client that goes away", async () => {
  await using gateway = await start();
  await using client = await gateway.connect("legacy");
  const head =
    "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
  const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
  await new Promise<void>((resolve) => socket.write(`${head}{"jsonrpc"`, () => resolve()));
  socket.destroy();
  expect(textOf(await client.callTool({ name: "s__echo", arguments: {} }))).toContain("echo");
  expect(gateway.log()).not.toContain("request_failed");
});

function send(url: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(bytes));
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", () => {}).on("close", () => resolve(text));
  });
}
