/**
 * A message of a conversation, as sessions keep it: texts only, calls of tools with their arguments as JSON text, so that
 * nothing a model or a database wrote comes back from a checkpoint as an object.
 */
import * as v from "valibot";

/** A tool the model wants called. */
export const toolCallSchema = v.object({
  id: v.string(),
  name: v.string(),
  /** As the model wrote them; JSON, as a rule. */
  args: v.string(),
});
/** A tool the model wants called. */
export type ToolCall = v.InferOutput<typeof toolCallSchema>;

/** One message. */
export const messageSchema = v.object({
  id: v.string(),
  from: v.picklist(["human", "model", "tool"]),
  text: v.string(),
  /** What the model asked for. */
  calls: v.optional(v.array(toolCallSchema)),
  /** The call this answers. */
  call: v.optional(v.string()),
  /** When it was said, as an ISO date. */
  at: v.string(),
});
/** One message. */
export type Message = v.InferOutput<typeof messageSchema>;
