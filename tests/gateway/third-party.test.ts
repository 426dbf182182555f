/** Servers from the registry behind the gateway, for clients of both eras: nothing they list or answer is lost. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { describe, expect, test } from "vitest";
import { startGateway, type TestGateway, temporaryFolder } from "./gateways.js";

const servers = {
  everything: { module: "@modelcontextprotocol/server-everything/dist/index.js", args: (): string[] => [] },
  filesystem: {
    module: "@modelcontextprotocol/server-filesystem/dist/index.js",
    args: (folder: string): string[] => [folder],
  },
};
const names = ["everything", "filesystem"] as const;
const eras = ["legacy", "modern"] as const;

const entryOf = (name: keyof typeof servers, folder: string) => ({
  command: process.execPath,
  args: [
    fileURLToPath(new URL(`../../node_modules/${servers[name].module}`, import.meta.url)),
    ...servers[name].args(folder),
  ],
});

/** As the gateway introduces itself, so that a server offers to both what it offers. */
const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: false } };
const hello = { protocolVersion: "2025-11-25", capabilities, clientInfo: { name: "test", version: "1.0.0" } };

/** What a server answers on its stdout, to the byte. */
async function rawAnswer({ command, args }: ReturnType<typeof entryOf>, method: string): Promise<string> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"] });
  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  send({ id: 1, method: "initialize", params: hello });
  for await (const line of createInterface({ input: child.stdout })) {
    const { id } = JSON.parse(line) as { id?: number };
    if (id === 1) {
      send({ method: "notifications/initialized" });
      send({ id: 2, method });
    }
    if (id !== 2) continue;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
    return line;
  }
  throw new Error(`${command} ended without an answer`);
}

/** What the gateway answers to a client of an era, to the byte. */
async function throughGateway({ url }: TestGateway, era: "legacy" | "modern", method: string): Promise<string> {
  const usual = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const post = (message: object, headers: Record<string, string>): Promise<Response> => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, ...message });
    return fetch(`${url}/mcp`, { method: "POST", headers: { ...usual, ...headers }, body });
  };
  if (era === "legacy") {
    const { headers } = await post({ method: "initialize", params: hello }, {});
    const answer = await post({ method }, { "mcp-session-id": headers.get("mcp-session-id") ?? "" });
    return /^data: (\{.*)$/m.exec(await answer.text())?.[1] ?? "";
  }
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": method };
  return (await post({ method, params: { _meta } }, headers)).text();
}

interface Entry {
  readonly name: string;
}
type Lists = Readonly<Record<string, readonly Entry[]>>;

describe.each(names)("%s", (name) => {
  test.each([
    ["tools/list", "tools", true],
    ["prompts/list", "prompts", true],
    ["resources/list", "resources", false],
    ["resources/templates/list", "resourceTemplates", false],
  ])("%s is the server's own to the byte, but for the prefix", async (method, key, isPrefixed) => {
    await using folder = await temporaryFolder();
    const entry = entryOf(name, folder.path);
    const raw = await rawAnswer(entry, method);
    const { result = {} } = JSON.parse(raw) as { result?: Lists }; // a list, or an error for what it does not have
    const own = result[key] ?? [];
    await using gateway = await startGateway(() => ({ mcpServers: { x: entry } }));
    await gateway.gateway.ready({ signal: AbortSignal.timeout(20_000) });
    for (const era of eras) {
      const listed = await throughGateway(gateway, era, method);
      for (const one of own) {
        expect(raw).toContain(JSON.stringify(one)); // so that what is looked for is what was written
        const outer = isPrefixed ? { ...one, name: `x__${one.name}` } : one;
        expect(listed).toContain(JSON.stringify(era === "modern" ? withoutTasks(outer) : outer));
      }
      expect((JSON.parse(listed) as { result: Lists }).result[key]).toHaveLength(own.length);
    }
    if (name === "everything") expect(own.length).toBeGreaterThan(0);
  });

  test.each(eras)("a %s client gets the same answers as without a gateway", async (era) => {
    await using folder = await temporaryFolder();
    const entry = entryOf(name, folder.path);
    await using gateway = await startGateway(() => ({ mcpServers: { x: entry } }));
    await using through = await gateway.connect(era);
    await using direct = await connectDirect(entry);
    if (name === "filesystem") {
      for (const [tool, args] of [
        ["write_file", { path: `${folder.path}/a.txt`, content: "grüße 🎈\n" }],
        ["read_text_file", { path: `${folder.path}/a.txt` }],
        ["list_directory", { path: folder.path }],
        ["read_text_file", { path: "/etc/passwd" }],
      ] as const)
        expect(answerOf(await through.callTool({ name: `x__${tool}`, arguments: args }))).toEqual(
          answerOf(await direct.callTool({ name: tool, arguments: args })),
        );
      return;
    }
    const args = { message: "hi" };
    expect(answerOf(await through.callTool({ name: "x__echo", arguments: args }))).toEqual(
      answerOf(await direct.callTool({ name: "echo", arguments: args })),
    );
    const { resources } = await direct.listResources();
    const uri = resources[0]?.uri ?? "";
    expect(answerOf(await through.readResource({ uri }))).toEqual(answerOf(await direct.readResource({ uri })));
    const { prompts } = await direct.listPrompts();
    const simple = prompts.find((prompt) => (prompt.arguments ?? []).length === 0)?.name ?? "";
    expect(answerOf(await through.getPrompt({ name: `x__${simple}` }))).toEqual(
      answerOf(await direct.getPrompt({ name: simple })),
    );
  });
});

/** The protocol of 2026-07-28 has no `execution` of tools: there tasks are an extension. */
const withoutTasks = ({ execution: _, ...kept }: Entry & { readonly execution?: unknown }): object => kept;

/** A result without what only the modern era puts on it. */
function answerOf(result: object): object {
  const { resultType: _, _meta: __, ttlMs: ___, cacheScope: ____, ...own } = result as Record<string, unknown>; // any result
  return own;
}

async function connectDirect(entry: ReturnType<typeof entryOf>): Promise<Client & AsyncDisposable> {
  const client = new Client(hello.clientInfo, { versionNegotiation: { mode: "legacy" } });
  await client.connect(new StdioClientTransport({ ...entry, stderr: "ignore" }));
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}
