/** The address MCP is spoken at. */
import { AgentError } from "../errors.js";

/** What a gateway that runs may take for its greeting. */
export const answerTimeoutMs = 30_000;

/** A gateway's MCP address; its origin alone is enough. @throws AgentError `usage` */
export function toEndpoint(url: string): URL {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new AgentError("usage", "The gateway's address is not an http or https URL.", {
      hint: "Such as http://127.0.0.1:8730",
    });
  }
  const endpoint = new URL(url);
  if (endpoint.pathname === "/") endpoint.pathname = "/mcp";
  return endpoint;
}
