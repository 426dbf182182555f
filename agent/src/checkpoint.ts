/**
 * LangGraph's checkpoints over keyv, sealed. One record a checkpoint and one for its pending writes, found through one
 * entry a thread; whatever changes a thread waits for its turn in this process. Knows nothing of what a state means.
 */
import { createHash } from "node:crypto";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointTuple,
  compareWritesSortKeys,
  copyCheckpoint,
  maxChannelVersion,
  type PendingWrite,
  TASKS,
  WRITES_IDX_MAP,
  writesSortKey,
} from "@langchain/langgraph-checkpoint";
import { AgentError } from "./errors.js";
import type { SessionStore } from "./store/open-store.js";
import { type KeyRing, open, seal } from "./store/seal.js";

/** What a thread has: its own id and, by namespace, the ids of its checkpoints. */
interface ThreadEntry {
  readonly thread: string;
  readonly updatedAt: string;
  readonly checkpoints: Record<string, string[]>;
}

/** A value as the serialiser wrote it. */
type Typed = readonly [type: string, base64: string];
interface CheckpointRecord {
  /** Without its channels' values. */
  readonly checkpoint: Typed;
  readonly values: Readonly<Record<string, Typed>>;
  readonly metadata: Typed;
  readonly parent?: string | undefined;
}
interface WriteRecord {
  readonly task: string;
  readonly index: number;
  readonly path: string;
  readonly channel: string;
  readonly value: Typed;
}

/** A thread as `db-agent sessions` lists it. */
export interface StoredThread {
  readonly thread: string;
  readonly updatedAt: string;
  readonly checkpoints: number;
}

/** The saver. Whoever opened the store closes it. */
export class SealedCheckpointer extends BaseCheckpointSaver {
  readonly #store: SessionStore;
  readonly #keys: KeyRing;
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(store: SessionStore, keys: KeyRing) {
    super();
    this.#store = store;
    this.#keys = keys;
  }

  async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { thread, namespace, checkpoint } = placeOf(config);
    if (thread === undefined) return undefined;
    const id = checkpoint ?? (await this.#entryOf(thread))?.checkpoints[namespace]?.toSorted().at(-1);
    return id === undefined ? undefined : this.#tuple(thread, namespace, id);
  }

