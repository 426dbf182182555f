/** What a run came to, put together from the workflow's state: for the faces to render and for programs to read. */
import type { ErrorReport } from "./errors.js";
import { parseChecks, type SourceCheck } from "./graphs/verify.js";
import type { WorkflowState } from "./graphs/workflow-state.js";
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

/** A run and everything it found. */
export interface Report {
  readonly title: string;
  /** The reference id of the run's session. */
  readonly session: string;
  /** True when every connection is up and every inspection and statement succeeded. */
  readonly ok: boolean;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly connections: readonly ConnectionReport[];
  readonly inspections: readonly InspectionReport[];
  readonly statements: readonly StatementReport[];
}

/** The report of a run, also of one that is not over yet. */
export function toReport(session: string, state: WorkflowState): Report {
  const connections = state.connections.map((name) => toConnection(name, state));
  const inspections = state.inspections.map(toInspection);
  const statements = state.statements.map((_, index) => toStatement(state, index));
  return {
    title: state.title,
    session,
    ok:
      connections.every((connection) => connection.state === "up") &&
      inspections.every(({ error }) => error === undefined) &&
      statements.every(({ status }) => status === "ok"),
    startedAt: state.startedAt,
    finishedAt: state.finishedAt ?? null,
    connections,
    inspections,
    statements,
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
  const result = state.results[index];
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
