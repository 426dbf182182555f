/**
 * The deterministic workflow, no model in it: connect → verify → (up? inspect → query) → report, with a branch for when
 * nothing is up. Nodes only call tools and keep replies; rendering and the meaning of rows are other rooms' business.
 */
import { Send } from "@langchain/langgraph";
import type { ErrorReport } from "../error-report.js";
import { AgentError, toErrorReport } from "../errors.js";
import { parseQueryReply } from "../result.js";
import { toRows } from "../rows.js";
import { type Config, emit, type Ports, signalOf } from "./ports.js";
import { describeCheck, unreachable } from "./verify.js";
import type { Inspection, StatementResult, WorkflowState, workflowState } from "./workflow-state.js";

const maxAttempts = 3;
/** For the nodes that connect, verify and query. */
export const retryPolicy = {
  maxAttempts,
  initialInterval: 250,
  backoffFactor: 3,
  jitter: false,
  logWarning: false, // it would write to stdout
  retryOn: (error: unknown) => error instanceof AgentError && error.retryable,
};

type Update = Partial<typeof workflowState.Update>;
type LoadTools = Ports["loadTools"];

/** Steps a task may take: two for each statement, a few around them, and retries are no steps. */
export const recursionLimitOf = (statements: number): number => 2 * statements + 12;

/** A statement that is due. */
export interface Due {
  readonly index: number;
  readonly statement: WorkflowState["statements"][number];
  /** Why it is not to run. */
  readonly why?: string;
}

export async function connect(state: WorkflowState, config: Config, loadTools: LoadTools): Promise<Update> {
  for (const connection of state.connections) emit(config, { type: "status", connection, state: "connecting" });
  const loaded = await attempt(config, {}, loadTools);
  return "error" in loaded ? { failure: loaded.error } : {};
}

/** One connection of those the task names; several are verified at the same time. */
export async function verify(state: WorkflowState, config: Config, loadTools: LoadTools): Promise<Update> {
  const connection = state.connections[0] ?? "";
  emit(config, { type: "status", connection, state: "verifying" });
  const checked = await attempt(config, { connection }, async () => {
    const toolbox = await loadTools();
    const text = await toolbox.call("check_connection", { source: connection }, signalOf(config));
    const error = unreachable(text, connection);
    if (error !== undefined) throw error;
    return text;
  });
  if ("error" in checked) {
    emit(config, { type: "status", connection, state: "down" });
    return { checks: [{ connection, error: checked.error }] };
  }
  emit(config, { type: "status", connection, state: "up", message: describeCheck(checked.value) });
  return { checks: [{ connection, reply: checked.value }] };
}

export function fanOut(state: WorkflowState): Send[] | "fail" {
  if (state.failure !== null || state.connections.length === 0) return "fail";
  return state.connections.map((connection) => new Send("verify", { connections: [connection] }));
}

export function afterVerify(state: WorkflowState): Send[] | "inspect" | "fail" | "report" {
  const down = state.checks.filter(({ error }) => error !== undefined).length;
  if (down === state.checks.length || (down > 0 && state.stopsOnError)) return "fail";
  return state.lookUp === null ? nextStatements(state) : "inspect";
}

/**
 * One after the other, so that each result is a checkpoint; several at a time, all at once where none depends on another's
 * success (the run bounds how many work), else in groups.
 */
export function nextStatements(state: WorkflowState): Send[] | "report" {
  const { statements, results, parallel, stopsOnError } = state;
  const first = results.length;
  if (first >= statements.length) return "report";
  const size = parallel > 1 && !stopsOnError ? statements.length : parallel;
  return statements.slice(first, first + size).map((statement, offset) => {
    const why = whyNotToRun(state, statement.source);
    return new Send("query", {
      index: first + offset,
      statement,
      ...(why === undefined ? {} : { why }),
    } satisfies Due);
  });
}