  async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const { thread, checkpoint } = placeOf(config);
    const wanted: unknown = config.configurable?.checkpoint_ns;
    const before: unknown = options.before?.configurable?.checkpoint_id;
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    const threads = thread === undefined ? (await this.threads()).map((stored) => stored.thread) : [thread];
    for (const one of threads) {
      const namespaces = Object.entries((await this.#entryOf(one))?.checkpoints ?? {});
      for (const [namespace, ids] of namespaces) {
        if (wanted !== undefined && namespace !== wanted) continue;
        for (const id of ids.toSorted().reverse()) {
          if (left <= 0) return;
          if (checkpoint !== undefined && id !== checkpoint) continue;
          if (typeof before === "string" && id >= before) continue;
          const tuple = await this.#tuple(one, namespace, id);
          if (tuple === undefined || !fits(tuple.metadata, options.filter)) continue;
          left -= 1;
          yield tuple;
        }
      }
    }
  }

  async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { thread, namespace, checkpoint: parent } = placeOf(config);
    if (thread === undefined) throw missing("thread_id");
    const { channel_values: values, ...rest } = copyCheckpoint(checkpoint);
    const metadataText = await this.#dump(metadata);
    await this.#inTurn(thread, async () => {
      const record: CheckpointRecord = {
        checkpoint: await this.#dump({ ...rest, channel_values: {} }),
        values: await this.#valuesOf(values, newVersions, thread, namespace, parent),
        metadata: metadataText,
        parent,
      };
      await this.#write(thread, recordField("checkpoint", namespace, checkpoint.id), record);
      const { checkpoints = {} } = (await this.#entryOf(thread)) ?? {};
      const ids = new Set(checkpoints[namespace]).add(checkpoint.id);
      const entry: ThreadEntry = {
        thread,
        updatedAt: new Date().toISOString(),
        checkpoints: { ...checkpoints, [namespace]: [...ids] },
      };
      const key = keyOf(thread);
      await this.#store.threads.set(key, seal(JSON.stringify(entry), { thread: key, field: "thread" }, this.#keys));
    });
    return { configurable: { thread_id: thread, checkpoint_ns: namespace, checkpoint_id: checkpoint.id } };
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], task: string, path = ""): Promise<void> {
    const { thread, namespace, checkpoint } = placeOf(config);
    if (thread === undefined) throw missing("thread_id");
    if (checkpoint === undefined) throw missing("checkpoint_id");
    const added: WriteRecord[] = await Promise.all(
      writes.map(async ([channel, value], position) => ({
        task,
        path,
        channel,
        index: WRITES_IDX_MAP[channel] ?? position,
        value: await this.#dump(value),
      })),
    );
    const field = recordField("writes", namespace, checkpoint);
    await this.#inTurn(thread, async () => {
      const kept = (await this.#read<WriteRecord[]>(thread, field)) ?? [];
      for (const write of added) {
        const at = kept.findIndex((one) => one.task === write.task && one.index === write.index);
        if (at === -1) kept.push(write);
        else if (write.index < 0) kept[at] = write; // errors and interrupts take the place of earlier ones
      }
      await this.#write(thread, field, kept);
    });
  }

  override async deleteThread(thread: string): Promise<void> {
    await this.#inTurn(thread, async () => {
      for (const [namespace, ids] of Object.entries((await this.#entryOf(thread))?.checkpoints ?? {})) {
        for (const id of ids) {
          for (const kind of ["checkpoint", "writes"]) {
            await this.#store.records.delete(recordKey(thread, recordField(kind, namespace, id)));
          }
        }
      }
      await this.#store.threads.delete(keyOf(thread));
    });
  }

  /** The right to work on a thread, until disposed; undefined while another process has it. */
  claim(thread: string): Promise<AsyncDisposable | undefined> {
    return this.#store.claims.take(keyOf(thread));
  }

  /** Every thread these keys open, latest first. */
  async threads(): Promise<readonly StoredThread[]> {
    const found: StoredThread[] = [];
    for await (const pair of this.#store.threads.iterator?.({}) ?? []) {
      const [key, sealed]: [string, string] = pair as [string, string]; // what put stored
      const entry = openEntry(key, sealed, this.#keys);
      if (entry === undefined) continue;
      const checkpoints = Object.values(entry.checkpoints).flat().length;
      found.push({ thread: entry.thread, updatedAt: entry.updatedAt, checkpoints });
    }
    return found.sort((a, b) => b.updatedAt.localeCompare(a.updatedAt));
  }

  async #tuple(thread: string, namespace: string, id: string): Promise<CheckpointTuple | undefined> {
    const record = await this.#read<CheckpointRecord>(thread, recordField("checkpoint", namespace, id));
    if (record === undefined) return undefined;
    const checkpoint: Checkpoint = await this.#load(record.checkpoint);
    for (const [channel, value] of Object.entries(record.values)) {
      checkpoint.channel_values[channel] = await this.#load(value);
    }
    const { parent } = record;
    if (checkpoint.v < 4 && parent !== undefined) await this.#addPendingSends(checkpoint, thread, namespace, parent);
    const place = { thread_id: thread, checkpoint_ns: namespace };
    return {
      config: { configurable: { ...place, checkpoint_id: id } },
      checkpoint,
      metadata: await this.#load(record.metadata),
      pendingWrites: await Promise.all(
        (await this.#writesOf(thread, namespace, id)).map(async ({ task, channel, value }) => {
          const write: [string, string, unknown] = [task, channel, await this.#load(value)];
          return write;
        }),
      ),
      ...(parent === undefined ? {} : { parentConfig: { configurable: { ...place, checkpoint_id: parent } } }),
    };
  }

  /** What changed is written anew; what did not comes from the parent, as it is written there. */
  async #valuesOf(
    values: Readonly<Record<string, unknown>>,
    changed: ChannelVersions,
    thread: string,
    namespace: string,
    parent: string | undefined,
  ): Promise<Record<string, Typed>> {
    const inherited =
      parent === undefined
        ? undefined
        : await this.#read<CheckpointRecord>(thread, recordField("checkpoint", namespace, parent));
    const kept: [string, Typed][] = [];
    for (const [channel, value] of Object.entries(values)) {
      const same = channel in changed ? undefined : inherited?.values[channel];
      if (same !== undefined) kept.push([channel, same]);
      else if (channel in changed || parent !== undefined) kept.push([channel, await this.#dump(value)]);
    }
    return Object.fromEntries(kept);
  }

  /** Checkpoints before format 4 kept sends as writes of their parent. */
  async #addPendingSends(checkpoint: Checkpoint, thread: string, namespace: string, parent: string): Promise<void> {
    const sends = (await this.#writesOf(thread, namespace, parent)).filter(({ channel }) => channel === TASKS);
    checkpoint.channel_values[TASKS] = await Promise.all(sends.map(({ value }) => this.#load(value)));
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_versions[TASKS] =
      versions.length > 0 ? maxChannelVersion(...versions) : this.getNextVersion(undefined);
  }

  async #writesOf(thread: string, namespace: string, id: string): Promise<WriteRecord[]> {
    const writes = (await this.#read<WriteRecord[]>(thread, recordField("writes", namespace, id))) ?? [];
    const sortKey = ({ path, task, index }: WriteRecord) => writesSortKey(path, task, index);
    return writes.sort((a, b) => compareWritesSortKeys(sortKey(a), sortKey(b)));
  }

  async #entryOf(thread: string): Promise<ThreadEntry | undefined> {
    const key = keyOf(thread);
    const sealed = await this.#store.threads.get(key);
    return sealed === undefined ? undefined : JSON.parse(open(sealed, { thread: key, field: "thread" }, this.#keys));
  }

  async #read<T>(thread: string, field: string): Promise<T | undefined> {
    const sealed = await this.#store.records.get(recordKey(thread, field));
    return sealed === undefined ? undefined : JSON.parse(open(sealed, { thread: keyOf(thread), field }, this.#keys));
  }

  async #write(thread: string, field: string, record: unknown): Promise<void> {
    const sealed = seal(JSON.stringify(record), { thread: keyOf(thread), field }, this.#keys);
    await this.#store.records.set(recordKey(thread, field), sealed);
  }

  async #dump(value: unknown): Promise<Typed> {
    const [type, bytes] = await this.serde.dumpsTyped(value);
    return [type, Buffer.from(bytes).toString("base64")];
  }

  #load([type, base64]: Typed) {
    return this.serde.loadsTyped(type, Buffer.from(base64, "base64"));
  }

  async #inTurn<T>(thread: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(thread) ?? Promise.resolve()).then(work, work);
    this.#turns.set(thread, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(thread) === turn) this.#turns.delete(thread);
    }
  }
}

/** The reference id opens a session: a store's keys show only its digest. */
const keyOf = (thread: string): string => createHash("sha256").update(thread).digest("base64url");
const recordField = (kind: string, namespace: string, id: string): string => JSON.stringify([kind, namespace, id]);
const recordKey = (thread: string, field: string): string =>
  `${keyOf(thread)}.${createHash("sha256").update(field).digest("base64url")}`;

function placeOf({ configurable = {} }: RunnableConfig) {
  const { thread_id: thread, checkpoint_ns: namespace, checkpoint_id: checkpoint } = configurable;
  return {
    thread: thread === undefined ? undefined : String(thread),
    namespace: String(namespace ?? ""),
    checkpoint: checkpoint === undefined || checkpoint === "" ? undefined : String(checkpoint),
  };
}

function openEntry(key: string, sealed: string, keys: KeyRing): ThreadEntry | undefined {
  try {
    return JSON.parse(open(sealed, { thread: key, field: "thread" }, keys));
  } catch {
    return undefined; // sealed by another's keys
  }
}

const fits = (metadata: CheckpointMetadata | undefined, filter: Record<string, unknown> = {}): boolean =>
  Object.entries(filter).every(([name, value]) =>
    Object.entries(metadata ?? {}).some(([a, b]) => a === name && b === value),
  );

const missing = (field: string): AgentError => new AgentError("internal", `A checkpoint came without its ${field}.`);
