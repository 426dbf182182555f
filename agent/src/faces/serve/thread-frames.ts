/** A run's events as LangGraph's clients hear them: `metadata`, then `custom`, `messages`, `updates` and `values`, or `error`. */
import type { SessionView } from "../../answer.js";
import type { AgentEvent } from "../../events.js";
import type { LiveRun } from "./live-runs.js";
import type { SseMessage } from "./sse.js";
import { toInterrupt, toValues } from "./thread-shapes.js";

/** The run as messages in the stream modes that mean something here; `show` tells what is kept when it is over. */
export async function* toFrames(
  run: LiveRun,
  modes: readonly string[],
  show: () => Promise<SessionView>,
  signal: AbortSignal,
): AsyncGenerator<SseMessage, void, undefined> {
  yield { event: "metadata", data: JSON.stringify({ run_id: run.id, thread_id: run.session, attempt: 1 }) };
  let text = "";
  for await (const { id, event } of run.events(signal)) {
    if (modes.includes("custom")) yield { id, event: "custom", data: JSON.stringify(event) };
    if (event.type === "token") {
      text += event.text;
      yield* tokenFrames(run, modes, event.text, text);
    }
    if (event.type === "error" && isFatal(event)) {
      yield { id, event: "error", data: JSON.stringify({ error: event.error.code, message: event.error.message }) };
    }
  }
  if (signal.aborted || run.done?.ok !== true) return;
  const { interrupts, values } = await outcomeOf(run, show);
  if (modes.includes("updates")) {
    const update = interrupts === undefined ? { [run.job]: await run.result } : { __interrupt__: interrupts };
    yield { event: "updates", data: JSON.stringify(update) };
  }
  if (modes.includes("values")) yield { event: "values", data: JSON.stringify(values) };
}

/** What a run came to, as a state's values; with what a human is asked, where one is. */
export async function outcomeOf(run: LiveRun, show: () => Promise<SessionView>) {
  const result = await run.result;
  const view = await show();
  const interrupts = run.done?.waiting === true ? view.approvals.map(toInterrupt) : undefined;
  const values = {
    ...toValues(view),
    ...(run.job === "query" ? { result } : run.job === "workflow" ? {} : { answer: result }),
    ...(interrupts === undefined ? {} : { __interrupt__: interrupts }),
  };
  return { interrupts, values };
}

/** The run as a whole failed: what failed of a connection or a statement is told in its result. */
const isFatal = (event: Extract<AgentEvent, { type: "error" }>): boolean =>
  event.connection === undefined && event.statement === undefined && event.willRetry !== true;

function* tokenFrames(run: LiveRun, modes: readonly string[], piece: string, whole: string): Generator<SseMessage> {
  const id = `run-${run.id}`;
  if (modes.includes("messages-tuple")) {
    const message = { id, type: "AIMessageChunk", content: piece };
    yield { event: "messages", data: JSON.stringify([message, { langgraph_node: run.job, run_id: run.id }]) };
  }
  if (modes.includes("messages")) {
    yield { event: "messages/partial", data: JSON.stringify([{ id, type: "ai", content: whole }]) };
  }
}
