/** A small server for the host's tests: a tool for each kind of behaviour, a resource, a prompt. */
import { acceptedContent, inputRequired, McpServer, type McpServerFactory } from "@modelcontextprotocol/server";
import * as v from "valibot";
import { type Served, toMcpSchema } from "../../mcp-core/src/host/index.js";

/** What happened inside the server's tools. */
export interface Witness {
  started: number;
  aborted: number;
}

/** A fresh count. */
export const createWitness = (): Witness => ({ started: 0, aborted: 0 });

const echoInput = toMcpSchema(v.object({ text: v.pipe(v.string(), v.trim()) }));
const nothing = toMcpSchema(v.object({}));
const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] });
const capabilities = {
  tools: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  prompts: { listChanged: true },
  logging: {},
};

/**
 * Servers with the tools `echo`, `wait` (until cancelled), `count` (progress), `ask` (elicitation), `witness` (what the
 * waits saw) and `change` (notifies of everything there is).
 */
export function createFixture(witness: Witness, served: () => Served | undefined = () => undefined): McpServerFactory {
  return () => {
    const server = new McpServer({ name: "fixture", version: "1.2.3" }, { capabilities });
    addTools(server, witness, served);
    server.registerResource("note", "note://one", { description: "A note." }, (uri) => ({
      contents: [{ uri: uri.href, text: "remember" }],
    }));
    server.registerPrompt("greet", { description: "Greets." }, () => ({
      messages: [{ role: "user", content: { type: "text", text: "Hello." } }],
    }));
    server.server.setRequestHandler("resources/subscribe", () => ({}));
    server.server.setRequestHandler("resources/unsubscribe", () => ({}));
    return server;
  };
}

function addTools(server: McpServer, witness: Witness, served: () => Served | undefined): void {
  server.registerTool("echo", { description: "Says it again.", inputSchema: echoInput }, ({ text: said }) =>
    text(said),
  );
  server.registerTool("wait", { description: "Waits.", inputSchema: nothing }, async (_input, { mcpReq }) => {
    witness.started++;
    await new Promise<void>((resolve) => {
      mcpReq.signal.addEventListener("abort", () => {
        witness.aborted++;
        resolve();
      });
    });
    return text("cancelled");
  });
  server.registerTool("count", { description: "Counts.", inputSchema: nothing }, async (_input, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (let progress = 1; progress <= 3 && progressToken !== undefined; progress++) {
      await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: 3 } });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return text("counted");
  });
  server.registerTool("ask", { description: "Asks.", inputSchema: nothing }, (_input, { mcpReq }) => {
    const name = acceptedContent(mcpReq.inputResponses, "name")?.name;
    if (typeof name === "string") return text(`Hello, ${name}!`);
    const requestedSchema = {
      type: "object" as const,
      properties: { name: { type: "string" as const } },
      required: ["name"],
    };
    return inputRequired({ inputRequests: { name: inputRequired.elicit({ message: "Your name?", requestedSchema }) } });
  });
  server.registerTool("witness", { description: "Tells.", inputSchema: nothing }, () => text(JSON.stringify(witness)));
  server.registerTool("change", { description: "Changes.", inputSchema: nothing }, () => {
    const notify = served()?.notify;
    notify?.toolsChanged();
    notify?.promptsChanged();
    notify?.resourcesChanged();
    notify?.resourceUpdated("note://one");
    notify?.resourceUpdated("note://two");
    return text("changed");
  });
}
