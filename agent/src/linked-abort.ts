/**
 * Signals that fire with others. `AbortSignal.any` holds both sides weakly on Node 20, so that a garbage collection may
 * part them; these hold until they are disposed.
 */

/** A signal of one's own. Disposing it ends its tie to the other. */
export interface LinkedAbort extends Disposable {
  readonly signal: AbortSignal;
  abort(): void;
}

/** Aborts with `source`, for its reason, or when told. */
export function linkedAbort(source: AbortSignal | undefined): LinkedAbort {
  const controller = new AbortController();
  const follow = (): void => controller.abort(source?.reason);
  if (source?.aborted) follow();
  else source?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    [Symbol.dispose]: () => source?.removeEventListener("abort", follow),
  };
}
