/** A small server for the host's tests: a tool of each kind of behaviour, a resource, a prompt. */
import { McpServer, type McpServerFactory } from "@modelcontextprotocol/server";
import * as v from "valibot";
import { toMcpSchema } from "../../mcp-core/src/host/index.js";

/** What happened inside the server's tools. */
export interface Witness {
  started: number;
  aborted: number;
  finished: number;
}

/** A fresh count. */
export const createWitness = (): Witness => ({ started: 0, aborted: 0, finished: 0 });

const echoInput = toMcpSchema(v.object({ text: v.pipe(v.string(), v.trim()) }));
const waitInput = toMcpSchema(v.object({ ms: v.number() }));
const nothing = toMcpSchema(v.object({}));
const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] });

/** Servers with the tools `echo`, `wait`, `count` (progress) and `ask` (elicitation). */
export function createFixture(witness: Witness): McpServerFactory {
  return () => {
    const server = new McpServer(
      { name: "fixture", version: "1.2.3" },
      {
        capabilities: {
          tools: { listChanged: true },
          resources: { listChanged: true, subscribe: true },
          prompts: { listChanged: true },
          logging: {},
        },
      },
    );
    server.registerTool("echo", { description: "Says it again.", inputSchema: echoInput }, ({ text: said }) =>
      text(said),
    );
    server.registerTool("wait", { description: "Waits.", inputSchema: waitInput }, async ({ ms }, context) => {
      witness.started++;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        context.mcpReq.signal.addEventListener("abort", () => {
          witness.aborted++;
          clearTimeout(timer);
          resolve();
        });
      });
      witness.finished++;
      return text("waited");
    });
    server.registerTool(
      "count",
      { description: "Counts with progress.", inputSchema: nothing },
      async (_input, context) => {
        const progressToken = context.mcpReq._meta?.progressToken;
        for (let progress = 1; progress <= 3 && progressToken !== undefined; progress++) {
          await context.mcpReq.notify({
            method: "notifications/progress",
            params: { progressToken, progress, total: 3 },
          });
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return text("counted");
      },
    );
    server.registerResource("note", "note://one", { description: "A note." }, async (uri) => ({
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
