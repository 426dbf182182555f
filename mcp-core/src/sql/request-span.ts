/** The span of one request to a database server: whose call it is part of, by which connection it came, how it ended. */
import type { ServerContext } from "@modelcontextprotocol/server";
import { carrierOf, type mcpSpan, type Tracing } from "../host/tracing.js";

/** Runs the work in the request's span, or just runs it where there is no SDK. */
export function inRequestSpan<Result extends object>(
  tracing: Tracing | undefined,
  { mcpReq, sessionId, http }: ServerContext,
  { name, attributes }: ReturnType<typeof mcpSpan>,
  work: () => Promise<Result>,
): Promise<Result> {
  if (tracing?.isOn !== true) return work();
  const request = {
    ...attributes,
    "jsonrpc.request.id": String(mcpReq.id),
    "mcp.session.id": sessionId,
    "network.transport": http === undefined ? "pipe" : "tcp",
  };
  const parent = carrierOf(mcpReq._meta, http?.req?.headers);
  return tracing.run({ name, kind: "server", attributes: request, parent }, async (span) => {
    const result = await work();
    if ("isError" in result && result.isError === true) span?.fail("tool_error");
    return result;
  });
}
