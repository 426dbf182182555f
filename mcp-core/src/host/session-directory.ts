/**
 * Legacy sessions and streams as all processes that serve together know them: whose they are, and what a process needs
 * to make a session again that another one began. Where it is kept is for whoever starts the processes.
 */
import * as v from "valibot";
import type { Peers } from "./peers.js";

/** What is kept. */
const entrySchema = v.variant("kind", [
  v.object({
    kind: v.literal("session"),
    /** The id of the principal that opened it. */
    owner: v.string(),
    /** The client's own `initialize` request: its version, name and capabilities. */
    initialize: v.record(v.string(), v.unknown()),
    logLevel: v.optional(v.string()),
    subscriptions: v.array(v.string()),
  }),
  v.object({
    kind: v.literal("stream"),
    owner: v.string(),
    /** The process that has the stream: it cannot be moved. */
    holder: v.string(),
  }),
]);

export type DirectoryEntry = Readonly<v.InferOutput<typeof entrySchema>>;
export type SessionEntry = Extract<DirectoryEntry, { kind: "session" }>;

/** @throws ValiError for what nobody of us has written */
export const parseEntry = (value: unknown): DirectoryEntry => v.parse(entrySchema, value);

/** An entry with the version that each writing changes. */
export interface FoundEntry {
  readonly entry: DirectoryEntry;
  readonly version: string;
}

/** All methods @throws CodedError where the store is away: `store_unavailable` */
export interface SessionDirectory {
  readonly peers: Peers;
  /** Undefined when it never was, has ended or was not used for too long; `touchMs`: it lives so long from now. */
  read(id: string, options?: { readonly touchMs?: number }): Promise<FoundEntry | undefined>;
  /** Resolves to the version. */
  create(id: string, entry: DirectoryEntry, ttlMs: number): Promise<string>;
  /** Changes an entry, again when another process changed it meanwhile; undefined when it is gone. */
  update(id: string, change: (entry: DirectoryEntry) => DirectoryEntry, ttlMs: number): Promise<FoundEntry | undefined>;
  touch(id: string, ttlMs: number): Promise<void>;
  remove(id: string): Promise<void>;
}
