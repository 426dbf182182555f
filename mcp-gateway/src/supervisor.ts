/**
 * The life of one server: started on first need, once however many ask; stopped when idle; after a crash started again
 * with growing pauses, until it counts as a crash loop. It never repeats a call: that is the caller's to decide.
 */
import { CodedError, type Log, withTimeout } from "@database-interface/mcp-core/host";
import { delay } from "./delay.js";
import { createLimiter } from "./limiter.js";
import type { Upstream } from "./upstream.js";

export const serverStates = ["asleep", "starting", "running", "stopping", "backing_off", "crash_loop"] as const;
export type ServerState = (typeof serverStates)[number];

/** How a server lives. */
export interface LifeOptions {
  /** Milliseconds without a call until it is stopped; 0: never. */
  readonly idleMs: number;
  /** Milliseconds it may take to start and shake hands. */
  readonly startMs: number;
  readonly maxCalls: number;
  /** Of one client; undefined: as many as in all. */
  readonly maxCallsPerClient: number | undefined;
  readonly maxQueued: number;
  /** Milliseconds of the first pause after a crash; doubled each time. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Crashes in a row that make a crash loop. */
  readonly crashLoopAfter: number;
  /** Milliseconds of running after which earlier crashes are forgotten. */
  readonly stableMs: number;
}

export const defaultLife: LifeOptions = {
  idleMs: 300_000,
  startMs: 30_000,
  maxCalls: 32,
  maxCallsPerClient: undefined,
  maxQueued: 1_000,
  backoffMs: 250,
  maxBackoffMs: 30_000,
  crashLoopAfter: 5,
  stableMs: 60_000,
};

/** What `/v1/servers` shows of a server. */
export interface ServerStatus {
  readonly state: ServerState;
  readonly pid: number | undefined;
  /** When it came into this state, ISO 8601. */
  readonly since: string;
  readonly starts: number;
  readonly crashes: number;
  readonly active: number;
  readonly queued: number;
  readonly lastError: string | undefined;
}

/** An upstream and, where it is a process, its id. */
export type StartedUpstream = Upstream & { readonly pid?: number | undefined };

/** What a supervisor needs. */
export interface SupervisorOptions {
  readonly name: string;
  readonly life: LifeOptions;
  readonly log: Log;
  /** Starts the server and shakes hands; rejects with a sentence that says why it could not. */
  start(signal: AbortSignal): Promise<StartedUpstream>;
  /** Called after each start, before anyone uses it. */
  onStarted?(upstream: Upstream): void;
  onStopped?(): void;
}

/** One server's keeper; disposing it stops the server for good. */
export interface Supervisor extends AsyncDisposable {
  /**
   * Runs a use of the server, starting it if need be.
   * @throws CodedError `server_unavailable`, `crash_loop`, `busy`
   */
  use<Result>(use: (upstream: Upstream) => Promise<Result>, signal: AbortSignal, account?: string): Promise<Result>;
  /** Keeps the server from being stopped as idle, until disposed; wakes nothing. */
  hold(): Disposable;
  /** Keeps it so for as many milliseconds from now. */
  keepFor(ms: number): void;
  /** It is kept by `hold` or `keepFor`. */
  readonly isKept: boolean;
  /** Resolves when nobody uses the server or waits for it, or the signal fires. */
  drained(signal: AbortSignal): Promise<void>;
  /** The running upstream, if there is one; wakes nothing. */
  readonly running: Upstream | undefined;
  status(): ServerStatus;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { name, life, log } = options;
  const limiter = createLimiter({
    name,
    maxActive: life.maxCalls,
    maxActivePerAccount: life.maxCallsPerClient,
    maxQueued: life.maxQueued,
  });
  const closing = new AbortController();
  let state: ServerState = "asleep";
  let since = new Date();
  let current: StartedUpstream | undefined;
  let starting: Promise<StartedUpstream> | undefined;
  let stopping: Promise<void> | undefined;
  let idleTimer: NodeJS.Timeout | undefined;
  let holds = 0;
  let keptUntil = 0;
  let lastError: string | undefined;
  let runningSince = 0;
  let crashesInARow = 0;
  let notBefore = 0;
  const totals = { starts: 0, crashes: 0 };

  function become(next: ServerState): void {
    if (state === next) return;
    state = next;
    since = new Date();
    log.debug("server_state", { state });
  }

  function crashed(reason: string): void {
    current = undefined;
    keptUntil = 0; // what it was kept for has gone with it
    lastError = reason;
    totals.crashes++;
    if (runningSince > 0 && performance.now() - runningSince >= life.stableMs) crashesInARow = 0;
    runningSince = 0;
    crashesInARow++;
    const pause = Math.min(life.maxBackoffMs, life.backoffMs * 2 ** (crashesInARow - 1));
    notBefore = performance.now() + pause * (0.75 + Math.random() / 2);
    const isLoop = crashesInARow >= life.crashLoopAfter;
    become(isLoop ? "crash_loop" : "backing_off");
    log.warn(isLoop ? "server_crash_loop" : "server_crashed", {
      reason,
      crashes: crashesInARow,
      pauseMs: Math.round(pause),
    });
  }

