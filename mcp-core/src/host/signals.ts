/**
 * Signals that fire with others, or after a time, and that live as long as somebody listens. `AbortSignal.any` alone does
 * not: on Node 20 it holds its sources weakly, so that a garbage collection loses the timeout of
 * `any([signal, AbortSignal.timeout(ms)])`, and with it the deadline (seen on 20.20; 24 holds them).
 */

/** What a joined signal was made from; it lives as long as the joined one. */
const sources = new WeakMap<AbortSignal, readonly AbortSignal[]>();

/** Fires with the first of these, for its reason. */
export function anySignal(signals: readonly AbortSignal[]): AbortSignal {
  const joined = AbortSignal.any([...signals]);
  sources.set(joined, signals);
  return joined;
}

/** Fires when the signal does, or with a `TimeoutError` after so many milliseconds. */
export const withTimeout = (signal: AbortSignal, ms: number): AbortSignal =>
  anySignal([signal, AbortSignal.timeout(ms)]);
