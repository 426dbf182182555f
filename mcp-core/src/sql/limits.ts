/**
 * Every bound on a call, in one place. What a call asks for counts only below what the configuration allows, and that
 * only below what the suite allows at all.
 */

/** Bounds that an operator sets. */
export interface LimitSettings {
  /** Rows of a result or page at most. Default 1000. */
  readonly maxRows: number;
  /** Bytes of UTF-8 in a reply's text at most, everything in it counted. Default 65,536. */
  readonly maxBytes: number;
  /** Server-side time of a statement in milliseconds. Default 30,000. */
  readonly timeoutMs: number;
}

/** The bounds of one call. */
export interface Caps extends LimitSettings {
  /** Bytes of UTF-8 of one cell at most; a longer one is cut and marked with its full length. */
  readonly maxCellBytes: number;
  /** Bytes read from the connection at most. */
  readonly maxWireBytes: number;
}

/** What a call may ask for itself. */
export interface CallLimits {
  readonly maxRows?: number | undefined;
}

/** The settings' defaults. */
export const defaultLimits: LimitSettings = { maxRows: 1_000, maxBytes: 65_536, timeoutMs: 30_000 };

/** The values each setting may have. */
export const limitRanges = {
  maxRows: { least: 1, most: 1_000_000 },
  maxBytes: { least: 1_024, most: 8 * 1024 * 1024 },
  timeoutMs: { least: 100, most: 3_600_000 },
  poolSize: { least: 1, most: 100 },
  catalogTtlMs: { least: 0, most: 86_400_000 },
  resultTtlMs: { least: 0, most: 3_600_000 },
} as const;

/** Bytes of SQL at most: what every parser and log in the way still takes easily. */
export const maxSqlBytes = 100_000;
/** Bytes of UTF-8 of one cell: a long comment or a small document, and sixteen of them fill the default reply. */
export const maxCellBytes = 4_096;
/** Bytes read from a connection for one call: a full reply of the largest size, and the rows thrown away around it. */
export const maxWireBytes = 32 * 1024 * 1024;

/** How long a call may take beyond its statement's time: getting a connection, and the cancel's own way. */
export const callGraceMs = 15_000;
/** How long the search for nearest names may hold up an error. */
export const hintDeadlineMs = 1_000;
/** How long one source may hold up a list of resources or a completion. */
export const listingDeadlineMs = 3_000;

/** Bounds of paged results: each holds a connection and a snapshot. */
export interface CursorLimits {
  readonly maxOpen: number;
  readonly idleMs: number;
  readonly lifetimeMs: number;
}

/** 32 in a process, two minutes between pages, fifteen minutes in all. */
export const cursorLimits: CursorLimits = { maxOpen: 32, idleMs: 120_000, lifetimeMs: 900_000 };

/** Paged results one source may hold: half its pool, so that other calls always find a connection. */
export function maxCursorsOf(poolSize: number): number {
  return Math.max(1, Math.floor(poolSize / 2));
}

/** The bounds of a call: the smaller of what it asks for and what the settings allow. */
export function capsOf(settings: LimitSettings, call: CallLimits = {}): Caps {
  return {
    maxRows: Math.min(call.maxRows ?? settings.maxRows, settings.maxRows),
    maxBytes: settings.maxBytes,
    timeoutMs: settings.timeoutMs,
    maxCellBytes,
    maxWireBytes,
  };
}
