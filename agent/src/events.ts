/**
 * Everything the agent tells while it works, as one typed stream: the terminal, JSON lines and programs render the same
 * events. Only shapes; no event ever carries a credential.
 */
import * as v from "valibot";
import { errorReportSchema } from "./errors.js";

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

/** The run is over. */
export const doneEventSchema = v.object({
  type: v.literal("done"),
  /** The reference id under which the run's state is kept. */
  session: v.string(),
  ok: v.boolean(),
  connections: v.object({ up: v.number(), down: v.number() }),
  statements: v.object({ ok: v.number(), failed: v.number(), skipped: v.number() }),
  ms: v.number(),
});

/** Any event of the stream. */
export const eventSchema = v.variant("type", [
  statusEventSchema,
  sqlEventSchema,
  progressEventSchema,
  rowsEventSchema,
  errorEventSchema,
  doneEventSchema,
]);

/** Any event of the stream. */
export type AgentEvent = v.InferOutput<typeof eventSchema>;
