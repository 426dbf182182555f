/**
 * Where records are kept: texts by key, each with a time to live and a version that every writing changes. Memory, a
 * folder and Redis all do exactly this, and what must not happen twice is done by comparing versions. It knows nothing of
 * what the texts are; secrets are sealed before they come here.
 */
import { CodedError } from "@database-interface/mcp-core/host";

/** A record as it is kept. */
export interface StoredRecord {
  readonly value: string;
  /** Another one after each writing. */
  readonly version: string;
}

/** How a record is read. */
export interface ReadOptions {
  /** Milliseconds it lives from now on; without it, it lives as long as it would have. */
  readonly touchMs?: number | undefined;
}

/** How a record is written. */
export interface WriteOptions {
  /** Milliseconds it lives. */
  readonly ttlMs: number;
  /** Written only while the record has this version; null: only while there is none. Without it, always. */
  readonly ifVersion?: string | null | undefined;
}

/** How a record is deleted. */
export interface DeleteOptions {
  /** Deleted only while the record has this version. */
  readonly ifVersion?: string | undefined;
}

/** A place for records. Every method answers within the store's own deadline. @throws CodedError `store_unavailable` */
export interface Store extends AsyncDisposable {
  /** Undefined when there is none, or its time is over. */
  get(key: string, options?: ReadOptions): Promise<StoredRecord | undefined>;
  /** The record's new version, undefined when `ifVersion` did not hold. */
  set(key: string, value: string, options: WriteOptions): Promise<string | undefined>;
  /** Milliseconds it would live if nobody touched it; undefined when there is none. For people. */
  remainingMs(key: string): Promise<number | undefined>;
  /** Lets a record live for so long from now; false when there is none. */
  touch(key: string, ttlMs: number): Promise<boolean>;
  /** False when there was none, or `ifVersion` did not hold. */
  delete(key: string, options?: DeleteOptions): Promise<boolean>;
  /** The keys that begin so, in no order. Walks through everything: for people and clean-up, never for a call. */
  list(prefix: string): Promise<readonly string[]>;
  /** Resolves when the store answers. @throws CodedError `store_unavailable` */
  ping(): Promise<void>;
}

/** The store does not answer, refuses, or is full; nothing is done in its place. */
export const storeUnavailable = (reason: string, cause?: unknown): CodedError =>
  new CodedError("store_unavailable", `The store of sessions cannot be used: ${reason}.`, {
    hint: "Try again in a moment. Calls without a session do not need it.",
    retryable: true,
    cause,
  });
