/**
 * The era a server of unknown era is greeted in first: as it spoke lately, for a day, or not as it was greeted when it
 * went away. A wrong guess costs one more message; it decides nothing.
 */
import type { Era } from "./handshake.js";

/** What a server was found to speak. */
export interface FoundEra {
  readonly era: Era;
  /** Milliseconds since 1970. */
  readonly foundAt: number;
}

/** One server's greetings. */
export interface Greeting {
  /** What is known, for the next time. */
  readonly found: FoundEra | undefined;
  /** The era to try first now. */
  first(): Era;
  answered(era: Era): void;
  /**
   * It went away instead of answering: some legacy servers end when they are asked what they don't know. True if it is
   * worth greeting it the other way at once: nothing is known of it yet.
   */
  ended(first: Era): boolean;
}

const ttlMs = 24 * 3_600_000;

/** `found`: from an earlier time; `now`: milliseconds since 1970. */
export function createGreeting(found: FoundEra | undefined, now: () => number = Date.now): Greeting {
  let known = found;
  let next: Era | undefined;
  const likely = (): Era | undefined => (known !== undefined && now() - known.foundAt < ttlMs ? known.era : undefined);
  return {
    get found() {
      return known;
    },
    first: () => next ?? likely() ?? "modern",
    answered(era) {
      next = undefined;
      if (likely() !== era) known = { era, foundAt: now() };
    },
    ended(first) {
      const isNew = known === undefined && next === undefined;
      next = first === "modern" ? "legacy" : "modern";
      return isNew;
    },
  };
}
