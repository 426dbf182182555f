/** What can go wrong between us and the gateway, as coded errors: once here, untouched above. */
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import * as v from "valibot";
import { errorReportSchema } from "../error-report.js";
import { AgentError, withoutSecrets } from "../errors.js";

/** JSON-RPC codes, those of the SDK for what happens on our side of the wire among them. */
export const connectionClosed = -32000;
const requestTimeout = -32001;
const invalidParams = -32602;

/** The error an `isError` result stands for. */
export function toToolError(result: CallToolResult): AgentError {
  const text = result.content.map((block) => (block.type === "text" ? block.text : "")).join("\n");
  const parsed = v.safeParse(errorReportSchema, parseJson(text));
  if (!parsed.success) return new AgentError("tool_failed", withoutSecrets(text) || "The tool failed without a word.");
  const { code, message, ...details } = parsed.output;
  return new AgentError(code, message, details);
}

/** Whether a call failed because the gateway does not know our session (any more): it was restarted, nothing was run. */
export const isSessionGone = (error: unknown): boolean => codeOf(error) === 404;

/** Any failure of the connection during a call. */
export function toCallError(error: unknown, signal?: AbortSignal): AgentError {
  if (error instanceof AgentError) return error;
  if (signal?.aborted) return new AgentError("cancelled", "Cancelled; the statement was stopped on the server.");
  const text = error instanceof Error ? error.message : String(error);
  switch (codeOf(error)) {
    case connectionClosed:
      return new AgentError("connection_lost", "The connection to the gateway was lost during the call.", {
        hint: "The next call connects again. Whether this one was carried out is unknown.",
        retryable: true,
        cause: error,
      });
    case requestTimeout:
      return new AgentError("timeout", "The gateway did not answer in time.", { retryable: true, cause: error });
    case invalidParams:
      return new AgentError("parameter_invalid", withoutSecrets(text), { cause: error });
    case 401:
    case 403:
      return unauthorized(error);
    default:
      return new AgentError(
        "gateway_unreachable",
        `The call did not reach the gateway: ${withoutSecrets(reason(error))}`,
        {
          hint: "Is it running at that address? Its /healthz says so.",
          retryable: true,
          cause: error,
        },
      );
  }
}

/** A failure to connect to a gateway that runs elsewhere. */
export function toConnectError(error: unknown, url: string): AgentError {
  if (error instanceof AgentError) return error;
  const code = codeOf(error);
  if (code === 401 || code === 403 || (error instanceof Error && error.name === "UnauthorizedError"))
    return unauthorized(error);
  const address = URL.canParse(url) ? new URL(url).origin : "the gateway's address";
  return new AgentError("gateway_unreachable", `No gateway answers at ${address}: ${withoutSecrets(reason(error))}`, {
    hint: "Start it with mcp-gateway --config gateway.json, or check host, port and path (/mcp).",
    retryable: true,
    cause: error,
  });
}

/** A failure to start a gateway of our own; what it said last explains why. */
export function toLaunchError(error: unknown, log: readonly string[]): AgentError {
  const last = log.map(toSentence).findLast((line) => line !== "");
  const code = codeOf(error);
  if (code === "ENOENT") {
    return new AgentError("gateway_missing", "The command that starts the gateway was not found.", {
      hint: "npm install @database-interface/mcp-gateway, or point --gateway at a running one.",
      cause: error,
    });
  }
  return new AgentError("gateway_failed", `The gateway did not start: ${last ?? withoutSecrets(reason(error))}`, {
    hint: "Check the database's URL, or run mcp-gateway yourself and pass its address with --gateway.",
    cause: error,
  });
}

const unauthorized = (cause: unknown): AgentError =>
  new AgentError("unauthorized", "The gateway refused us: the token is missing or wrong.", {
    hint: "Set MCP_GATEWAY_TOKEN, or pass --token-file.",
    cause,
  });

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && cause.message !== "" ? `${error.message} (${cause.message})` : error.message;
}

/** A line of a log for people: a plain line as it is, of a JSON line its message. */
function toSentence(line: string): string {
  const entry = parseJson(line);
  if (typeof entry !== "object" || entry === null) return withoutSecrets(line.trim());
  const fields = entry as Record<string, unknown>; // any JSON object is one
  if (fields.level !== "error" && fields.level !== "fatal" && fields.level !== "warn") return "";
  return withoutSecrets(String(fields.message ?? fields.event ?? fields.msg ?? ""));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
