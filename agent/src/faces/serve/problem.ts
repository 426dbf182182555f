/**
 * Errors as RFC 9457 problems. What a problem says is ours, or a database's words about a statement; nothing else of what
 * a client sent comes back, and no excerpt of a statement does.
 */
import type { ErrorReport } from "../../error-report.js";
import { AgentError, toErrorReport } from "../../errors.js";

/** A status for each code that has one of its own; a database's code about a statement is 422. */
const statuses: Readonly<Record<string, number>> = {
  usage: 400,
  task_invalid: 400,
  body_invalid: 400,
  query_invalid: 400,
  parameter_invalid: 400,
  token_invalid: 401,
  host_forbidden: 403,
  not_found: 404,
  session_unknown: 404,
  source_unknown: 404,
  table_not_found: 404,
  approval_unknown: 404,
  method_not_allowed: 405,
  session_busy: 409,
  conflict: 409,
  body_too_large: 413,
  media_type_unsupported: 415,
  idempotency_mismatch: 422,
  busy: 429,
  internal: 500,
  model_unset: 501,
  model_package_missing: 501,
  gateway_unreachable: 502,
  gateway_failed: 502,
  gateway_missing: 502,
  unauthorized: 502, // the gateway's word to us, not ours to the client
  connection_lost: 502,
  connection_failed: 502,
  authentication_failed: 502,
  reply_invalid: 502,
  tool_failed: 502,
  tool_unknown: 502,
  tool_ambiguous: 502,
  model_unauthorized: 502,
  model_refused: 502,
  model_invalid: 502,
  model_unreachable: 502,
  model_busy: 503,
  store_unreachable: 503,
  cancelled: 503,
  draining: 503,
  timeout: 504,
};

/** The members of a problem. */
export interface Problem {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly retryable: boolean;
  readonly hint?: string;
  readonly sqlstate?: string;
  readonly errno?: number;
}

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** The problem an error is; `given` is what the client sent, of which no word comes back. */
export function toProblem(thrown: unknown, given = ""): Problem {
  const { code, message, hint, sqlstate, errno, retryable } = presentable(toErrorReport(thrown));
  const status = statuses[code] ?? 422;
  return {
    type: "about:blank",
    title: titles[status] ?? "Error",
    status,
    detail: ownCodes.has(code) ? message : withoutWordsOf(given, message),
    code,
    retryable,
    ...(hint === undefined ? {} : { hint: status === 400 && !ownCodes.has(code) ? withoutWordsOf(given, hint) : hint }),
    ...(sqlstate === undefined ? {} : { sqlstate }),
    ...(errno === undefined ? {} : { errno }),
  };
}

/** An error as it may leave over HTTP: an unexpected one says nothing of itself, no hint holds a piece of a statement. */
export function presentable(report: ErrorReport): ErrorReport {
  if (report.code === "internal")
    return { code: "internal", message: "Something went wrong inside.", retryable: false };
  const { hint, ...rest } = report;
  const lines = hint?.split("\n") ?? [];
  const kept = lines.filter((line, index) => !isCaret(line) && !isCaret(lines[index + 1]));
  const text = kept.join(" ").replace(/:$/, ".");
  return text === "" ? rest : { ...rest, hint: text };
}

/** The line that points into the one above it. */
const isCaret = (line: string | undefined): boolean => line !== undefined && /^\s*\^\s*$/.test(line);

/** Codes whose messages are made here, of our own words alone. */
const ownCodes = new Set(
  `body_invalid query_invalid body_too_large media_type_unsupported idempotency_mismatch token_invalid host_forbidden
  not_found method_not_allowed session_unknown session_busy busy draining model_unset`.split(/\s+/),
);

/** Words of ours that stay, also where a client used them. */
const ownWords = new Set(
  `table view column function schema type statement source database server session body query there does exist read
  named here without reached until must this that with only more than which value values argument parameter names known
  nothing could cannot ambiguous zero division permission denied refused allowed needs takes name error syntax near
  timeout cancelled connection`.split(/\s+/),
);

const words = /[^\s"'`,;:()[\]{}<>=/\\?&]+/g;

/** The message with `…` for every longer word of it that the client sent, such as the name it looks for in vain. */
function withoutWordsOf(given: string, message: string): string {
  if (given === "") return message;
  const sent = new Set(given.toLowerCase().match(words));
  return message.replace(words, (word) => {
    const bare = word.replace(/[.!?]+$/, "").toLowerCase();
    const isSent = bare.length > 2 && !ownWords.has(bare) && (sent.has(bare) || sent.has(word.toLowerCase()));
    return isSent ? `…${word.slice(bare.length)}` : word;
  });
}

/** The response for any thrown value; `given` as for {@link toProblem}. */
export function problemResponse(
  thrown: unknown,
  { given = "", headers = {} }: { readonly given?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Response {
  const problem = toProblem(thrown, given);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(problem.retryable ? { "retry-after": "1" } : {}),
      ...headers,
    },
  });
}

/** Said of every path that leads nowhere. */
export const notFound = (): AgentError =>
  new AgentError("not_found", "There is nothing here.", { hint: "See /openapi.json." });
