/** Refusals over HTTP as problem documents. They name the reason and the remedy, never anything the client sent. */
import * as v from "valibot";
import { CodedError } from "./errors.js";

/** A problem document. @see https://www.rfc-editor.org/rfc/rfc9457 */
export const problemSchema = v.object({
  type: v.string(),
  title: v.string(),
  status: v.number(),
  /** Stable, for programs. */
  code: v.string(),
  /** What happened and what to do. */
  detail: v.string(),
});

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

/** A problem as an answer. */
export function problem(status: number, code: string, detail: string, headers: Record<string, string> = {}): Response {
  const body: v.InferOutput<typeof problemSchema> = {
    type: "about:blank",
    title: titles[status] ?? "Error",
    status,
    code,
    detail,
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headers },
  });
}

/** `not_found`, for paths and for sessions; MCP clients start a new session on 404. */
export const notFound = (detail = "There is nothing here."): Response => problem(404, "not_found", detail);

/** `method_not_allowed` with the methods that are. */
export const methodNotAllowed = (allow: string): Response =>
  problem(405, "method_not_allowed", `Use ${allow}.`, { allow });

/** `role_required`: whoever asks is known, and lacks the role. */
export const roleRequired = (role: string): Response =>
  problem(403, "role_required", `This needs the role ${role}. Ask the operator for a token that has it.`, {
    "www-authenticate": 'Bearer error="insufficient_scope"',
  });

/** `rate_limited`, until some seconds later. */
export const tooManyRequests = (seconds: number): Response =>
  problem(429, "rate_limited", `That is more requests than you may make. Try again in ${seconds} s.`, {
    "retry-after": String(seconds),
  });

/** What cannot be answered now and may be soon, such as `store_unavailable`. @throws any other error as it is */
export function unavailable(error: unknown): Response {
  if (!(error instanceof CodedError) || !error.retryable) throw error;
  return problem(503, error.code, error.message, { "retry-after": "5" });
}
