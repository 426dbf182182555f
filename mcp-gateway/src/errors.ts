/** The gateway's own errors: each code in one place, with what happened and what to do. */
import { CodedError, nearestNames, toErrorReport } from "@database-interface/mcp-core/host";
import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import { AnsweredError, type ErrorBody, type Fields } from "./message.js";

export function sourceUnknown(given: string, known: readonly string[]): CodedError {
  const near = nearestNames(given, known);
  return new CodedError("source_unknown", "There is no source of this name.", {
    hint: near.length > 0 ? `Did you mean ${near.join(" or ")}?` : `The sources are ${shorten(known)}.`,
  });
}

export function sourceRequired(known: readonly string[]): CodedError {
  return new CodedError("source_required", "The call must say which source it is for.", {
    hint: `Pass source: one of ${shorten(known)}.`,
  });
}

export function notFound(what: string, given: string, known: Iterable<string>): CodedError {
  const near = nearestNames(given, known);
  return new CodedError("not_found", `There is no ${what} of this name.`, {
    hint: near.length > 0 ? `Did you mean ${near.join(" or ")}?` : `List the ${what}s to see what there is.`,
  });
}

/** A tool that does more than read, called by someone who may only read. */
export const roleRequired = (tool: string): CodedError =>
  new CodedError("role_required", `The tool ${tool} may change something, which needs the role write.`, {
    hint: "Nothing was run. The operator gives roles, with the token.",
  });

/** A third-party tool whose descriptor is no longer the one that was approved. */
export const toolChanged = (tool: string, server: string): CodedError =>
  new CodedError("tool_changed", `The tool ${tool} has changed since it was approved and is blocked.`, {
    hint: `A person must look at it and approve it: mcp-gateway approve ${server}.`,
  });

/** A server that went away during a call: only what reads may safely be called again. */
export function callLost(server: string, reason: string, isReading: boolean): CodedError {
  return isReading
    ? new CodedError("connection_lost", `${server} went away during the call: ${reason}.`, {
        hint: "It only reads: call it again.",
        retryable: true,
      })
    : new CodedError(
        "outcome_unknown",
        `${server} went away during the call: ${reason}. It may or may not have taken effect.`,
        {
          hint: "Check what has happened before calling it again.",
        },
      );
}

/** A server that a call did not reach, so that nothing can have happened. */
export const unreachable = (server: string, reason: string): CodedError =>
  new CodedError("server_unavailable", `${server} cannot be used: ${reason}.`, {
    hint: "Nothing was run. Try again later.",
    retryable: true,
  });

/** What figures and records call an error. */
export function codeOf(error: unknown): string {
  if (error instanceof CodedError) return error.code;
  if (error instanceof ProtocolError) return "protocol_error";
  return error instanceof AnsweredError ? "server_error" : "internal";
}

/** Any error as the body of a JSON-RPC error. */
export function toErrorBody(error: unknown): ErrorBody {
  const { code, message, data } =
    error instanceof AnsweredError || error instanceof ProtocolError ? error : toProtocolError(error);
  return { code, message, ...(data === undefined ? {} : { data }) };
}

const shorten = (names: readonly string[]): string => names.slice(0, 20).join(", ") + (names.length > 20 ? ", …" : "");

/** An error as the result of a tool call. */
export function toErrorResult(error: unknown): Fields {
  return { content: [{ type: "text", text: JSON.stringify(toErrorReport(error)) }], isError: true };
}

/** An error as JSON-RPC has it, the report in its data. */
export function toProtocolError(error: unknown): ProtocolError {
  const report = toErrorReport(error);
  const isTheirs = ["not_found", "source_unknown", "source_required", "parameter_invalid", "call_expired"].includes(
    report.code,
  );
  const code = isTheirs ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError;
  return new ProtocolError(code, [report.message, report.hint].filter(Boolean).join(" "), report);
}
