/** A cap on what runs at once, with a bounded queue in front of it. It knows nothing of what runs. */
import { CodedError } from "@database-interface/mcp-core/host";

/** How much at once. */
export interface LimiterOptions {
  readonly name: string;
  readonly maxActive: number;
  readonly maxQueued: number;
}

/** Lets callers in, in order of arrival. */
export interface Limiter {
  readonly active: number;
  readonly queued: number;
  /** A place until it is disposed. @throws CodedError `busy` when the queue is full; the signal's reason */
  enter(signal: AbortSignal): Promise<Disposable>;
}

export function createLimiter({ name, maxActive, maxQueued }: LimiterOptions): Limiter {
  const waiting = new Set<() => void>();
  let active = 0;
  const place = (): Disposable => {
    let isHeld = true;
    return {
      [Symbol.dispose]() {
        if (!isHeld) return;
        isHeld = false;
        const [next] = waiting;
        if (next === undefined) active--;
        else {
          waiting.delete(next);
          next(); // the place passes on
        }
      },
    };
  };
  return {
    get active() {
      return active;
    },
    get queued() {
      return waiting.size;
    },
    async enter(signal) {
      signal.throwIfAborted();
      if (active < maxActive) {
        active++;
        return place();
      }
      if (waiting.size >= maxQueued) {
        throw new CodedError("busy", `${name} has ${maxActive} calls in progress and ${maxQueued} waiting.`, {
          hint: "Try again in a few seconds.",
          retryable: true,
        });
      }
      return new Promise<Disposable>((resolve, reject) => {
        const proceed = (): void => {
          signal.removeEventListener("abort", leave);
          resolve(place());
        };
        const leave = (): void => {
          waiting.delete(proceed);
          reject(signal.reason);
        };
        waiting.add(proceed);
        signal.addEventListener("abort", leave, { once: true });
      });
    },
  };
}
