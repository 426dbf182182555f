/** What surrounds the answer to one request, whatever it asks: it is counted, logged, leaves a span, and fails in the protocol's words. */
import { CodedError, mcpSpan, type Span } from "@database-interface/mcp-core/host";
import { ProtocolError } from "@modelcontextprotocol/server";
import type { ClientRequest } from "./client-request.js";
import { codeOf, toErrorResult, toProtocolError } from "./errors.js";
import type { FrontOptions } from "./front-options.js";
import { AnsweredError, type Fields } from "./message.js";
import { traceIn } from "./trace.js";

type Handle = (request: ClientRequest) => Promise<Fields> | Fields;

/** Answers in a span of the request, under which servers are asked, where there is an SDK. */
export function answer(
  method: string,
  params: Fields,
  request: ClientRequest,
  options: FrontOptions,
  handleIt: Handle,
): Promise<Fields> {
  const { tracing, names } = options;
  if (!tracing.isOn) return answerCounted(method, request, options, handleIt, undefined);
  // only what is there: another name may be anything
  const target =
    method === "tools/call" && names().tools.has(String(params.name))
      ? { tool: String(params.name) }
      : method === "prompts/get" && names().prompts.has(String(params.name))
        ? { prompt: String(params.name) }
        : {};
  const { name, attributes } = mcpSpan(method, target);
  const { trace, span: own } = request;
  const parent = trace.isGiven ? trace.carrier : undefined;
  return tracing.run({ name, kind: "server", attributes: { ...attributes, ...own }, parent }, (span) =>
    answerCounted(method, { ...request, trace: traceIn(span, trace) }, options, handleIt, span),
  );
}

async function answerCounted(
  method: string,
  request: ClientRequest,
  { meter, log }: FrontOptions,
  handleIt: Handle,
  span: Span | undefined,
): Promise<Fields> {
  const call = meter.begin(method);
  const began = performance.now();
  const end = (outcome: string): void => {
    call.end(outcome);
    if (outcome !== "ok") span?.fail(outcome);
    log.debug("request", { method, outcome, ms: Math.round(performance.now() - began), trace: request.trace.id });
  };
  try {
    const result = await handleIt(request);
    end(result.isError === true ? "tool_error" : "ok");
    return result;
  } catch (error) {
    const { signal, trace } = request;
    end(signal.aborted ? "cancelled" : codeOf(error));
    if (error instanceof AnsweredError || error instanceof ProtocolError) throw error;
    if (!(error instanceof CodedError) && !signal.aborted)
      log.error("internal_error", { method, trace: trace.id, error });
    if (method === "tools/call" && !(error instanceof CodedError && error.code === "not_found"))
      return toErrorResult(error);
    throw toProtocolError(error);
  }
}
