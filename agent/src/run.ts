/** Runs of the workflow: LangGraph's stream as our typed events, its checkpoints as reports. */
import type { BaseCheckpointSaver } from "@langchain/langgraph";
import type { Answer, SessionView } from "./answer.js";
import type { Decision } from "./approval.js";
import { AgentError } from "./errors.js";
import type { AgentEvent } from "./events.js";
import type { GatewayConnection } from "./gateway/connection.js";
import { createWorkflow, recursionLimitOf } from "./graphs/workflow.js";
import type { WorkflowState } from "./graphs/workflow-state.js";
import { type Report, toReport } from "./report.js";
import type { Emit, Ended } from "./run-stream.js";
import type { Task } from "./task.js";
import { loadTools, type Toolbox } from "./tools.js";

/** What a run needs besides its task. */
export interface RunSettings {
  readonly session: string;
  readonly signal: AbortSignal | undefined;
  readonly emit: Emit;
}

/** What is asked of the model, or of the gate. */
export interface ConverseRequest {
  readonly job: "ask" | "chat" | "execute";
  /** The question, the message, or the statement. */
  readonly text: string;
  readonly source?: string | undefined;
  readonly params?: readonly unknown[] | undefined;
}

/** Runs things under a reference id, and remembers them. */
export interface Runner {
  runTask(task: Task, settings: RunSettings): Promise<Ended<Report>>;
  /** A question, a message to the model, or a statement that writes. */
  converse(request: ConverseRequest, settings: RunSettings): Promise<Ended<Answer>>;
  /** A human's answer: the run that waits for it goes on. */
  answer(approval: string, decision: Decision, settings: RunSettings): Promise<Ended<Answer>>;
  /** Goes on with a run that was cut off. */
  resume(settings: RunSettings): Promise<Ended<Answer>>;
  recall(session: string): Promise<Report | undefined>;
  /** Keeps a new session, before anything has run in it. */
  create(session: string, owner: string | undefined): Promise<void>;
  /** A session as it is kept; undefined for an unknown one. */
  view(session: string): Promise<SessionView | undefined>;
}

/** A runner on this connection. */
export function createRunner(connection: GatewayConnection, checkpointer: BaseCheckpointSaver): Runner {
  let toolbox: Promise<Toolbox> | undefined;
  const workflow = createWorkflow({
    checkpointer,
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
  const at = (session: string) => ({ configurable: { thread_id: session } });

  return {
    recall,
    async runTask(task, { session, signal, emit }) {
      if (running.has(session)) throw busy();
      running.add(session);
      toolbox = undefined; // what the gateway lists may have changed since the last run
      try {
        const stream = await workflow.stream(toInput(task), {
          ...at(session),
          streamMode: "custom",
          recursionLimit: recursionLimitOf(task.statements.length),
          ...(signal === undefined ? {} : { signal }),
        });
        for await (const event of stream) emit(event as AgentEvent); // the workflow's nodes write nothing else
        signal?.throwIfAborted();
      } finally {
        running.delete(session);
      }
      const report = await recall(session);
      if (report === undefined) throw new AgentError("internal", "The run left no state.");
      return { result: report, ok: report.ok, ...toCounts(report) };
    },
    converse: async () => Promise.reject(noModel()),
    answer: async () => Promise.reject(nothingAsked()),
    resume: async () => Promise.reject(nothingAsked()),
    async create(session, owner) {
      const createdAt = new Date().toISOString();
      await workflow.updateState(at(session), { createdAt, ...(owner === undefined ? {} : { owner }) }, "report");
    },
    async view(session) {
      const { values, createdAt: updatedAt } = await workflow.getState(at(session));
      if (updatedAt === undefined) return undefined;
      const { createdAt, owner } = values as Partial<WorkflowState>; // a session may hold only a part of it
      const report = await recall(session);
      return {
        session,
        updatedAt,
        ...(createdAt === undefined ? {} : { createdAt }),
        ...(owner === undefined ? {} : { owner }),
        approvals: [],
        isCutOff: false,
        messages: [],
        ...(report === undefined ? {} : { report }),
      };
    },
  };
}

const noModel = (): AgentError =>
  new AgentError("model_unset", "No model is configured.", {
    hint: "Set DB_AGENT_MODEL and DB_AGENT_MODEL_URL (any OpenAI-compatible address), or DB_AGENT_MODEL=openai:<model>.",
  });

const nothingAsked = (): AgentError =>
  new AgentError("approval_unknown", "Nothing of this name is asked in this session.", {
    hint: "It may have been answered already, here or by another process.",
  });

const busy = (): AgentError =>
  new AgentError("session_busy", "This session has a run going on.", {
    hint: "Wait for it, or use another.",
    retryable: true,
  });

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

function toCounts(report: Report) {
  const count = (status: string) => report.statements.filter((statement) => statement.status === status).length;
  const up = report.connections.filter(({ state }) => state === "up").length;
  return {
    connections: { up, down: report.connections.length - up },
    statements: { ok: count("ok"), failed: count("failed"), skipped: count("skipped") },
  };
}
