/** An OpenAI-compatible server as a LangChain chat model: messages and tools out, tokens, tool calls and usage in. */
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import {
  BaseChatModel,
  type BaseChatModelCallOptions,
  type BindToolsInput,
} from "@langchain/core/language_models/chat_models";
import {
  AIMessage,
  AIMessageChunk,
  type AIMessageChunkFields,
  type BaseMessage,
  ToolMessage,
} from "@langchain/core/messages";
import type { ToolCallChunk } from "@langchain/core/messages/tool";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";
import type { Runnable } from "@langchain/core/runnables";
import { convertToOpenAITool } from "@langchain/core/utils/function_calling";
import { AgentError } from "../errors.js";
import { type AnswerChunk, type ModelEndpoint, streamCompletion } from "./wire.js";

/** What a call takes besides its messages. */
export interface ChatCallOptions extends BaseChatModelCallOptions {
  /** Tools in the wire's own form, as `bindTools` makes them. */
  readonly tools?: readonly object[];
}

/** The model of this name behind an endpoint. Keeps its key to itself: not even a dump of the object shows it. */
export class OpenAiCompatibleModel extends BaseChatModel<ChatCallOptions> {
  readonly model: string;
  readonly #endpoint: ModelEndpoint;

  constructor(model: string, endpoint: ModelEndpoint) {
    super({ maxRetries: 0 }); // the wire tries again by itself
    this.model = model;
    this.#endpoint = Object.freeze({ ...endpoint });
  }

  override _llmType(): string {
    return "openai-compatible";
  }

  override bindTools(
    tools: BindToolsInput[],
    options: Partial<ChatCallOptions> = {},
  ): Runnable<BaseLanguageModelInput, AIMessageChunk, ChatCallOptions> {
    const converted = tools.map((tool) => convertToOpenAITool(tool));
    return this.withConfig({ ...options, tools: converted });
  }

  override async _generate(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    run?: CallbackManagerForLLMRun,
  ): Promise<ChatResult> {
    let whole: ChatGenerationChunk | undefined;
    for await (const chunk of this._streamResponseChunks(messages, options, run)) {
      whole = whole === undefined ? chunk : whole.concat(chunk);
    }
    if (whole === undefined) throw new AgentError("model_invalid", "The model answered nothing at all.");
    return { generations: [whole] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    run?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const { tools = [], stop } = options;
    const request = {
      model: this.model,
      messages: messages.map(toWire),
      temperature: 0,
      ...(tools.length === 0 ? {} : { tools }),
      ...(stop === undefined ? {} : { stop }),
    };
    for await (const chunk of streamCompletion(this.#endpoint, request, options.signal)) {
      const generation = toGeneration(chunk);
      yield generation;
      if (generation.text !== "") await run?.handleLLMNewToken(generation.text);
    }
  }
}

function toGeneration({ choices: [choice], usage }: AnswerChunk): ChatGenerationChunk {
  const text = choice?.delta.content ?? "";
  const calls = choice?.delta.tool_calls ?? [];
  const chunks = calls.map(({ index, id, function: { name, arguments: args } }): ToolCallChunk => {
    const named = { ...(id ? { id } : {}), ...(name ? { name } : {}) };
    return { type: "tool_call_chunk", index, args: args ?? "", ...named };
  });
  const fields: AIMessageChunkFields = { content: text, tool_call_chunks: chunks };
  const message = new AIMessageChunk(fields);
  if (usage) Object.assign(message, { usage_metadata: toUsage(usage) }); // typed as undefined under exactOptionalPropertyTypes
  if (choice?.finish_reason) message.response_metadata = { finish_reason: choice.finish_reason };
  return new ChatGenerationChunk({ text, message });
}

const toUsage = ({ prompt_tokens: input, completion_tokens: output }: NonNullable<AnswerChunk["usage"]>) => ({
  input_tokens: input,
  output_tokens: output,
  total_tokens: input + output,
});

const roles: Readonly<Record<string, string>> = { human: "user", ai: "assistant", system: "system", tool: "tool" };

function toWire(message: BaseMessage): object {
  const role = roles[message.getType()] ?? "user";
  const content = message.text;
  if (ToolMessage.isInstance(message)) return { role, content, tool_call_id: message.tool_call_id };
  const calls = AIMessage.isInstance(message) ? (message.tool_calls ?? []) : [];
  if (calls.length === 0) return { role, content };
  return {
    role,
    content: content === "" ? null : content,
    tool_calls: calls.map(({ id, name, args }) => ({
      id,
      type: "function",
      function: { name, arguments: JSON.stringify(args) },
    })),
  };
}
