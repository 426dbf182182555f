/**
 * Paged results that stay open between calls: how many, how long, and by which token the next page is fetched. Each page
 * hands out a fresh token that works once. It knows nothing of SQL, tools or JSON.
 */
import { randomBytes } from "node:crypto";
import { CodedError } from "../host/errors.js";
import type { ResultFacts } from "./call-record.js";
import type { Cell, RowCursor } from "./database.js";
import type { CursorLimits } from "./limits.js";

/** A result being read page by page. */
export interface OpenResult {
  /** Whose it is: to everybody else its tokens never were. */
  readonly principal: string;
  readonly sql: string;
  readonly source: string;
  readonly cursor: RowCursor;
  /** Rows fetched that no page had room for yet. */
  readonly leftover: (readonly Cell[])[];
  /** Mean bytes of a row so far, to fetch about as many as a page holds. */
  rowBytes: number;
  /** What the audit says of each of its pages. */
  readonly facts?: ResultFacts | undefined;
}

/** The shelf of open results. */
export interface Cursors extends AsyncDisposable {
  readonly openCount: number;
  /**
   * Takes a place for a new result before it is opened.
   * @throws CodedError `cursor_limit`
   */
  reserve(source: string, maxOpenOfSource: number): CursorPlace;
  /**
   * Takes the result that a principal's token stands for off the shelf; the token is spent unless `check` throws.
   * @throws CodedError `cursor_unknown`, `cursor_expired`
   */
  take(token: string, principal: string, check?: (result: OpenResult) => void): HeldResult;
}

/** A place on the shelf, to be filled or given back. */
export interface CursorPlace {
  hold(result: OpenResult): HeldResult;
  release(): void;
}

/** A result while one call reads from it: put back for the next page, or closed. */
export interface HeldResult extends AsyncDisposable {
  readonly result: OpenResult;
  /** Puts it back and returns the token of the next page. */
  keep(): string;
}

/** What a test replaces. */
export interface CursorClock {
  now(): number;
  /** Calls back after a time unless cancelled first; never keeps the process alive. */
  schedule(callback: () => void, afterMs: number): () => void;
}

const systemClock: CursorClock = {
  now: () => performance.now(),
  schedule(callback, afterMs) {
    const timer = setTimeout(callback, afterMs).unref();
    return () => clearTimeout(timer);
  },
};

type Fate = "used" | "expired";

interface Spent {
  readonly fate: Fate;
  readonly principal: string;
}

const rememberedTokens = 1_000;

/** A shelf with these limits; disposing it closes every open result. */
export function createCursors(limits: CursorLimits, clock: CursorClock = systemClock): Cursors {
  const waiting = new Map<string, { held: HeldResult; cancelExpiry: () => void }>();
  const places = new Map<symbol, string>();
  const open = new Map<symbol, OpenResult>();
  const spent = new Map<string, Spent>();
  let closed = false;

  function remember(token: string, fate: Fate, { principal }: OpenResult): void {
    spent.set(token, { fate, principal });
    const [oldest] = spent.keys();
    if (spent.size > rememberedTokens && oldest !== undefined) spent.delete(oldest);
  }

  function fateOf(token: string, principal: string): Fate | undefined {
    const known = spent.get(token);
    return known?.principal === principal ? known.fate : undefined;
  }

  async function close(place: symbol): Promise<void> {
    const result = open.get(place);
    open.delete(place);
    places.delete(place);
    await result?.cursor[Symbol.asyncDispose]();
  }

  function holdAt(place: symbol, result: OpenResult): HeldResult {
    const endsAt = clock.now() + limits.lifetimeMs;
    let kept = false;
    open.set(place, result);
    const held: HeldResult = {
      result,
      keep() {
        const token = randomBytes(16).toString("base64url");
        const remainingMs = closed ? 0 : Math.max(0, Math.min(limits.idleMs, endsAt - clock.now()));
        const cancelExpiry = clock.schedule(() => {
          waiting.delete(token);
          remember(token, "expired", result);
          close(place).catch(() => {}); // the connection is gone either way; the pool replaces it
        }, remainingMs);
        waiting.set(token, { held, cancelExpiry });
        kept = true;
        return token;
      },
      async [Symbol.asyncDispose]() {
        if (!kept) await close(place);
        kept = false;
      },
    };
    return held;
  }

  return {
    get openCount() {
      return places.size;
    },
    reserve(source, maxOpenOfSource) {
      const ofSource = [...places.values()].filter((name) => name === source).length;
      if (ofSource >= maxOpenOfSource) throw tooManyOpen(ofSource, `on source ${source}`, limits);
      if (places.size >= limits.maxOpen) throw tooManyOpen(places.size, "in this server", limits);
      const place = Symbol(source);
      places.set(place, source);
      return { hold: (result) => holdAt(place, result), release: () => void places.delete(place) };
    },
    take(token, principal, check) {
      const entry = waiting.get(token);
      if (entry?.held.result.principal !== principal) throw tokenError(fateOf(token, principal), limits);
      check?.(entry.held.result);
      waiting.delete(token);
      remember(token, "used", entry.held.result);
      entry.cancelExpiry();
      return entry.held;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const { cancelExpiry } of waiting.values()) cancelExpiry();
      waiting.clear();
      await Promise.allSettled([...open.keys()].map(close));
    },
  };
}

const reopen = 'Run the statement again with cursor:"start".';

function tokenError(fate: Fate | undefined, limits: CursorLimits): CodedError {
  switch (fate) {
    case "used":
      return new CodedError("cursor_unknown", "This cursor's page was fetched already; each cursor works once.", {
        hint: `Use the next_cursor of the newest page. To begin anew: ${reopen}`,
      });
    case "expired":
      return new CodedError(
        "cursor_expired",
        "This paged result was closed because nobody fetched its next page in time.",
        {
          hint: `${reopen} Fetch pages within ${limits.idleMs / 1000} s of each other and ${limits.lifetimeMs / 60_000} min in all.`,
        },
      );
    case undefined:
      return new CodedError("cursor_unknown", "There is no such cursor.", {
        hint: `Pass the next_cursor of a page exactly as it came. ${reopen}`,
      });
  }
}

function tooManyOpen(count: number, where: string, limits: CursorLimits): CodedError {
  return new CodedError("cursor_limit", `${count} paged results are open ${where}, which is all there may be.`, {
    hint: `Read one to its end, wait (an unread one closes after ${limits.idleMs / 1000} s), or query without a cursor.`,
    retryable: true,
  });
}
