/**
 * The gateway's connection to Redis: always on its way to being open, every command answered within a deadline, broken
 * clients replaced. While Redis is away each use is told so at once; nothing is ever done locally in its place.
 */
import { type Log, withTimeout } from "@database-interface/mcp-core/host";
import { delay } from "../delay.js";
import type { RedisAddress } from "./redis-address.js";
import { openRedisClient, type RedisClient } from "./redis-client.js";
import { storeUnavailable } from "./store.js";

/** Whether Redis answers, and since when it does or does not. */
export interface RedisHealth {
  readonly isUp: boolean;
  readonly since: Date;
  /** Why it does not answer, for people. */
  readonly reason: string | undefined;
}

/** A connection that opens itself; disposing it closes it. */
export interface RedisConnection extends AsyncDisposable {
  readonly address: RedisAddress;
  readonly health: RedisHealth;
  /** Runs commands on the open client, for which it waits while Redis has not been asked yet. @throws CodedError `store_unavailable` within the deadline */
  run<Result>(commands: (client: RedisClient) => Promise<Result>): Promise<Result>;
  /** Resolves when Redis has been asked for the first time, whatever came of it. */
  readonly tried: Promise<void>;
  /** Resolves when a client is open, or that takes too long. */
  opened(): Promise<void>;
  /** Hears a channel's messages until disposed, from whichever client is the current one; messages may be missed while Redis is away. */
  subscribe(channel: string, listener: (message: string) => void): Disposable;
  /** Called each time that Redis has come back: what was missed meanwhile must be fetched. */
  onReopened(listener: () => void): Disposable;
}

/** How patient a connection is. */
export interface RedisConnectionOptions {
  readonly address: RedisAddress;
  readonly log: Log;
  /** Milliseconds a command may take. Default 1,000. */
  readonly deadlineMs?: number | undefined;
}

const openMs = 2_000;
/** Milliseconds between attempts to open a client. */
const retryMs = { least: 100, most: 1_000 };
/** A client that fails is replaced, but not more often. */
const renewalPauseMs = 2_000;

