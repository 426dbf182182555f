/**
 * What is sent and answered over REST, where the core has types alone: each schema is held to the core's type by the
 * compiler, so that neither drifts.
 */
import * as v from "valibot";
import type { Answer, SessionEntry, SessionView } from "../../answer.js";
import { approvalSchema } from "../../approval.js";
import { errorReportSchema } from "../../error-report.js";
import { usageSchema } from "../../events.js";
import { sourceCheckSchema } from "../../graphs/verify.js";
import { messageSchema } from "../../message.js";
import type { ConnectionReport, InspectionReport, Report } from "../../report.js";
import type { QueryResult } from "../../result.js";

/** Names of databases. */
export const nameSchema = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/));
/** A reference id. */
export const referenceSchema = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,100}$/));
/** A statement. */
export const sqlSchema = v.pipe(v.string(), v.nonEmpty(), v.maxLength(100_000));
/** A statement's values, in order. */
export const paramsSchema = v.pipe(v.array(v.unknown()), v.maxLength(10_000));
/** Rows at most; the server's own limit holds as well. */
export const maxRowsSchema = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000));
/** A table, perhaps with its schema. */
export const tableSchema = v.pipe(v.string(), v.nonEmpty(), v.maxLength(400));
/** Words. */
export const wordsSchema = v.pipe(v.string(), v.nonEmpty(), v.maxLength(100_000));

/** A path with a session. */
export const sessionParameters = v.strictObject({ session: referenceSchema });

type Shape<Type> = v.GenericSchema<unknown, Type>;

const cellSchema = v.union([v.string(), v.number(), v.boolean(), v.null()]);

export const resultSchema: Shape<QueryResult> = v.object({
  columns: v.array(v.string()),
  types: v.array(v.string()),
  rows: v.array(v.array(cellSchema)),
  rowCount: v.number(),
  truncated: v.boolean(),
  nextCursor: v.exactOptional(v.string()),
  hint: v.exactOptional(v.string()),
});

const connectionSchema: Shape<ConnectionReport> = v.variant("state", [
  v.object({ name: v.string(), state: v.literal("up"), check: sourceCheckSchema }),
  v.object({ name: v.string(), state: v.literal("down"), error: errorReportSchema }),
]);
export const connectionsSchema: Shape<readonly ConnectionReport[]> = v.array(connectionSchema);

export const inspectionSchema: Shape<InspectionReport> = v.object({
  connection: v.string(),
  subject: v.string(),
  objects: v.exactOptional(resultSchema),
  description: v.exactOptional(v.string()),
  error: v.exactOptional(errorReportSchema),
});

export const reportSchema: Shape<Report> = v.object({
  title: v.string(),
  session: v.string(),
  ok: v.boolean(),
  startedAt: v.string(),
  finishedAt: v.nullable(v.string()),
  connections: connectionsSchema,
  inspections: v.array(inspectionSchema),
  statements: v.array(
    v.object({
      name: v.string(),
      connection: v.string(),
      sql: v.string(),
      status: v.picklist(["ok", "failed", "skipped"]),
      result: v.exactOptional(resultSchema),
      error: v.exactOptional(errorReportSchema),
      ms: v.number(),
    }),
  ),
  questions: v.array(
    v.object({
      name: v.string(),
      text: v.string(),
      status: v.picklist(["answered", "waiting", "failed", "skipped"]),
      session: v.exactOptional(v.string()),
      connection: v.exactOptional(v.string()),
      sql: v.exactOptional(v.string()),
      result: v.exactOptional(resultSchema),
      answer: v.exactOptional(v.string()),
      caveats: v.array(v.string()),
      error: v.exactOptional(errorReportSchema),
      ms: v.number(),
    }),
  ),
});

export const answerSchema: Shape<Answer> = v.object({
  session: v.string(),
  status: v.picklist(["answered", "waiting", "failed"]),
  text: v.string(),
  sql: v.exactOptional(v.string()),
  connection: v.exactOptional(v.string()),
  result: v.exactOptional(resultSchema),
  caveats: v.array(v.string()),
  writes: v.array(
    v.object({
      connection: v.string(),
      sql: v.string(),
      status: v.picklist(["done", "rejected", "failed", "unknown"]),
      reply: v.exactOptional(v.string()),
      error: v.exactOptional(errorReportSchema),
    }),
  ),
  approvals: v.array(approvalSchema),
  usage: v.exactOptional(usageSchema),
  error: v.exactOptional(errorReportSchema),
});

export const sessionEntriesSchema: Shape<readonly SessionEntry[]> = v.array(
  v.object({ session: v.string(), updatedAt: v.string() }),
);

export const sessionViewSchema: Shape<SessionView> = v.object({
  session: v.string(),
  createdAt: v.exactOptional(v.string()),
  updatedAt: v.exactOptional(v.string()),
  owner: v.exactOptional(v.string()),
  approvals: v.array(approvalSchema),
  isCutOff: v.boolean(),
  messages: v.array(messageSchema),
  report: v.exactOptional(reportSchema),
});
