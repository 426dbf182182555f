/** Conversations as LangChain's messages, and its answers back as texts. The one place where the two meet. */
import {
  AIMessage,
  type AIMessageChunk,
  type BaseMessage,
  HumanMessage,
  SystemMessage,
  ToolMessage,
} from "@langchain/core/messages";
import type { Message, ToolCall } from "../message.js";

/** The system's words, then the conversation. */
export function toMessages(
  system: string,
  messages: readonly Pick<Message, "from" | "text" | "calls" | "call">[],
): BaseMessage[] {
  return [new SystemMessage(system), ...messages.map(toOne)];
}

function toOne({ from, text, calls = [], call }: Pick<Message, "from" | "text" | "calls" | "call">): BaseMessage {
  switch (from) {
    case "human":
      return new HumanMessage(text);
    case "tool":
      return new ToolMessage({ content: text, tool_call_id: call ?? "" });
    case "model":
      return new AIMessage({
        content: text,
        tool_calls: calls.map(({ id, name, args }) => ({ id, name, args: parseArguments(args) ?? {} })),
      });
  }
}

/**
 * The tools an answer wants called, with their arguments as they were written: LangChain would mend JSON that breaks off,
 * and a statement that breaks off is another statement.
 */
export function toCalls(
  { tool_call_chunks: chunks = [], tool_calls: calls = [] }: AIMessageChunk,
  prefix: string,
): ToolCall[] {
  if (chunks.length === 0) {
    return calls.map(({ id, name, args }, at) => ({ id: id ?? `${prefix}-${at}`, name, args: JSON.stringify(args) }));
  }
  return chunks.map(({ id, name, args }, at) => ({ id: id || `${prefix}-${at}`, name: name ?? "", args: args ?? "" }));
}

/** An object of arguments, or undefined for anything else. */
export function parseArguments(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined; // any JSON object is one
  } catch {
    return undefined;
  }
}
