/**
 * Everything the agent tells while it works, as one typed stream: the terminal, JSON lines and programs render the same
 * events. Only shapes; no event ever carries a credential.
 */
import * as v from "valibot";
import { approvalSchema } from "./approval.js";
import { errorReportSchema } from "./error-report.js";

/** Tokens in and out, and what they cost where a price is configured. */
export const usageSchema = v.object({
  inputTokens: v.number(),
  outputTokens: v.number(),
  /** In the currency of the configured prices; absent where there is no price. */
  cost: v.optional(v.number()),
});
/** Tokens in and out, and what they cost where a price is configured. */
export type Usage = v.InferOutput<typeof usageSchema>;

const cellSchema = v.union([v.string(), v.number(), v.boolean(), v.null()]);

/** States of a connection, in the order it may go through them. */
export const connectionStateSchema = v.picklist(["connecting", "verifying", "up", "down", "inspecting", "inspected"]);

/** A connection changed its state. */
export const statusEventSchema = v.object({
  type: v.literal("status"),
  connection: v.string(),
  state: connectionStateSchema,
  /** One sentence for people: the server and its version, what was found. */
  message: v.optional(v.string()),
});

/** A statement is about to run. */
export const sqlEventSchema = v.object({
  type: v.literal("sql"),
  statement: v.string(),
  connection: v.string(),
  sql: v.string(),
});

/** A statement is still running. */
export const progressEventSchema = v.object({
  type: v.literal("progress"),
  statement: v.string(),
  progress: v.number(),
  total: v.optional(v.number()),
  message: v.optional(v.string()),
});

/** A statement's rows; cells as {@link "./result.js".Cell} describes them. */
export const rowsEventSchema = v.object({
  type: v.literal("rows"),
  statement: v.string(),
  connection: v.string(),
  columns: v.array(v.string()),
  types: v.array(v.string()),
  rows: v.array(v.array(cellSchema)),
  rowCount: v.number(),
  truncated: v.boolean(),
  hint: v.optional(v.string()),
  /** Milliseconds from sending the statement to its reply. */
  ms: v.number(),
});

/** A connection or a statement failed, or (neither named) the run as a whole. */
export const errorEventSchema = v.object({
  type: v.literal("error"),
  connection: v.optional(v.string()),
  statement: v.optional(v.string()),
  error: errorReportSchema,
  /** True while it is tried again. Default false. */
  willRetry: v.optional(v.boolean(), false),
});

/** A human is asked something: the run stops here, and goes on in whichever process answers. */
export const approvalRequiredEventSchema = v.object({
  type: v.literal("approval_required"),
  ...approvalSchema.entries,
});

/** A piece of the answer, as the model says it. */
export const tokenEventSchema = v.object({ type: v.literal("token"), text: v.string() });

/** What one call of a model took. */
export const usageEventSchema = v.object({ type: v.literal("usage"), model: v.string(), ...usageSchema.entries });

/** The run is over, or waits for a human. */
export const doneEventSchema = v.object({
  type: v.literal("done"),
  /** The reference id under which the run's state is kept. */
  session: v.string(),
  /** True when nothing failed; true as well while it waits. */
  ok: v.boolean(),
  /** True when it stopped at an `approval_required` and goes on with its answer. */
  waiting: v.optional(v.boolean(), false),
  connections: v.optional(v.object({ up: v.number(), down: v.number() })),
  statements: v.optional(v.object({ ok: v.number(), failed: v.number(), skipped: v.number() })),
  /** Of a task; absent where it asks none. */
  questions: v.optional(
    v.object({ answered: v.number(), waiting: v.number(), failed: v.number(), skipped: v.number() }),
  ),
  /** The whole answer, for a question. */
  answer: v.optional(v.string()),
  /** All calls of models together; absent where none was made. */
  usage: v.optional(usageSchema),
  ms: v.number(),
});

/** Any event of the stream. */
export const eventSchema = v.variant("type", [
  statusEventSchema,
  sqlEventSchema,
  progressEventSchema,
  rowsEventSchema,
  approvalRequiredEventSchema,
  tokenEventSchema,
  usageEventSchema,
  errorEventSchema,
  doneEventSchema,
]);

/** Any event of the stream. */
export type AgentEvent = v.InferOutput<typeof eventSchema>;
