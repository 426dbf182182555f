/**
 * Starts servers never seen before, once and in the background, to learn what they list. Who meets the gateway for the
 * first time waits for them, bounded; a single list waits for little.
 */
import { availableParallelism } from "node:os";
import type { Log } from "@database-interface/mcp-core/host";
import type { Member } from "./member.js";

/** How the unknown is discovered. */
export interface DiscoveryOptions {
  /** The servers of the moment. */
  members(): readonly Member[];
  /** Asks whether anybody else knows already what a server lists. */
  recall(member: Member): Promise<void>;
  /** Milliseconds after a start or a reload that anyone waits at most. */
  readonly withinMs: number;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** What is being discovered. */
export interface Discovery {
  /** Starts what has never been tried: at the start, and after the servers have changed. */
  look(): void;
  /** Resolves when every server has been listed once, or should have been, or the signal fires; tries the failed again. */
  whenListed(signal: AbortSignal): Promise<void>;
  /** The same for who only watches: it starts nothing. */
  whenSettled(signal: AbortSignal): Promise<void>;
}

/** Milliseconds until a server that could not be listed is tried again, when somebody lists. */
const retryMs = 30_000;

export function createDiscovery({ members, recall, withinMs, signal, log }: DiscoveryOptions): Discovery {
  const attempts = new WeakMap<Member, { readonly at: number; isOver: boolean }>();
  let settled: Promise<unknown> = Promise.resolve();

  async function attempt(member: Member): Promise<void> {
    const one = { at: performance.now(), isOver: false };
    attempts.set(member, one);
    await recall(member);
    const discovered = member.listing === undefined ? member.discover(signal) : Promise.resolve();
    await discovered.catch(
      (error: unknown) => signal.aborted || log.warn("server_not_listed", { server: member.plan.id, error }),
    );
    one.isOver = true;
  }

  const unknown = (): Member[] => members().filter(({ listing }) => listing === undefined);

  async function whenSettled(caller: AbortSignal): Promise<void> {
    if (unknown().length === 0 || caller.aborted) return;
    await Promise.race([settled, new Promise((resolve) => caller.addEventListener("abort", resolve, { once: true }))]);
  }

  return {
    look() {
      const untried = unknown().filter((member) => !attempts.has(member));
      const all = startInTurn(untried, attempt);
      settled = Promise.race([all, passed(withinMs, all)]);
    },
    whenSettled,
    async whenListed(caller) {
      for (const member of unknown()) {
        const last = attempts.get(member);
        if (last?.isOver === true && performance.now() - last.at > retryMs) void attempt(member);
      }
      await whenSettled(caller);
    },
  };
}

/** Starts at once: more would take the processor from whoever asks meanwhile. */
const startsAtOnce = 2 * availableParallelism();
/** Milliseconds after which a start holds up the next one no longer. */
const turnMs = 1_000;

/** Starts all, a few at a time; resolves when all have ended. */
async function startInTurn(members: readonly Member[], attempt: (member: Member) => Promise<void>): Promise<void> {
  const waiting = [...members];
  const attempts: Promise<void>[] = [];
  const takeTurns = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const one = attempt(next);
      attempts.push(one);
      await Promise.race([one, passed(turnMs, one)]);
    }
  };
  await Promise.all(Array.from({ length: startsAtOnce }, takeTurns));
  await Promise.all(attempts);
}

/** Resolves after a time; the clock stops when the other promise has settled. */
function passed(ms: number, unless: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    timer.unref();
    void unless.finally(() => clearTimeout(timer));
  });
}