  function unavailable(): CodedError {
    const seconds = Math.max(1, Math.ceil((notBefore - performance.now()) / 1_000));
    return state === "crash_loop"
      ? new CodedError("crash_loop", `${name} has failed ${crashesInARow} times in a row: ${lastError}.`, {
          hint: `It is tried again in ${seconds} s; the gateway's log has what it wrote to stderr.`,
          retryable: true,
        })
      : new CodedError("server_unavailable", `${name} cannot be used: ${lastError}.`, {
          hint: "The gateway's log has what it wrote to stderr.",
          retryable: true,
        });
  }

  async function startOnce(): Promise<StartedUpstream> {
    await stopping;
    const pause = notBefore - performance.now();
    if (pause > 0 && (crashesInARow >= life.crashLoopAfter || pause > 5_000)) throw unavailable();
    if (pause > 0) await delay(pause, closing.signal);
    closing.signal.throwIfAborted();
    become("starting");
    totals.starts++;
    const began = performance.now();
    try {
      const upstream = await options.start(withTimeout(closing.signal, life.startMs));
      current = upstream;
      runningSince = performance.now();
      become("running");
      log.info("server_started", {
        pid: upstream.pid,
        ms: Math.round(performance.now() - began),
        era: upstream.description.era,
      });
      void upstream.closed.then((reason) => {
        options.onStopped?.();
        if (current !== upstream) return;
        crashed(reason);
      });
      options.onStarted?.(upstream);
      return upstream;
    } catch (error) {
      if (closing.signal.aborted) throw closed(name);
      crashed(error instanceof Error ? error.message : String(error));
      throw unavailable();
    }
  }

  function acquire(): Promise<StartedUpstream> {
    if (closing.signal.aborted) return Promise.reject(closed(name));
    if (current !== undefined) return Promise.resolve(current);
    starting ??= startOnce().finally(() => {
      starting = undefined;
    });
    return starting;
  }

  function stop(): Promise<void> {
    const upstream = current;
    if (upstream === undefined) return stopping ?? Promise.resolve();
    current = undefined;
    keptUntil = 0;
    runningSince = 0;
    crashesInARow = 0;
    become("stopping");
    const stopped = Promise.resolve(upstream[Symbol.asyncDispose]()).finally(() => {
      if (stopping === stopped) stopping = undefined;
      if (current === undefined && state === "stopping") become("asleep");
      log.info("server_stopped");
    });
    stopping = stopped;
    return stopped;
  }

  function restWhenIdle(): void {
    clearTimeout(idleTimer);
    if (life.idleMs === 0 || limiter.active > 0 || holds > 0) return;
    idleTimer = setTimeout(
      () => {
        if (limiter.active === 0 && limiter.queued === 0 && holds === 0) void stop();
      },
      Math.max(life.idleMs, keptUntil - performance.now()),
    );
    idleTimer.unref();
  }

  return {
    get running() {
      return current;
    },
    hold() {
      holds++;
      let isHeld = true;
      return {
        [Symbol.dispose]() {
          if (!isHeld) return;
          isHeld = false;
          holds--;
          restWhenIdle();
        },
      };
    },
    keepFor(ms) {
      if (current === undefined) return;
      keptUntil = Math.max(keptUntil, performance.now() + ms);
      restWhenIdle();
    },
    get isKept() {
      return holds > 0 || keptUntil > performance.now();
    },
    async use(use, signal, account = "gateway") {
      try {
        using _place = await limiter.enter(signal, account);
        clearTimeout(idleTimer);
        const upstream = current ?? (await orAborted(acquire(), signal));
        return await use(upstream);
      } finally {
        restWhenIdle();
      }
    },
    drained: limiter.drained,
    status: () => ({
      state: state === "backing_off" && performance.now() >= notBefore ? "asleep" : state,
      pid: current?.pid,
      since: since.toISOString(),
      ...totals,
      active: limiter.active,
      queued: limiter.queued,
      lastError,
    }),
    async [Symbol.asyncDispose]() {
      clearTimeout(idleTimer);
      closing.abort(closed(name));
      await starting?.catch(() => {});
      await stop();
    },
  };
}

const closed = (name: string): CodedError =>
  new CodedError("server_unavailable", `${name} cannot be used: the gateway is stopping.`, {
    hint: "Ask again once it runs.",
    retryable: true,
  });

/** The promise's value, unless the signal fires first; what was started goes on for the others. */
function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
