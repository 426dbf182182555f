/**
 * What a client is told of an error: its report with bounded texts, as a tool's result or as an error of the protocol.
 * What nobody foresaw stays in the log, under an id that the client sees.
 */
import { randomBytes } from "node:crypto";
import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import { type ErrorReport, toErrorReport } from "../host/errors.js";
import type { ServerLog, Service } from "./call.js";
import { cutText } from "./json-text.js";

const reportedCharacters = 4_000;

/** The report of an error, its texts bounded; what was not foreseen is logged under an id that the client sees. */
export function toReport(error: unknown, log: ServerLog): ErrorReport {
  const full = toErrorReport(error);
  const report: ErrorReport = {
    ...full,
    message: cutText(full.message, reportedCharacters),
    ...(full.hint === undefined ? {} : { hint: cutText(full.hint, reportedCharacters) }),
  };
  if (report.code !== "internal") return report;
  const id = randomBytes(4).toString("hex");
  log.error("internal_error", { id, ...describeThrown(error) });
  return { ...report, hint: `The server's log has the details under id ${id}.` };
}

/** What may be logged of an unknown error: its kind and where it arose. Messages of drivers can hold values. */
function describeThrown(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { thrown: typeof error };
  const frames = error.stack?.split("\n").filter((line) => line.trimStart().startsWith("at "));
  return { error: error.name, stack: frames?.slice(0, 8).map((line) => line.trim()) };
}

/** Resources, prompts and completions have no error results: their errors are JSON-RPC errors with the same report. */
export async function orProtocolError<Result>(result: Promise<Result>, { log }: Pick<Service, "log">): Promise<Result> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    const report = toReport(error, log);
    const code = report.code === "internal" ? ProtocolErrorCode.InternalError : ProtocolErrorCode.InvalidParams;
    throw new ProtocolError(code, [report.message, report.hint].filter(Boolean).join(" "), report);
  }
}