/** Starts to connect; whether that works shows in `health` and in each use. */
export function openRedisConnection({ address, log, deadlineMs = 1_000 }: RedisConnectionOptions): RedisConnection {
  const closing = new AbortController();
  const listeners = new Map<string, Set<(message: string) => void>>();
  const reopened = new Set<() => void>();
  let client: RedisClient | undefined;
  let renewing: Promise<void> | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;
  let health: RedisHealth = { isUp: false, since: new Date(), reason: "it has not answered yet" };
  let endFirstTry = (): void => {};
  const tried = new Promise<void>((resolve) => {
    endFirstTry = resolve;
  });

  function becomeUp(): void {
    if (health.isUp) return;
    health = { isUp: true, since: new Date(), reason: undefined };
    log.info("redis_up", { mode: address.mode });
    for (const tell of reopened) tell();
  }

  function becomeDown(reason: string): void {
    if (!health.isUp && health.reason === reason) return;
    if (health.isUp || client === undefined) log.warn("redis_down", { mode: address.mode, reason });
    health = { isUp: false, since: health.isUp ? new Date() : health.since, reason };
  }

  /** Opens another client and puts it in the place of one that may be broken; the old one serves until then. */
  function renew(): void {
    if (renewing !== undefined || closing.signal.aborted) return;
    if (client !== undefined && performance.now() - renewedAt < renewalPauseMs) return;
    renewing = (async () => {
      for (let pause = retryMs.least; !closing.signal.aborted; pause = Math.min(retryMs.most, pause * 2)) {
        try {
          await replace();
          return;
        } catch (error) {
          becomeDown(describe(error));
        } finally {
          endFirstTry();
        }
        await delay(pause * (0.75 + Math.random() / 2), closing.signal);
      }
    })().finally(() => {
      renewing = undefined;
      renewedAt = performance.now();
    });
  }

  async function replace(): Promise<void> {
    const limit = withTimeout(closing.signal, openMs);
    let isCurrent = true;
    let broken: unknown;
    const onError = (error: unknown): void => {
      broken = error;
      if (isCurrent) renew();
    };
    const fresh = await openRedisClient(address, onError, limit).catch((error: unknown) => {
      throw broken ?? error; // what the library says in the end is less than what it said on the way
    });
    try {
      await within(fresh.ping(), deadlineMs);
      for (const channel of listeners.keys()) await within(fresh.subscribe(channel, deliverTo(channel)), deadlineMs);
    } catch (error) {
      isCurrent = false;
      fresh.destroy();
      throw error;
    }
    const old = client;
    client = fresh;
    void old?.close();
    becomeUp();
  }

  const deliverTo = (channel: string) => (message: string) => {
    for (const listener of listeners.get(channel) ?? []) listener(message);
  };

  renew();
  return {
    address,
    tried,
    get health() {
      return health;
    },
    async run(commands) {
      const end = performance.now() + deadlineMs;
      if (client === undefined) await within(tried, deadlineMs).catch(() => {}); // we have only just begun
      const current = client;
      if (current === undefined) throw storeUnavailable(health.reason ?? "it is not open");
      try {
        const result = await within(commands(current), end - performance.now());
        becomeUp();
        return result;
      } catch (error) {
        const reason = describe(error);
        if (!isRefusal(error)) {
          becomeDown(reason);
          renew();
        }
        throw storeUnavailable(reason, error);
      }
    },
    async opened() {
      if (client === undefined) await Promise.race([renewing, delay(openMs, closing.signal)]);
    },
    subscribe(channel, listener) {
      const all = listeners.get(channel) ?? new Set();
      const isFirst = all.size === 0;
      listeners.set(channel, all.add(listener));
      // while there is no client, the next one subscribes to everything anyway
      if (isFirst) client?.subscribe(channel, deliverTo(channel)).catch(renew);
      return {
        [Symbol.dispose]() {
          if (!all.delete(listener) || all.size > 0) return;
          listeners.delete(channel);
          client?.unsubscribe(channel).catch(() => {}); // gone with its connection
        },
      };
    },
    onReopened(listener) {
      reopened.add(listener);
      return { [Symbol.dispose]: () => void reopened.delete(listener) };
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new Error("The connection is closing."));
      await renewing;
      await client?.close();
      client = undefined;
      becomeDown("it has been closed");
    },
  };
}

/** A sentence's end about what went wrong, without addresses, keys or values. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return "it does not answer";
  const [word = ""] = error.message.split(" ", 1);
  const told = refusals[word];
  if (told !== undefined) return told;
  const code = codeOf(error);
  if (code === "ECONNREFUSED") return "nothing listens at its address";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "its host name is not known";
  return "it does not answer";
}

function codeOf(error: Error): string {
  if ("code" in error) return String(error.code);
  if (error.cause instanceof Error) return codeOf(error.cause);
  return error instanceof AggregateError && error.errors[0] instanceof Error ? codeOf(error.errors[0]) : "";
}

/** What Redis answers with when it refuses, by the answer's first word. */
const refusals: Readonly<Record<string, string>> = {
  OOM: "its memory is full",
  MISCONF: "it cannot write to its disk",
  NOAUTH: "it asks for a password",
  WRONGPASS: "it refuses the password",
  NOPERM: "its user may not do that",
  READONLY: "its master is changing",
  LOADING: "it is still loading its data",
  MASTERDOWN: "its master is away",
  CLUSTERDOWN: "a part of the Cluster is away",
  TRYAGAIN: "the Cluster is moving data",
};

/** Redis is there and says no: another client would hear the same. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error && /^(OOM|MISCONF|NOPERM|LOADING|TRYAGAIN) /.test(error.message);

/** The value within a time; a command that comes too late may still take effect. */
async function within<Value>(promise: Promise<Value>, ms: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("overdue")), ms);
  });
  try {
    return await Promise.race([promise, overdue]);
  } finally {
    clearTimeout(timer);
  }
}
