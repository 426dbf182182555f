/**
 * One question to a model, answered by the first of a list that can: streamed, counted, stopped when it goes on for ever.
 * Knows conversations as texts; what they are about is its callers' business.
 */
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { AIMessageChunk } from "@langchain/core/messages";
import type { DynamicStructuredTool } from "@langchain/core/tools";
import { AgentError } from "../errors.js";
import { linkedAbort } from "../linked-abort.js";
import type { Message, ToolCall } from "../message.js";
import type { Emit } from "../run-stream.js";
import { type ModelChoice, modelUnset, type Price } from "./model-choice.js";
import { toModelError } from "./model-errors.js";
import { createSpeech } from "./speech.js";

/** A model of one's own, or the name of one. */
export type ModelSetting = BaseChatModel | ModelChoice;

/** What a model is asked. */
export interface ModelRequest {
  /** What it is to know and do. */
  readonly system: string;
  readonly messages: readonly Pick<Message, "from" | "text" | "calls" | "call">[];
  /** Tools it may call. */
  readonly tools?: readonly DynamicStructuredTool[];
  readonly signal: AbortSignal | undefined;
  readonly emit: Emit;
  /** Whether its words are for the user: they are told as `token` events, and no other model can take over after one. */
  readonly isSpoken?: boolean;
}

/** What it answers. */
export interface ModelReply {
  readonly text: string;
  readonly calls: readonly ToolCall[];
  /** True when its own limit cut the answer: neither a call nor a statement of it may be trusted to be whole. */
  readonly isCut: boolean;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number; readonly cost?: number } | undefined;
}

/** Asks models. */
export interface ModelCaller {
  /** @throws AgentError `model_unset`, before anything is done that would need one */
  assertSet(): void;
  /** @throws AgentError `model_unset`, `model_busy`, `model_invalid` and the others of a model; `cancelled` */
  ask(request: ModelRequest): Promise<ModelReply>;
}

/** More than any answer: a model that goes on is stuck. */
const maxCharacters = 200_000;
const defaultSilenceMs = 120_000;

interface Candidate {
  readonly name: string;
  readonly price: Price | undefined;
  readonly silenceMs: number;
  open(): Promise<BaseChatModel>;
}

/** A caller of these models, in this order, looked for when one is first asked; of none it says what to set. */
export function createModelCaller(choose: () => readonly ModelSetting[]): ModelCaller {
  let chosen: readonly Candidate[] = [];
  function candidates(): readonly Candidate[] {
    if (chosen.length === 0) chosen = choose().map(toCandidate);
    if (chosen.length === 0) throw modelUnset();
    return chosen;
  }
  return {
    assertSet: () => void candidates(),
    async ask(request) {
      const { length } = candidates();
      for (const [index, candidate] of candidates().entries()) {
        const progress = { hasSpoken: false };
        try {
          return await askTwice(candidate, request, progress);
        } catch (error) {
          request.signal?.throwIfAborted();
          const failure = toModelError(error);
          if (progress.hasSpoken || index === length - 1) throw failure;
          request.emit({ type: "error", error: failure.report, willRetry: true });
        }
      }
      throw modelUnset();
    },
  };
}

/** An answer that broke off before anybody heard of it is asked for once more. */
async function askTwice(candidate: Candidate, request: ModelRequest, progress: Progress): Promise<ModelReply> {
  const first = { ...progress, hasBegun: false };
  try {
    return await askOnce(candidate, request, first);
  } catch (error) {
    progress.hasSpoken ||= first.hasSpoken;
    if (!first.hasBegun || first.hasSpoken || request.signal?.aborted || !toModelError(error).retryable) throw error;
    return await askOnce(candidate, request, progress);
  }
}

interface Progress {
  /** Whether anything came back. */
  hasBegun?: boolean;
  /** Whether the user has seen a word of it. */
  hasSpoken: boolean;
}

async function askOnce(candidate: Candidate, request: ModelRequest, progress: Progress): Promise<ModelReply> {
  const { toCalls, toMessages } = await import("./to-langchain.js");
  const { tools = [], emit, signal } = request;
  const model = await candidate.open();
  const runnable = tools.length > 0 && model.bindTools ? model.bindTools([...tools]) : model;
  using either = linkedAbort(signal);
  const timer = setTimeout(() => either.abort(), candidate.silenceMs);
  const speech = createSpeech((text) => {
    if (!request.isSpoken) return;
    progress.hasSpoken = true;
    emit({ type: "token", text });
  });
  let whole: AIMessageChunk | undefined;
  let characters = 0;
  try {
    for await (const piece of await runnable.stream(toMessages(request.system, request.messages), {
      signal: either.signal,
    })) {
      timer.refresh();
      progress.hasBegun = true;
      whole = whole === undefined ? piece : whole.concat(piece);
      characters += piece.text.length;
      if (characters > maxCharacters) throw endless();
      speech.hear(piece.text);
    }
  } catch (error) {
    if (either.signal.aborted && !signal?.aborted) throw silent(candidate.silenceMs);
    throw error;
  } finally {
    clearTimeout(timer);
    either.abort(); // ends the request when the answer was left early
  }
  if (whole === undefined) throw new AgentError("model_invalid", "The model answered nothing at all.");
  const usage = toUsage(whole, candidate.price);
  if (usage !== undefined) emit({ type: "usage", model: candidate.name, ...usage });
  const reason: unknown = whole.response_metadata.finish_reason;
  return { text: speech.end(), calls: toCalls(whole, whole.id ?? "call"), isCut: reason === "length", usage };
}

function toCandidate(setting: ModelSetting): Candidate {
  if ("invoke" in setting) {
    const { model } = setting as { model?: unknown }; // most classes of LangChain have it
    const name = typeof model === "string" ? model : setting._llmType();
    return { name, price: undefined, silenceMs: defaultSilenceMs, open: async () => setting };
  }
  let opened: Promise<BaseChatModel> | undefined;
  return {
    name: setting.name,
    price: setting.price,
    silenceMs: setting.silenceMs ?? defaultSilenceMs,
    open() {
      opened ??= import("./create-model.js").then(({ openModel }) => openModel(setting));
      opened.catch(() => {
        opened = undefined; // a key or a package may be there the next time
      });
      return opened;
    },
  };
}

function toUsage({ usage_metadata: counted }: AIMessageChunk, price: Price | undefined): ModelReply["usage"] {
  if (counted === undefined) return undefined;
  const { input_tokens: inputTokens, output_tokens: outputTokens } = counted;
  if (price === undefined) return { inputTokens, outputTokens };
  return { inputTokens, outputTokens, cost: (inputTokens * price.input + outputTokens * price.output) / 1e6 };
}

const silent = (ms: number): AgentError =>
  new AgentError("model_unreachable", `The model was silent for ${ms / 1_000} s.`, { retryable: true });

const endless = (): AgentError =>
  new AgentError("model_invalid", "The model does not come to an end.", { hint: "Try another model." });