/** Looks up what the task asks for on every connection that is up; a failure here is told and harms nothing else. */
export async function inspect(state: WorkflowState, config: Config, loadTools: LoadTools): Promise<Update> {
  const { tables = [], ...search } = state.lookUp ?? {};
  const asksForObjects = tables.length === 0 || Object.keys(search).length > 0;
  const toolbox = await loadTools();

  async function lookUp(connection: string, subject: string, tool: string, args: object): Promise<Inspection> {
    try {
      const reply = await toolbox.call(tool, { ...args, source: connection }, signalOf(config));
      return { connection, subject, reply };
    } catch (thrown) {
      signalOf(config).signal?.throwIfAborted();
      const error = toErrorReport(thrown);
      emit(config, { type: "error", connection, error, willRetry: false });
      return { connection, subject, error };
    }
  }

  const inspections = state.checks
    .filter(({ error }) => error === undefined)
    .map(async ({ connection }) => {
      emit(config, { type: "status", connection, state: "inspecting" });
      const found = await Promise.all([
        ...(asksForObjects ? [lookUp(connection, "objects", "search_objects", { kind: "table", ...search })] : []),
        ...tables.map((table) => lookUp(connection, table, "describe_table", { table })),
      ]);
      emit(config, { type: "status", connection, state: "inspected" });
      return found;
    });
  return { inspections: (await Promise.all(inspections)).flat() };
}

/** Runs a statement. */
export async function query({ index, statement, why }: Due, config: Config, loadTools: LoadTools): Promise<Update> {
  const { name, sql, source } = statement;
  if (why !== undefined) return { results: [skipped(index, why)] };

  emit(config, { type: "sql", statement: name, connection: source, sql });
  const startedAt = performance.now();
  const answered = await attempt(config, { connection: source, statement: name }, async () => {
    const toolbox = await loadTools();
    const params: unknown = statement.params === undefined ? undefined : JSON.parse(statement.params);
    const text = await toolbox.call(
      "query",
      { sql, params, max_rows: statement.maxRows, source },
      {
        ...signalOf(config),
        onProgress: (progress) => emit(config, { type: "progress", statement: name, ...progress }),
      },
    );
    return { text, result: parseQueryReply(text) };
  });
  const ms = Math.round(performance.now() - startedAt);
  if ("error" in answered) return { results: [{ index, error: answered.error, skipped: false, ms }] };
  const { text: reply, result } = answered.value;
  emit(config, { ...toRows(result), type: "rows", statement: name, connection: source, ms });
  return { results: [{ index, reply, skipped: false, ms }] };
}

function whyNotToRun(state: WorkflowState, source: string): string | undefined {
  const check = state.checks.find(({ connection }) => connection === source);
  if (check === undefined || check.error !== undefined) return `${source} is down.`;
  if (state.stopsOnError && state.results.some(({ error }) => error !== undefined))
    return "An earlier statement failed.";
  return undefined;
}

/** The branch for when nothing is up: no statement runs, the report says why. */
export function fail(state: WorkflowState): Update {
  const results = state.statements.map((_, index) => skipped(index, "Nothing ran: a connection is down."));
  return results.length === 0 ? {} : { results };
}

const skipped = (index: number, message: string): StatementResult => ({
  index,
  error: { code: "skipped", message, retryable: false },
  skipped: true,
  ms: 0,
});

/**
 * One attempt of a node. A failure worth another attempt is thrown, for the retry policy; the last one becomes a value,
 * for the state and its branches.
 */
async function attempt<T>(
  config: Config,
  of: { connection?: string; statement?: string },
  run: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly error: ErrorReport }> {
  try {
    return { value: await run() };
  } catch (thrown) {
    signalOf(config).signal?.throwIfAborted();
    const isLast = (config.executionInfo?.nodeAttempt ?? maxAttempts) >= maxAttempts;
    const willRetry = !isLast && retryPolicy.retryOn(thrown);
    const error = toErrorReport(thrown);
    emit(config, { type: "error", ...of, error, willRetry });
    if (willRetry) throw thrown;
    return { error };
  }
}
