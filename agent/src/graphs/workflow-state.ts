/**
 * What the workflow knows and checkpoints: names, states and the servers' replies as text. No credential is ever in it,
 * and no row as an object: a reply stays the string it came as.
 */
import { ReducedValue, StateSchema } from "@langchain/langgraph";
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { errorReportSchema } from "../error-report.js";

const inspectSchema = v.object({
  pattern: v.optional(v.string()),
  kind: v.optional(v.string()),
  schema: v.optional(v.string()),
  detail: v.optional(v.string()),
  tables: v.optional(v.array(v.string())),
});

const statementSchema = v.object({
  name: v.string(),
  sql: v.string(),
  /** The parameters as JSON text. */
  params: v.optional(v.string()),
  source: v.string(),
  maxRows: v.optional(v.number()),
});

const checkSchema = v.object({
  connection: v.string(),
  /** The reply of `check_connection` when it is up. */
  reply: v.optional(v.string()),
  error: v.optional(errorReportSchema),
});

const inspectionSchema = v.object({
  connection: v.string(),
  /** What was looked up: `objects`, or a table's name. */
  subject: v.string(),
  reply: v.optional(v.string()),
  error: v.optional(errorReportSchema),
});

const resultSchema = v.object({
  /** Which of the task's statements, from 0. */
  index: v.number(),
  /** The reply of `query`; absent for a statement that failed or did not run. */
  reply: v.optional(v.string()),
  error: v.optional(errorReportSchema),
  /** True for a statement that was not run because of another failure. */
  skipped: v.optional(v.boolean(), false),
  ms: v.number(),
});

const answeredSchema = v.object({
  name: v.string(),
  text: v.string(),
  status: v.picklist(["answered", "waiting", "failed", "skipped"]),
  /** The session it was asked in; absent for one that was not. */
  session: v.optional(v.string()),
  connection: v.optional(v.string()),
  sql: v.optional(v.string()),
  /** The rows its answer stands on, as JSON text. */
  result: v.optional(v.string()),
  answer: v.optional(v.string()),
  caveats: v.array(v.string()),
  error: v.optional(errorReportSchema),
  ms: v.number(),
});
/** What a question of a task came to. */
export type Answered = v.InferOutput<typeof answeredSchema>;

/** What was looked up in a catalogue. */
export type Inspection = v.InferOutput<typeof inspectionSchema>;
/** What a statement came to; several at the same time end in any order. */
export type StatementResult = v.InferOutput<typeof resultSchema>;

/** A list that grows by what is added; adding nothing starts it anew, as a second run on the same session does. */
const listOf = <Schema extends v.GenericSchema>(item: Schema) =>
  new ReducedValue(toStandardJsonSchema(v.optional(v.array(item), [])), {
    inputSchema: toStandardJsonSchema(v.array(item)),
    reducer: (current: v.InferOutput<Schema>[], added: v.InferOutput<Schema>[]) =>
      added.length === 0 ? [] : [...current, ...added],
  });

/** The workflow's part of a session's state. */
export const workflowFields = {
  title: toStandardJsonSchema(v.string()),
  connections: toStandardJsonSchema(v.array(v.string())),
  /** What to look up; null for nothing. */
  lookUp: toStandardJsonSchema(v.nullable(inspectSchema)),
  statements: toStandardJsonSchema(v.array(statementSchema)),
  /** Statements at the same time. */
  parallel: toStandardJsonSchema(v.optional(v.number(), 1)),
  stopsOnError: toStandardJsonSchema(v.boolean()),
  startedAt: toStandardJsonSchema(v.string()),
  /** Why nothing could be done at all. */
  failure: toStandardJsonSchema(v.optional(v.nullable(errorReportSchema), null)),
  checks: listOf(checkSchema),
  inspections: listOf(inspectionSchema),
  results: listOf(resultSchema),
  /** The task's questions and what they came to, in its order. */
  answers: toStandardJsonSchema(v.optional(v.array(answeredSchema), [])),
  finishedAt: toStandardJsonSchema(v.optional(v.nullable(v.string()), null)),
};

/** The workflow's state. */
export const workflowState = new StateSchema(workflowFields);

/** The workflow's state. */
export type WorkflowState = typeof workflowState.State;
