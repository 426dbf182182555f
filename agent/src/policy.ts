/** How far the agent goes by itself: bounds of models and tools, and what a model gets to see. One table of defaults. */
import * as v from "valibot";
import { AgentError } from "./errors.js";

const count = v.pipe(v.number(), v.integer(), v.minValue(1));

const policySchema = v.strictObject({
  /** Statements a model may draft for one question; a wrong one is repaired with the database's own words. */
  maxDrafts: v.optional(count, 3),
  /** Calls of a model for one message of a chat. */
  maxModelCalls: v.optional(count, 12),
  /** Calls of tools for one message of a chat. */
  maxToolCalls: v.optional(count, 24),
  /** Rows read for an answer. */
  maxRows: v.optional(count, 200),
  /** Tokens of schema in a prompt. */
  schemaTokens: v.optional(count, 6_000),
  /** Tokens of one result in a prompt. */
  resultTokens: v.optional(count, 3_000),
  /** Tokens of conversation in a prompt; what is older is summed up. */
  contextTokens: v.optional(count, 12_000),
  /** Whether values of category-like columns are read for prompts. */
  samples: v.optional(v.boolean(), true),
  /** `private`: a model never sees a row; its statement is the answer. */
  rows: v.optional(v.picklist(["shown", "private"]), "shown"),
  /** Whether answers are put into words; without, their rows are the answer. */
  words: v.optional(v.boolean(), true),
  /** `refuse`: no write is ever put to a human. */
  writes: v.optional(v.picklist(["ask", "refuse"]), "ask"),
  /** How long a human may take to allow a write. Default a day. */
  approvalMs: v.optional(count, 86_400_000),
});

/** Bounds, as given: what is left out has its default. */
export type PolicyInput = v.InferInput<typeof policySchema>;
/** Bounds. */
export type Policy = Readonly<v.InferOutput<typeof policySchema>>;

/** @throws AgentError `config_invalid` naming the key */
export function parsePolicy(input: PolicyInput): Policy {
  const parsed = v.safeParse(policySchema, input);
  if (parsed.success) return Object.freeze(parsed.output);
  const [issue] = parsed.issues;
  throw new AgentError("config_invalid", `policy.${v.getDotPath(issue) ?? ""}: ${issue.message}`, {
    hint: `The keys are ${Object.keys(policySchema.entries).join(", ")}.`,
  });
}
