/**
 * What a human is asked and may answer: one schema each for the question that stops a run, and for the answer that lets
 * it go on, perhaps in another process. Values only; who asks, waits and runs stands elsewhere.
 */
import * as v from "valibot";
import { errorReportSchema } from "./error-report.js";

/** What a write would do, found by running and rolling it back. */
const dryRunSchema = v.object({
  /** The server's reply as it came: rows affected, targets, warnings, rows before and after. JSON text. */
  reply: v.optional(v.string()),
  /** Why there is none. */
  error: v.optional(errorReportSchema),
});

/** A question to a human. */
export const approvalSchema = v.object({
  /** Names this question; answers carry it. */
  approval: v.string(),
  session: v.string(),
  /** `write`: may this run? `question`: what was meant? */
  kind: v.picklist(["write", "question"]),
  /** One sentence for people. */
  message: v.string(),
  /** The tool that would be called. */
  tool: v.optional(v.string()),
  connection: v.optional(v.string()),
  sql: v.optional(v.string()),
  /** The statement's parameters, or for another tool its arguments, as JSON text. */
  params: v.optional(v.string()),
  dryRun: v.optional(dryRunSchema),
  /** The server wants a code besides, which its operator reads in its log. */
  needsCode: v.optional(v.boolean()),
  /** Afterwards it can only be rejected. An ISO date. */
  expiresAt: v.optional(v.string()),
  /** Answers to choose from; another is welcome. */
  choices: v.optional(v.array(v.string())),
});
/** A question to a human. */
export type Approval = v.InferOutput<typeof approvalSchema>;

/** What a human answers. */
export const decisionSchema = v.variant("type", [
  v.strictObject({
    type: v.literal("approve"),
    /** The one-time code, where the server wants one. */
    code: v.optional(v.string()),
  }),
  v.strictObject({
    type: v.literal("edit"),
    /** Runs instead. */
    sql: v.string(),
    params: v.optional(v.array(v.unknown())),
    code: v.optional(v.string()),
  }),
  v.strictObject({
    type: v.literal("reject"),
    /** Told to the model. */
    reason: v.optional(v.string()),
  }),
  v.strictObject({ type: v.literal("reply"), text: v.pipe(v.string(), v.nonEmpty()) }),
]);
/** What a human answers: yes, yes to another statement, no, or words to a question. */
export type Decision = v.InferOutput<typeof decisionSchema>;
