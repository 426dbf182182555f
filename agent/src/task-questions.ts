/**
 * The questions of a task: after its statements, some at a time, each under a reference id of its own, so that one which
 * waits for a human keeps none of the others. Knows nothing of graphs.
 */
import type { Answer } from "./answer.js";
import { toErrorReport } from "./errors.js";
import type { Answered, WorkflowState } from "./graphs/workflow-state.js";
import { inParallel } from "./in-parallel.js";
import { newReference } from "./reference.js";
import type { Emit } from "./run-stream.js";
import type { Task, TaskQuestion } from "./task.js";

/** Asks one question in a session. */
export type AskOne = (question: TaskQuestion, session: string, emit: Emit) => Promise<Answer>;

/** All of them, in the task's order. A failure is a value; only the signal's own ends it. */
export async function askQuestions(
  { questions, parallel, stopsOnError }: Task,
  { checks, results }: Pick<WorkflowState, "checks" | "results">,
  ask: AskOne,
  { emit, signal }: { readonly emit: Emit; readonly signal: AbortSignal | undefined },
): Promise<Answered[]> {
  const up = new Set(checks.flatMap(({ connection, error }) => (error === undefined ? [connection] : [])));
  let hasFailed = results.some(({ error }) => error !== undefined) || up.size < checks.length;

  function whyNot({ source }: TaskQuestion): string | undefined {
    if (up.size === 0) return "Nothing ran: a connection is down.";
    if (source !== undefined && !up.has(source)) return `${source} is down.`;
    return stopsOnError && hasFailed ? "An earlier statement or question failed." : undefined;
  }

  return inParallel(questions, parallel, async (question) => {
    const { name, text } = question;
    const why = whyNot(question);
    if (why !== undefined) {
      return { name, text, status: "skipped", caveats: [], error: toSkipped(why), ms: 0 } satisfies Answered;
    }
    const session = newReference();
    const startedAt = performance.now();
    const msSoFar = (): number => Math.round(performance.now() - startedAt);
    try {
      const answer = await ask(question, session, tellAs(name, emit));
      hasFailed ||= answer.status === "failed";
      return toAnswered(question, answer, msSoFar());
    } catch (thrown) {
      signal?.throwIfAborted();
      hasFailed = true;
      const error = toErrorReport(thrown);
      emit({ type: "error", statement: name, error, willRetry: false });
      return { name, text, status: "failed", session, caveats: [], error, ms: msSoFar() } satisfies Answered;
    }
  });
}

/** Events under the question's name. Words of several at once are no text: they stand in the report. */
const tellAs =
  (statement: string, emit: Emit): Emit =>
  (event) => {
    if (event.type === "token") return;
    const isNamed =
      event.type === "sql" || event.type === "rows" || event.type === "progress" || event.type === "error";
    emit(isNamed ? { ...event, statement } : event);
  };

function toAnswered({ name, text }: TaskQuestion, answer: Answer, ms: number): Answered {
  const { session, status, connection, sql, result, caveats, error } = answer;
  return {
    name,
    text,
    status,
    session,
    ...(connection === undefined ? {} : { connection }),
    ...(sql === undefined ? {} : { sql }),
    ...(result === undefined ? {} : { result: JSON.stringify(result) }),
    ...(answer.text === "" ? {} : { answer: answer.text }),
    caveats: [...caveats],
    ...(error === undefined ? {} : { error }),
    ms,
  };
}

const toSkipped = (message: string) => ({ code: "skipped", message, retryable: false });
