/** What goes into the graph: a task, or a turn of the conversation; each sets its part of the state anew. */
import { message } from "./graphs/chat.js";
import { newTurn } from "./graphs/conversation-state.js";
import type { SessionUpdate } from "./graphs/session-state.js";
import type { Task } from "./task.js";

/** What is asked of the model, or of the gate. */
export interface ConverseRequest {
  readonly job: "ask" | "chat" | "execute";
  /** The question, the message, or the statement. */
  readonly text: string;
  readonly source?: string | undefined;
  readonly params?: readonly unknown[] | undefined;
}

/** A turn. A chat's message is part of the conversation at once, a question's with its answer. */
export function toTurn({ job, text, source, params }: ConverseRequest): SessionUpdate {
  return {
    ...newTurn,
    job,
    text,
    source: source ?? null,
    params: params === undefined ? null : JSON.stringify(params),
    ...(job === "chat" ? { messages: [message({ from: "human", text })] } : {}),
  };
}

/** A task, for the workflow. */
export function toInput({ title, connections, inspect, statements, parallel, stopsOnError }: Task): SessionUpdate {
  return {
    job: "run",
    title,
    connections: [...connections],
    lookUp: inspect ?? null,
    statements: statements.map(({ params, ...statement }) => ({
      ...statement,
      ...(params === undefined ? {} : { params: JSON.stringify(params) }),
    })),
    parallel,
    stopsOnError,
    startedAt: new Date().toISOString(),
    failure: null,
    checks: [],
    inspections: [],
    results: [],
    answers: [],
    finishedAt: null,
  };
}
