/** Signs of life of a long call: a tick a second while it runs, ever rising, nothing in the last one that matters. */

/** One tick. */
export interface Tick {
  /** Seconds since the call began. */
  readonly progress: number;
  readonly message: string;
}

const tickMs = 1_000;

/** Reports until disposed; the first tick comes after about a second. */
export function startProgress(state: { readonly rows: number }, report: (tick: Tick) => void): Disposable {
  const began = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    const rows = state.rows > 0 ? `, ${state.rows} rows read` : "";
    report({ progress: seconds, message: `running for ${Math.round(seconds)} s${rows}` });
  }, tickMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
