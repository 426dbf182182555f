/** Finding earlier entries of the history: one after the other by their beginning, and by any part of them (Ctrl-R). */

/** Entries, newest first. */
export type Entries = readonly string[];

/** The next older (1) or newer (-1) entry that begins like the typed text; undefined when there is none. */
export function neighbour(
  entries: Entries,
  from: number,
  direction: 1 | -1,
  beginning: string,
): { readonly at: number; readonly entry: string } | undefined {
  for (let at = from + direction; at >= 0 && at < entries.length; at += direction) {
    const entry = entries[at] ?? "";
    if (entry.startsWith(beginning) && entry !== entries[from]) return { at, entry };
  }
  return undefined;
}

/** A search under way. */
export interface Search {
  readonly wanted: string;
  /** The entry found last; -1 while there is none. */
  readonly at: number;
  /** True when nothing (further) holds what is wanted. */
  readonly isFailing: boolean;
}

/** A search that looks for nothing yet. */
export const newSearch: Search = { wanted: "", at: -1, isFailing: false };

/** The search after a key: more text, less text, or a step to the next older or newer entry. */
export function continueSearch(
  entries: Entries,
  search: Search,
  change: { readonly type: string } | "shorter" | "older" | "newer",
): Search {
  if (change === "shorter") return find(entries, search.wanted.slice(0, -1), 0, 1, search.at);
  if (change === "older") return find(entries, search.wanted, search.at + 1, 1, search.at);
  if (change === "newer") return find(entries, search.wanted, search.at - 1, -1, search.at);
  return find(entries, search.wanted + change.type, Math.max(0, search.at), 1, search.at);
}

function find(entries: Entries, wanted: string, from: number, direction: 1 | -1, last: number): Search {
  const lower = wanted.toLowerCase();
  for (let at = from; wanted !== "" && at >= 0 && at < entries.length; at += direction) {
    if (entries[at]?.toLowerCase().includes(lower)) return { wanted, at, isFailing: false };
  }
  return { wanted, at: wanted === "" ? -1 : last, isFailing: wanted !== "" };
}
