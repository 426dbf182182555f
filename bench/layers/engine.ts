/**
 * What a table of layers needs of an engine: a private server that can be put back to how it was, and sessions on it
 * with the layers that are wanted and no other.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { CorpusRow, Place } from "../../tests/safety/corpus.js";

export const layerNames = [
  "nothing",
  "understanding",
  "read-only session and transaction",
  "one statement",
  "time limits",
  "reset",
  "limits",
] as const;

export type LayerName = (typeof layerNames)[number] | "all";

/** What came back of a call. */
export interface Reply {
  /** Rows or error, as text; the first megabyte. */
  readonly text: string;
  readonly ending: "answered" | "failed" | "refused" | "cut";
}

/** A session with one layer in place. */
export interface LayerSession extends AsyncDisposable {
  /** Runs the text as one call. A call that we have to cut, for its time or its bytes, is `cut`. */
  call(sql: string): Promise<Reply>;
  /** What the next call would find on it; undefined when a new session would take its place. */
  left(): Promise<string | undefined>;
  /** The most memory that the server used for it, in bytes. */
  peakBytes(): number;
}

/** The server, and a view on it from outside. */
export interface Engine extends AsyncDisposable {
  readonly name: string;
  readonly administrator: string;
  readonly place: Place;
  /** A statement with its placeholders filled. */
  fill(sql: string): string;
  /** Everything outside of the session that a row can change; fails where the server is down or will not answer. */
  state(): Promise<string>;
  open(layer: LayerName, url: string): Promise<LayerSession>;
  /** Puts the server back to how it was. */
  restore(): Promise<void>;
  /** Memory for one call that counts as an effect, in bytes. */
  readonly maxBytes: number;
}

/** How long a call may take that is told to take one second: the corpora's own rule. */
export const timeLimitMs = 1_000;
export const maxCallMs = timeLimitMs + 2_500;
/** What a client receives of one call at most. */
export const maxReplyBytes = 30_000_000;

/** Oracles of rows whose effect cannot be told afterwards: having run is the effect. */
const ranIsEffect = new Set(["misc", "tlock"]);

/** What a row did, in a word; undefined for nothing. */
export async function effectOf(engine: Engine, layer: LayerName, user: string, row: CorpusRow): Promise<Outcome> {
  const before = await engine.state();
  const session = await engine.open(layer, engine.place.urlOf(user));
  let effect: string | undefined;
  let isRefused = false;
  try {
    const fresh = await session.left();
    const replies: Reply[] = [];
    for (const sql of [row.sql, ...(row.then ?? [])]) replies.push(await session.call(engine.fill(sql)));
    isRefused = replies[0]?.ending === "refused";
    if (replies.some(({ ending }) => ending === "cut")) effect = "cut";
    else if (row.leak !== undefined && replies.some(({ text }) => text.includes(row.leak ?? ""))) effect = "leak";
    else if (ranIsEffect.has(row.oracle ?? "") && replies[0]?.ending === "answered") effect = "ran";
    else if (session.peakBytes() > engine.maxBytes) effect = "memory";
    const left = await session.left();
    if (left !== undefined && left !== fresh) effect ??= "session";
    // The log is read once it is written out, which a server may put off.
    if (row.oracle === "wal") await sleep(500);
    if ((await engine.state().catch(() => "unreachable")) !== before) effect ??= "world";
  } finally {
    await session[Symbol.asyncDispose]();
  }
  if ((await engine.state().catch(() => "unreachable")) !== before) await engine.restore();
  return { effect, isRefused };
}

export interface Outcome {
  readonly effect: string | undefined;
  /** It was not sent. */
  readonly isRefused: boolean;
}
