/**
 * One request to an OpenAI-compatible server, streamed: tried again while nothing has come back and the failure may pass
 * (429, 5xx, no connection), stopped by its signal. Knows HTTP and server-sent events; neither LangChain nor databases.
 */
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { AgentError, withoutSecrets } from "../errors.js";
import { linkedAbort } from "../linked-abort.js";
import { toStatusError } from "./model-errors.js";

/** Where a model answers, and how long to try. */
export interface ModelEndpoint {
  /** Up to and with the version, such as `https://api.openai.com/v1`. */
  readonly url: string;
  /** Sent as a bearer token and nowhere else. */
  readonly key?: string | undefined;
  /** Attempts at most, the first one counted. Default 3. */
  readonly attempts?: number | undefined;
  /** Wait before the second attempt, doubled each time; a server's Retry-After goes first. Default 500. */
  readonly backOffMs?: number | undefined;
  /** Silence after which the server counts as gone. Default 120,000. */
  readonly silenceMs?: number | undefined;
}

const toolCallSchema = v.object({
  index: v.optional(v.number(), 0),
  id: v.nullish(v.string()),
  function: v.optional(v.object({ name: v.nullish(v.string()), arguments: v.nullish(v.string()) }), {}),
});
const chunkSchema = v.object({
  choices: v.optional(
    v.array(
      v.object({
        delta: v.optional(
          v.object({ content: v.nullish(v.string()), tool_calls: v.nullish(v.array(toolCallSchema)) }),
          {},
        ),
        finish_reason: v.nullish(v.string()),
      }),
    ),
    [],
  ),
  usage: v.nullish(v.object({ prompt_tokens: v.number(), completion_tokens: v.optional(v.number(), 0) })),
});

/** A piece of an answer. */
export type AnswerChunk = v.InferOutput<typeof chunkSchema>;

const maxRetryAfterMs = 30_000;

/**
 * The pieces of the answer to a chat completion request.
 * @throws AgentError `model_unauthorized`, `model_busy`, `model_unreachable`, `model_refused`, `model_invalid`, `cancelled`
 */
export async function* streamCompletion(
  endpoint: ModelEndpoint,
  request: Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
): AsyncGenerator<AnswerChunk> {
  using either = linkedAbort(signal);
  const silenceMs = endpoint.silenceMs ?? 120_000;
  const timer = setTimeout(() => either.abort(), silenceMs);
  let isFinished = false;
  try {
    const response = await send(
      endpoint,
      { ...request, stream: true, stream_options: { include_usage: true } },
      either.signal,
    );
    for await (const text of readEvents(response)) {
      timer.refresh();
      if (text === "[DONE]") return;
      const chunk = parseChunk(text);
      isFinished ||= chunk.choices.some(({ finish_reason: reason }) => typeof reason === "string");
      yield chunk;
    }
  } catch (error) {
    if (signal?.aborted) throw new AgentError("cancelled", "Cancelled; the model was told to stop.");
    if (either.signal.aborted) throw unreachable(`it was silent for ${silenceMs / 1_000} s`, error);
    throw error instanceof AgentError ? error : unreachable("its answer broke off", error);
  } finally {
    clearTimeout(timer);
    either.abort(); // ends the request when the reader leaves early
  }
  if (!isFinished) throw unreachable("its answer broke off");
}

async function send(endpoint: ModelEndpoint, request: object, signal: AbortSignal): Promise<Response> {
  const { attempts = 3, backOffMs = 500 } = endpoint;
  for (let attempt = 1; ; attempt += 1) {
    const sent = await post(endpoint, request, signal);
    if (sent instanceof Response && sent.ok) return sent;
    const failure = sent instanceof Response ? toStatusError(sent.status) : sent;
    if (sent instanceof Response) await sent.body?.cancel();
    signal.throwIfAborted();
    if (!failure.retryable || attempt >= attempts) throw failure;
    const asked = sent instanceof Response ? Number(sent.headers.get("retry-after") ?? Number.NaN) * 1_000 : Number.NaN;
    const waitMs = Number.isFinite(asked) ? Math.min(asked, maxRetryAfterMs) : backOffMs * 2 ** (attempt - 1);
    await sleep(waitMs, undefined, { signal });
  }
}

async function post({ url, key }: ModelEndpoint, request: object, signal: AbortSignal): Promise<Response | AgentError> {
  try {
    return await fetch(`${url.replace(/\/+$/, "")}/chat/completions`, {
      method: "POST",
      redirect: "error", // a redirect would carry the key elsewhere
      headers: {
        "content-type": "application/json",
        accept: "text/event-stream",
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify(request),
      signal,
    });
  } catch (error) {
    return unreachable("no connection", error);
  }
}

/** The data of each server-sent event. @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* readEvents(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let pending = "";
  for await (const bytes of response.body ?? []) {
    pending += decoder.decode(bytes, { stream: true });
    const lines = pending.split(/\r\n|\n/);
    pending = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("data:")) yield line.slice("data:".length).trim();
    }
  }
  if (pending.startsWith("data:")) yield pending.slice("data:".length).trim();
}

function parseChunk(text: string): AnswerChunk {
  try {
    return v.parse(chunkSchema, JSON.parse(text));
  } catch (cause) {
    throw new AgentError("model_invalid", "The model's server answers something that is no chat completion.", {
      hint: "Is its URL that of an OpenAI-compatible API?",
      cause,
    });
  }
}

function unreachable(why: string, cause?: unknown): AgentError {
  const reason =
    cause instanceof Error && cause.cause instanceof Error ? ` (${withoutSecrets(cause.cause.message)})` : "";
  return new AgentError("model_unreachable", `The model's server does not answer: ${why}${reason}.`, {
    hint: "Is it running at DB_AGENT_MODEL_URL?",
    retryable: true,
    cause,
  });
}
