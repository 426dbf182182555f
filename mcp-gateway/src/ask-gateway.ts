/** Asks a running gateway's `/v1` for the commands: one request, its answer checked, its refusals in words. */
import { CodedError, withTimeout } from "@database-interface/mcp-core/host";
import * as v from "valibot";

/** Where it is and how to come in. */
export interface GatewayAddress {
  readonly url: string | undefined;
  readonly token: string | undefined;
}

const problemBody = v.object({ code: v.string(), detail: v.optional(v.string()) });
const answerMs = 10_000;

/** @throws CodedError `connection_failed`, `unauthorized`, `role_required`, what the gateway refuses with, `server_error` */
export async function askGateway<Answer extends v.GenericSchema>(
  { url, token }: GatewayAddress,
  { method = "GET", path, signal }: { readonly method?: string; readonly path: string; readonly signal: AbortSignal },
  answer: Answer,
): Promise<v.InferOutput<Answer>> {
  const target = new URL(path, url ?? "http://127.0.0.1:8730");
  let response: Response;
  try {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    response = await fetch(target, { method, headers, redirect: "error", signal: withTimeout(signal, answerMs) });
  } catch (cause) {
    throw new CodedError("connection_failed", `No gateway answers at ${target.origin}.`, {
      hint: "Start one, or name another with --url.",
      cause,
    });
  }
  if (response.status === 401)
    throw new CodedError("unauthorized", "The gateway wants a token.", { hint: "Set MCP_TOKEN, or pass --token." });
  const body: unknown = response.status === 204 ? undefined : await response.json().catch(() => undefined);
  const problem = v.safeParse(problemBody, body);
  if (!response.ok && problem.success) throw new CodedError(problem.output.code, problem.output.detail ?? "Refused.");
  const parsed = v.safeParse(answer, body);
  if (response.ok && parsed.success) return parsed.output;
  throw new CodedError(
    "server_error",
    `What answers at ${target.origin} is no gateway (HTTP status ${response.status}).`,
    { hint: "Check --url." },
  );
}
