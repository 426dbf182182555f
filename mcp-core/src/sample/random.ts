/** Numbers that look random and are the same on every machine: a seeded generator, nothing of the clock. */

/** Draws from one seed. */
export interface Draw {
  /** A fraction in [0, 1). */
  fraction(): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  /** One of the values. */
  pick<Value>(values: readonly Value[]): Value;
  /** True in `share` of the draws. */
  chance(share: number): boolean;
}

/** A sequence of draws from a seed (mulberry32: 32 bits of state, ample for a sample). */
export function createDraw(seed: number): Draw {
  let state = seed >>> 0;
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number) => low + Math.floor(fraction() * (high - low + 1));
  return {
    fraction,
    between,
    pick(values) {
      const chosen = values[between(0, values.length - 1)];
      if (chosen === undefined) throw new RangeError("Nothing to pick from.");
      return chosen;
    },
    chance: (share) => fraction() < share,
  };
}
