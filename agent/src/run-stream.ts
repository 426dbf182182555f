/**
 * A run as whoever started it sees it: events to iterate, a result to await. It works from the start, whether or not
 * anybody listens, and ends with a `done` event whatever happened. Knows nothing of graphs or databases.
 */
import { AgentError, isAbort, toErrorReport } from "./errors.js";
import type { AgentEvent } from "./events.js";

/** A run: its events while it works, its result when it is over. */
export interface Run<Result> extends AsyncIterable<AgentEvent> {
  /** The reference id: the LangGraph thread the run is checkpointed under. */
  readonly session: string;
  /** @throws AgentError what the last `error` event told; `cancelled` after an abort */
  readonly result: Promise<Result>;
}

/** Tells an event to whoever listens. */
export type Emit = (event: AgentEvent) => void;

/** What came of a run, and what its `done` event says of it. */
export type Ended<Result> = { readonly result: Result } & Omit<
  Extract<AgentEvent, { type: "done" }>,
  "type" | "session" | "ms" | "waiting"
> & { readonly waiting?: boolean };

/** Starts the work. A failure becomes an `error` event and a `done` that is not ok, and the result rejects with it. */
export function startRun<Result>(
  session: string,
  signal: AbortSignal | undefined,
  work: (emit: Emit) => Promise<Ended<Result>>,
): Run<Result> {
  const waiting: AgentEvent[] = [];
  let isOver = false;
  let wake: () => void = () => {};
  const emit: Emit = (event) => {
    waiting.push(event);
    wake();
  };
  const result = toEnd(session, signal, emit, work).finally(() => {
    isOver = true;
    wake();
  });
  result.catch(() => {}); // whoever awaits it sees the failure; the events tell it as well
  return {
    session,
    result,
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

async function toEnd<Result>(
  session: string,
  signal: AbortSignal | undefined,
  emit: Emit,
  work: (emit: Emit) => Promise<Ended<Result>>,
): Promise<Result> {
  const startedAt = performance.now();
  const done = (ending: Omit<Ended<unknown>, "result">): void => {
    const ms = Math.round(performance.now() - startedAt);
    emit({ type: "done", session, ...ending, waiting: ending.waiting ?? false, ms });
  };
  try {
    signal?.throwIfAborted();
    const { result, ...ending } = await work(emit);
    done(ending);
    return result;
  } catch (error) {
    const failure = signal?.aborted || isAbort(error) ? new AgentError("cancelled", "The run was cancelled.") : error;
    emit({ type: "error", error: toErrorReport(failure), willRetry: false });
    done({ ok: false });
    throw failure;
  }
}
