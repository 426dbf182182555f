/** Tries a connection through its own server, and says what failed and why without repeating what the client sent. */
import { CodedError, withTimeout } from "@database-interface/mcp-core/host";
import type { Member } from "../member.js";
import { type Fields, isFields } from "../message.js";
import type { Draft } from "./draft.js";

/** Milliseconds a try may take, the server's start included. */
const tryMs = 20_000;

/** @throws CodedError with the code and hint of the database's server; `target_forbidden`, `target_unknown` */
export async function checkConnection(member: Member, draft: Draft, signal: AbortSignal): Promise<void> {
  const limit = withTimeout(signal, tryMs);
  let result: Fields;
  try {
    const call = { name: "check_connection", arguments: {} };
    const caller = { id: "gateway", capabilities: {} };
    result = await member.supervisor.use(
      (upstream) => upstream.request("tools/call", call, { signal: limit, caller }),
      limit,
    );
  } catch (error) {
    throw toRefusal(error, signal);
  }
  if (result.isError === true) throw fromReport(reportOf(result), draft);
}

function toRefusal(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return error;
  if (error instanceof CodedError) return error;
  return new CodedError("connection_failed", "The database did not answer in time.", {
    hint: "Check host and port, and that a firewall lets the gateway in.",
    retryable: true,
    cause: error,
  });
}

/** The error's report in a tool's result. */
function reportOf({ content }: Fields): Fields {
  const [first] = Array.isArray(content) ? content.filter(isFields) : [];
  try {
    const value: unknown = JSON.parse(String(first?.text));
    return isFields(value) ? value : {};
  } catch {
    return {};
  }
}

function fromReport(report: Fields, { user, host, port, database }: Draft): CodedError {
  const { code, message, hint } = report;
  const place = `${user}@${host.includes(":") ? `[${host}]` : host}:${port}/${database}`;
  const own = typeof message === "string" ? message.replaceAll(` (${place})`, "").replaceAll(place, "it") : undefined;
  // what still shows a part of the client's words is not worth the risk
  const isClean = own !== undefined && ![user, host, database].some((word) => word.length > 2 && own.includes(word));
  return new CodedError(
    typeof code === "string" && /^[a-z_]{1,40}$/.test(code) ? code : "connection_failed",
    isClean ? own : "The database refused the connection.",
    { hint: typeof hint === "string" ? hint : undefined, retryable: report.retryable === true },
  );
}
