/** Runs of the workflow: LangGraph's stream as our typed events, its checkpoints as reports. */
import { type BaseCheckpointSaver, MemorySaver } from "@langchain/langgraph";
import { AgentError, isAbort, toErrorReport } from "./errors.js";
import type { AgentEvent } from "./events.js";
import type { GatewayConnection } from "./gateway/connection.js";
import { createWorkflow, recursionLimitOf } from "./graphs/workflow.js";
import type { WorkflowState } from "./graphs/workflow-state.js";
import { type Report, toReport } from "./report.js";
import type { Task } from "./task.js";
import { loadTools, type Toolbox } from "./tools.js";

/** A run: its events while it works, its report when it is over. */
export interface Run extends AsyncIterable<AgentEvent> {
  /** The reference id: the LangGraph thread the run is checkpointed under. */
  readonly session: string;
  /** @throws AgentError `cancelled` */
  readonly report: Promise<Report>;
}

/** Starts and remembers runs. */
export interface Runner {
  start(task: Task, options: { readonly session: string; readonly signal: AbortSignal | undefined }): Run;
  recall(session: string): Promise<Report | undefined>;
}

/** A runner on this connection. */
export function createRunner(connection: GatewayConnection, store?: BaseCheckpointSaver): Runner {
  let toolbox: Promise<Toolbox> | undefined;
  const workflow = createWorkflow({
    checkpointer: store ?? new MemorySaver(),
    loadTools() {
      toolbox ??= loadTools(connection).catch((error: unknown) => {
        toolbox = undefined;
        throw error;
      });
      return toolbox;
    },
  });
  const running = new Set<string>();
  const recall = recallFrom(workflow);

  async function* events(
    task: Task,
    session: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<AgentEvent, Report> {
    if (running.has(session)) {
      throw new AgentError("session_busy", "This session has a run going on.", {
        hint: "Wait for it, or use another.",
        retryable: true,
      });
    }
    running.add(session);
    const startedAt = performance.now();
    try {
      const stream = await workflow.stream(toInput(task), {
        configurable: { thread_id: session },
        streamMode: "custom",
        recursionLimit: recursionLimitOf(task.statements.length),
        ...(signal === undefined ? {} : { signal }),
      });
      for await (const event of stream) yield event as AgentEvent; // the workflow's nodes write nothing else
      signal?.throwIfAborted();
    } catch (error) {
      const failure = signal?.aborted || isAbort(error) ? new AgentError("cancelled", "The run was cancelled.") : error;
      yield { type: "error", error: toErrorReport(failure), willRetry: false };
      throw failure;
    } finally {
      running.delete(session);
    }
    const report = await recall(session);
    if (report === undefined) throw new AgentError("internal", "The run left no state.");
    yield toDone(report, Math.round(performance.now() - startedAt));
    return report;
  }

  return {
    recall,
    start(task, { session, signal }) {
      toolbox = undefined; // what the gateway lists may have changed since the last run
      return pump(session, events(task, session, signal));
    },
  };
}

/** Reports from a store alone, without any gateway. */
export function createRecall(checkpointer: BaseCheckpointSaver): Runner["recall"] {
  const loadTools = () => Promise.reject(new AgentError("internal", "Looking back needs no tools."));
  return recallFrom(createWorkflow({ checkpointer, loadTools }));
}

const recallFrom =
  (workflow: ReturnType<typeof createWorkflow>): Runner["recall"] =>
  async (session) => {
    const { values } = await workflow.getState({ configurable: { thread_id: session } });
    const state = values as Partial<WorkflowState>; // empty for an unknown thread
    return state.statements === undefined ? undefined : toReport(session, state as WorkflowState);
  };

function toInput({ title, connections, inspect, statements, stopsOnError }: Task) {
  return {
    title,
    connections: [...connections],
    lookUp: inspect ?? null,
    statements: statements.map(({ params, ...statement }) => ({
      ...statement,
      ...(params === undefined ? {} : { params: JSON.stringify(params) }),
    })),
    stopsOnError,
    startedAt: new Date().toISOString(),
    failure: null,
    checks: [],
    inspections: [],
    results: [],
    finishedAt: null,
  };
}

function toDone(report: Report, ms: number): AgentEvent {
  const count = (status: string) => report.statements.filter((statement) => statement.status === status).length;
  const up = report.connections.filter(({ state }) => state === "up").length;
  return {
    type: "done",
    session: report.session,
    ok: report.ok,
    connections: { up, down: report.connections.length - up },
    statements: { ok: count("ok"), failed: count("failed"), skipped: count("skipped") },
    ms,
  };
}

/** Works from the start, whether or not anybody listens; who listens gets every event once. */
function pump(session: string, source: AsyncGenerator<AgentEvent, Report>): Run {
  const waiting: AgentEvent[] = [];
  let isOver = false;
  let wake: () => void = () => {};
  const report = (async () => {
    try {
      for (;;) {
        const { done, value } = await source.next();
        if (done) return value;
        waiting.push(value);
        wake();
      }
    } finally {
      isOver = true;
      wake();
    }
  })();
  report.catch(() => {}); // whoever awaits it sees the failure; the events tell it as well
  return {
    session,
    report,
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const event = waiting.shift();
        if (event !== undefined) yield event;
        else if (isOver) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}
