/**
 * Equal reads at the same time as one: who comes while it runs waits for the same answer, unless the database says that
 * the statement answers differently each time. It stops when the last one who waits has gone.
 */
import type { CallOptions, StatementFacts } from "./database.js";

/** A result as the client reads it. */
export interface ReadResult {
  readonly text: string;
  readonly rows: number;
}

/** Reads from the database; `observe` has to be told what the statement is. */
export type AskDatabase = (
  options: CallOptions & { readonly observe: (facts: StatementFacts) => void },
) => Promise<ReadResult>;

/** A read's result and what the database understood of it. */
interface Landed {
  readonly result: ReadResult;
  readonly facts: StatementFacts;
}

interface Flight {
  readonly landed: Promise<Landed>;
  /** Whether its answer may be another's too, as soon as that is known. */
  readonly isShared: Promise<boolean>;
  readonly stop: AbortController;
  waiting: number;
}

export interface Flights {
  /** `isFresh`: not with one that has begun before. */
  fly(key: string, ask: AskDatabase, call: CallOptions & { readonly isFresh: boolean }): Promise<Landed>;
}

export function createFlights(): Flights {
  const flights = new Map<string, Flight>();

  function depart(key: string, ask: AskDatabase): Flight {
    const stop = new AbortController();
    let facts: StatementFacts = {};
    let decide: (isShared: boolean) => void = () => {};
    const isShared = new Promise<boolean>((resolve) => {
      decide = resolve;
    });
    const observe = (seen: StatementFacts) => {
      facts = { ...facts, ...seen };
      if (seen.isRepeatable !== undefined) decide(seen.isRepeatable);
    };
    const landed = ask({ signal: stop.signal, observe })
      .then((result) => ({ result, facts }))
      .finally(() => {
        decide(false); // refused before it was known: each hears that for itself
        leave(key, flight);
      });
    const flight: Flight = { landed, isShared, stop, waiting: 0 };
    flights.set(key, flight);
    return flight;
  }

  function leave(key: string, flight: Flight): void {
    if (flights.get(key) === flight) flights.delete(key);
  }

  async function board(key: string, flight: Flight, { signal }: CallOptions): Promise<Landed> {
    flight.waiting++;
    let abort = () => {};
    const gone = new Promise<never>((_, reject) => {
      abort = () => {
        if (--flight.waiting > 0) return reject(signal.reason);
        // nobody waits any more: the last one is told when it has stopped on the server
        leave(key, flight);
        flight.stop.abort(signal.reason);
      };
    });
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([flight.landed, gone]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  return {
    async fly(key, ask, call) {
      const running = call.isFresh ? undefined : flights.get(key);
      if (running !== undefined && (await running.isShared) && !running.stop.signal.aborted)
        return await board(key, running, call);
      return await board(key, depart(key, ask), call);
    },
  };
}
