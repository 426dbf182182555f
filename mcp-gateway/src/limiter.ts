/**
 * A cap on what runs at once, in all and per account, with a bounded queue in front of it from which accounts take turns:
 * one that asks for much delays itself. It knows nothing of what runs.
 */
import { CodedError } from "@database-interface/mcp-core/host";

/** How much at once. */
export interface LimiterOptions {
  readonly name: string;
  readonly maxActive: number;
  readonly maxQueued: number;
  /** Of one account. Default: as many as in all. */
  readonly maxActivePerAccount?: number | undefined;
}

/** Lets callers in: within an account in order of arrival. */
export interface Limiter {
  readonly active: number;
  readonly queued: number;
  /** Resolves when nobody is inside or waits, or the signal fires. */
  drained(signal: AbortSignal): Promise<void>;
  /** A place until it is disposed. @throws CodedError `busy` when the queue is full; the signal's reason */
  enter(signal: AbortSignal, account: string): Promise<Disposable>;
}

interface Account {
  active: number;
  readonly waiting: Set<() => void>;
}

export function createLimiter({
  name,
  maxActive,
  maxQueued,
  maxActivePerAccount = maxActive,
}: LimiterOptions): Limiter {
  /** In the order of their turns; an account without calls is forgotten. */
  const accounts = new Map<string, Account>();
  let active = 0;
  let queued = 0;
  let usualMs = 100;
  const onEmpty = new Set<() => void>();

  function place(key: string, account: Account): Disposable {
    const began = performance.now();
    account.active++;
    active++;
    let isHeld = true;
    return {
      [Symbol.dispose]() {
        if (!isHeld) return;
        isHeld = false;
        usualMs += (performance.now() - began - usualMs) / 16;
        account.active--;
        active--;
        if (account.active === 0 && account.waiting.size === 0) accounts.delete(key);
        if (queued > 0) admit();
        if (active === 0 && queued === 0) for (const tell of onEmpty) tell();
      },
    };
  }

  const hasRoom = (account: Account): boolean => active < maxActive && account.active < maxActivePerAccount;

  /** Lets in who may, an account at a time; who has had a turn goes to the end. */
  function admit(): void {
    for (const [key, account] of [...accounts]) {
      if (active >= maxActive) return;
      const [next] = account.waiting;
      if (next === undefined || !hasRoom(account)) continue;
      account.waiting.delete(next);
      queued--;
      accounts.delete(key);
      accounts.set(key, account);
      next();
    }
  }

  function busy(): CodedError {
    const seconds = Math.max(1, Math.ceil((usualMs * queued) / maxActive / 1_000));
    return new CodedError("busy", `${name} has ${active} calls in progress and ${queued} waiting.`, {
      hint: `Try again in ${seconds} s.`,
      retryable: true,
    });
  }

  return {
    get active() {
      return active;
    },
    get queued() {
      return queued;
    },
    drained(signal) {
      if ((active === 0 && queued === 0) || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        onEmpty.add(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    },
    async enter(signal, key) {
      signal.throwIfAborted();
      const account = accounts.get(key) ?? { active: 0, waiting: new Set<() => void>() };
      if (hasRoom(account) && account.waiting.size === 0) {
        accounts.set(key, account);
        return place(key, account);
      }
      if (queued >= maxQueued) throw busy();
      accounts.set(key, account);
      return new Promise<Disposable>((resolve, reject) => {
        const proceed = (): void => {
          signal.removeEventListener("abort", leave);
          resolve(place(key, account));
        };
        const leave = (): void => {
          account.waiting.delete(proceed);
          queued--;
          if (account.active === 0 && account.waiting.size === 0) accounts.delete(key);
          reject(signal.reason);
        };
        account.waiting.add(proceed);
        queued++;
        signal.addEventListener("abort", leave, { once: true });
      });
    },
  };
}
