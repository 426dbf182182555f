/** Names outside: third-party tools prefixed, bounded and never two alike; what they say passes byte for byte. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { joinTexts, toOuterName } from "../../mcp-gateway/src/naming.js";
import { fixtureServer, startGateway, textOf } from "./gateways.js";

test.each([
  ["files", "read", "files__read"],
  ["My Server", "read.all", "My_Server__read_all"],
])("%s and %s become %s", (server, tool, outer) => expect(toOuterName(`${server}__`, tool)).toBe(outer));

test("long names are cut to 64 characters and stay apart", async () => {
  await using gateway = await startGateway(() => ({
    mcpServers: { s: fixtureServer("odd-server", { args: ["long-name"] }) },
  }));
  await using client = await gateway.connect("modern");
  const names = (await client.listTools()).tools.map(({ name }) => name);
  expect(names.map(({ length }) => length)).toEqual([64, 64]);
  expect(new Set(names).size).toBe(2);
  const called = JSON.parse(textOf(await client.callTool({ name: names[1] ?? "", arguments: {} })));
  expect(called.name).toBe(`${"t".repeat(199)}u`);
});

test("of two tools with one outer name the first stays and the second is refused aloud", async () => {
  await using gateway = await startGateway(() => ({
    mcpServers: {
      a: fixtureServer("odd-server", { args: ["named", "b__c"] }),
      a__b: fixtureServer("odd-server", { args: ["named", "c"] }),
    },
  }));
  await using client = await gateway.connect("legacy");
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["a__b__c"]);
  expect(gateway.gateway.report().problems).toEqual([
    expect.stringContaining("c of a__b is not listed: its name a__b__c already stands for b__c of a."),
  ]);
});

test("texts that differ in one stretch are joined", () => {
  expect(joinTexts(["Run (PostgreSQL; $1). Look.", "Run (MySQL; ?). Look."])).toBe(
    "Run (PostgreSQL; $1 or MySQL; ?). Look.",
  );
  expect(joinTexts(["same", "same"])).toBe("same");
});

test("an odd schema, annotations, icons and _meta pass byte for byte, and a result's own fields stay", async () => {
  await using gateway = await startGateway(() => ({
    mcpServers: { s: fixtureServer("odd-server", { args: ["odd-schema"] }) },
  }));
  const post = async (body: object, headers = {}) => {
    const response = await fetch(`${gateway.url}/mcp`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...body }),
    });
    const text = await response.text();
    return {
      session: response.headers.get("mcp-session-id") ?? "",
      text: text.startsWith("{") ? text : (/^data: (\{.*)$/m.exec(text)?.[1] ?? text),
    };
  };
  const { session } = await post({
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
  });
  const listed = await post({ method: "tools/list" }, { "mcp-session-id": session });
  const direct = await rawList("odd-schema");
  expect(listed.text).toContain(direct.replace('"name":"odd"', '"name":"s__odd"'));
  const called = await post(
    { method: "tools/call", params: { name: "s__odd", arguments: { x: [1.5, "é", null] } } },
    { "mcp-session-id": session },
  );
  expect(called.text).toContain('"x-own":{"kept":[1,"ü",null]}');
});

/** The tool as the server writes it, without a gateway. */
async function rawList(way: string): Promise<string> {
  const { command, args } = fixtureServer("odd-server", { args: [way] });
  const child = promisify(execFile)(command, args);
  child.child.stdin?.end('{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n');
  const { stdout } = await child;
  return /"tools":\[(.*)\]\}\}\n$/.exec(stdout)?.[1] ?? "";
}
