/** What a run came to, put together from the workflow's state: for the faces to render and for programs to read. */
import type { ErrorReport } from "./error-report.js";
import { parseChecks, type SourceCheck } from "./graphs/verify.js";
import type { Answered, WorkflowState } from "./graphs/workflow-state.js";
import { parseQueryReply, type QueryResult } from "./result.js";

/** A connection in the report. */
export type ConnectionReport = { readonly name: string } & (
  | { readonly state: "up"; readonly check: SourceCheck }
  | { readonly state: "down"; readonly error: ErrorReport }
);

/** What was looked up: objects as a result, a table as text. */
export interface InspectionReport {
  readonly connection: string;
  /** `objects`, or the name of a table. */
  readonly subject: string;
  readonly objects?: QueryResult;
  readonly description?: string;
  readonly error?: ErrorReport;
}

/** A statement and what it came to. */
export interface StatementReport {
  readonly name: string;
  readonly connection: string;
  readonly sql: string;
  readonly status: "ok" | "failed" | "skipped";
  readonly result?: QueryResult;
  readonly error?: ErrorReport;
  readonly ms: number;
}

/** A question and what it came to. */
export interface QuestionReport {
  readonly name: string;
  readonly text: string;
  /** `waiting`: a human is asked something in its session. */
  readonly status: "answered" | "waiting" | "failed" | "skipped";
  /** The reference id it was asked under. */
  readonly session?: string;
  readonly connection?: string;
  /** The statement its answer stands on, and its rows. */
  readonly sql?: string;
  readonly result?: QueryResult;
  readonly answer?: string;
  /** What to mind: assumptions, limits, emptiness. */
  readonly caveats: readonly string[];
  readonly error?: ErrorReport;
  readonly ms: number;
}

/** A run and everything it found. */
export interface Report {
  readonly title: string;
  /** The reference id of the run's session. */
  readonly session: string;
  /** True when every connection is up and nothing has failed or was skipped; a question may still wait for a human. */
  readonly ok: boolean;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly connections: readonly ConnectionReport[];
  readonly inspections: readonly InspectionReport[];
  readonly statements: readonly StatementReport[];
  readonly questions: readonly QuestionReport[];
}

/** The report of a run, also of one that is not over yet. */
export function toReport(session: string, state: WorkflowState): Report {
  const connections = state.connections.map((name) => toConnection(name, state));
  const inspections = state.inspections.map(toInspection);
  const statements = state.statements.map((_, index) => toStatement(state, index));
  const questions = state.answers.map(toQuestion);
  return {
    title: state.title,
    session,
    ok:
      connections.every((connection) => connection.state === "up") &&
      inspections.every(({ error }) => error === undefined) &&
      statements.every(({ status }) => status === "ok") &&
      questions.every(({ status }) => status === "answered" || status === "waiting"),
    startedAt: state.startedAt,
    finishedAt: state.finishedAt ?? null,
    connections,
    inspections,
    statements,
    questions,
  };
}

function toConnection(name: string, state: WorkflowState): ConnectionReport {
  const check = state.checks.find(({ connection }) => connection === name);
  if (check?.reply !== undefined) {
    const checks = parseChecks(check.reply);
    const found = checks.find(({ source }) => source === name) ?? checks[0];
    if (found !== undefined) return { name, state: "up", check: found };
  }
  const error = check?.error ?? state.failure ?? { code: "skipped", message: "It was not checked.", retryable: false };
  return { name, state: "down", error };
}

function toInspection({ connection, subject, reply, error }: WorkflowState["inspections"][number]): InspectionReport {
  if (reply === undefined) return { connection, subject, ...(error === undefined ? {} : { error }) };
  return {
    connection,
    subject,
    ...(subject === "objects" ? { objects: parseQueryReply(reply) } : { description: reply }),
  };
}

function toStatement(state: WorkflowState, index: number): StatementReport {
  const statement = state.statements[index];
  const result = state.results.find((one) => one.index === index);
  const { name = "", source: connection = "", sql = "" } = statement ?? {};
  if (result?.reply !== undefined) {
    return { name, connection, sql, status: "ok", result: parseQueryReply(result.reply), ms: result.ms };
  }
  const status = result === undefined || result.skipped ? "skipped" : "failed";
  return {
    name,
    connection,
    sql,
    status,
    ms: result?.ms ?? 0,
    ...(result?.error === undefined ? {} : { error: result.error }),
  };
}

function toQuestion({ session, connection, sql, result, answer, error, ...rest }: Answered): QuestionReport {
  return {
    ...rest,
    ...(session === undefined ? {} : { session }),
    ...(connection === undefined ? {} : { connection }),
    ...(sql === undefined ? {} : { sql }),
    ...(result === undefined ? {} : { result: JSON.parse(result) as QueryResult }), // written from one
    ...(answer === undefined ? {} : { answer }),
    ...(error === undefined ? {} : { error }),
  };
}
