/**
 * What became of writes with an idempotency key, so that a retry gets the outcome and not a second write. A write that
 * surely changed nothing may be tried again under its key; one that may have is never repeated.
 */
import { CodedError } from "../host/errors.js";

/** A write under its key. */
export interface KeyedWrite {
  readonly key: string;
  /** The principal: an outcome outlives the connection its write came by. */
  readonly caller: string;
  /** The fingerprint of source, statement and parameters. */
  readonly fingerprint: string;
}

/** Outcomes of a while. */
export interface Outcomes {
  /**
   * The outcome there is or is about to be; undefined when the write has not run.
   * @throws CodedError `idempotency_conflict`, and what the write threw when its outcome is unknown
   */
  find(write: KeyedWrite): Promise<string> | undefined;
  /** Runs the write, unless one of this key is running or has run: then its outcome is given. */
  once(write: KeyedWrite, run: () => Promise<string>): Promise<string>;
}

interface Outcome {
  readonly fingerprint: string;
  readonly text: Promise<string>;
  readonly at: number;
}

/** An hour, a thousand of them. */
export const outcomeLimits = { lifetimeMs: 3_600_000, maxKept: 1_000 };

/** `now` in milliseconds, for tests. */
export function createOutcomes(limits = outcomeLimits, now: () => number = Date.now): Outcomes {
  const kept = new Map<string, Outcome>();
  const keyOf = ({ caller, key }: KeyedWrite) => JSON.stringify([caller, key]);

  function find(write: KeyedWrite): Promise<string> | undefined {
    for (const [key, { at }] of kept) {
      if (kept.size <= limits.maxKept && now() - at < limits.lifetimeMs) break;
      kept.delete(key);
    }
    const found = kept.get(keyOf(write));
    if (found === undefined || found.fingerprint === write.fingerprint) return found?.text;
    throw new CodedError("idempotency_conflict", "This idempotency key was used for another write.", {
      hint: "Nothing was run. Use a new key for a new write.",
    });
  }

  return {
    find,
    once(write, run) {
      const earlier = find(write);
      if (earlier !== undefined) return earlier;
      const text = run();
      const key = keyOf(write);
      kept.set(key, { fingerprint: write.fingerprint, text, at: now() });
      text.catch((thrown: unknown) => {
        const isUnknown = thrown instanceof CodedError && thrown.code === "outcome_unknown";
        if (!isUnknown) kept.delete(key);
      });
      return text;
    },
  };
}
