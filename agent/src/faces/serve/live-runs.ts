/**
 * The runs that are going on or have just ended: who listens late or again hears the same events. Bounded in number, in
 * bytes and in time; what a session keeps for good is the checkpointer's.
 */
import { randomUUID } from "node:crypto";
import { AgentError } from "../../errors.js";
import type { AgentEvent } from "../../events.js";
import type { Run } from "../../run-stream.js";
import { presentable } from "./problem.js";

/** An event on its way out. */
export interface Frame {
  /** Grows with every event of the process. */
  readonly id: number;
  readonly event: AgentEvent;
}

/** A run, for as long as it is remembered. */
export interface LiveRun {
  readonly id: string;
  readonly session: string;
  readonly job: string;
  readonly startedAt: string;
  readonly isOver: boolean;
  /** What its `done` event said; undefined before. */
  readonly done: Extract<AgentEvent, { type: "done" }> | undefined;
  /** Its result. Rejects as the run's does. */
  readonly result: Promise<unknown>;
  abort(): void;
  /** Its events from the first on, to its end. */
  events(signal: AbortSignal): AsyncGenerator<Frame, void, undefined>;
}

/** What a run is started as. */
export interface Start<Result> {
  readonly job: string;
  readonly begin: (signal: AbortSignal) => Run<Result> | Promise<Run<Result>>;
}

/** All of them. */
export interface LiveRuns {
  /** @throws AgentError `busy` when too many are going on, `draining` when no more are taken */
  start<Result>(start: Start<Result>): Promise<LiveRun & { readonly result: Promise<Result> }>;
  /** Undefined for one that is forgotten, or another session's. */
  find(session: string, run: string): LiveRun | undefined;
  /** The runs of a session, latest first. */
  list(session: string): readonly LiveRun[];
  /** Every event of a session's runs after the one with this id, and those to come. */
  watch(session: string, after: number, signal: AbortSignal): AsyncGenerator<Frame, void, undefined>;
  /** Takes no more, lets those going on end for so long, then aborts them. */
  drain(patienceMs: number): Promise<void>;
}

const mostRunning = 64;
const mostRemembered = 256;
const mostBytes = 32 * 2 ** 20;

interface Kept extends LiveRun {
  readonly frames: Frame[];
  bytes: number;
  isOver: boolean;
  done: LiveRun["done"];
}

/** No run yet. */
export function createLiveRuns(): LiveRuns {
  const runs: Kept[] = []; // in the order they began
  const listeners = new Set<() => void>();
  let nextId = 1;
  let isDraining = false;

  const wake = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const sleep = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const stop = (): void => {
        listeners.delete(stop);
        signal.removeEventListener("abort", stop);
        resolve();
      };
      listeners.add(stop);
      signal.addEventListener("abort", stop, { once: true });
    });

  function forgetOldest(): void {
    let bytes = runs.reduce((sum, run) => sum + run.bytes, 0);
    for (let at = 0; at < runs.length && (runs.length > mostRemembered || bytes > mostBytes); ) {
      const run = runs[at];
      if (run === undefined || !run.isOver) at += 1;
      else {
        bytes -= run.bytes;
        runs.splice(at, 1);
      }
    }
  }

  async function follow(kept: Kept, run: Run<unknown>): Promise<void> {
    for await (const event of run) {
      const shown = event.type === "error" ? { ...event, error: presentable(event.error) } : event;
      kept.frames.push({ id: nextId, event: shown });
      nextId += 1;
      kept.bytes += event.type === "rows" ? JSON.stringify(event.rows).length : 200;
      if (event.type === "done") kept.done = event;
      wake();
    }
    kept.isOver = true;
    forgetOldest();
    wake();
  }

  return {
    async start({ job, begin }) {
      if (isDraining) throw new AgentError("draining", "The server is going down.", { retryable: true });
      if (runs.filter(({ isOver }) => !isOver).length >= mostRunning) {
        throw new AgentError("busy", "Too many runs are going on.", { retryable: true });
      }
      const controller = new AbortController();
      const run = await begin(controller.signal);
      const kept = {
        id: randomUUID(),
        session: run.session,
        job,
        startedAt: new Date().toISOString(),
        isOver: false,
        done: undefined,
        result: run.result,
        frames: [] as Frame[],
        bytes: 0,
        abort: () => controller.abort(),
        async *events(signal: AbortSignal) {
          for (let at = 0; !signal.aborted; ) {
            const frame = kept.frames[at];
            if (frame !== undefined) {
              at += 1;
              yield frame;
            } else if (kept.isOver) return;
            else await sleep(signal);
          }
        },
      } satisfies Kept as Kept & { readonly result: typeof run.result }; // the same object, its fields not yet narrowed
      runs.push(kept);
      void follow(kept, run);
      return kept;
    },
    find: (session, id) => runs.find((run) => run.id === id && run.session === session),
    list: (session) => runs.filter((run) => run.session === session).reverse(),
    async *watch(session, after, signal) {
      for (let last = after; !signal.aborted; ) {
        const frames = runs
          .filter((run) => run.session === session)
          .flatMap((run) => run.frames.filter(({ id }) => id > last))
          .sort((a, b) => a.id - b.id);
        for (const frame of frames) {
          yield frame;
          last = frame.id;
        }
        if (frames.length === 0) await sleep(signal);
      }
    },
    async drain(patienceMs) {
      isDraining = true;
      const going = runs.filter(({ isOver }) => !isOver);
      const ended = Promise.allSettled(going.map(({ result }) => result));
      const timer = setTimeout(() => {
        for (const run of going) run.abort();
      }, patienceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}
