/**
 * The audit trail of a process: records go into a bounded queue and from there, in batches, to the end of its chain.
 * It knows nothing of calls or statements. When the disk fails it says so, keeps what it can, counts what it loses, and
 * where the trail is required tells every caller that there is none.
 */
import { CodedError } from "../errors.js";
import { writeAnchor } from "./anchor.js";
import { type ChainOptions, closeFiles, isInPlace, nextFile, type OpenChain, openChain } from "./chain.js";
import { type Body, toLine } from "./line.js";

/** When the system is told to put what was written on the disk itself. */
export const auditSyncs = ["always", "second", "never"] as const;

/** How a trail is written. */
export interface TrailOptions extends ChainOptions {
  /** Fail closed: `append` rejects when the record is not written. Default false: it resolves at once. */
  readonly isRequired: boolean;
  /** Bytes of a file at most, before the next one begins. */
  readonly maxFileBytes: number;
  readonly sync: (typeof auditSyncs)[number];
  /** Records waiting at most. Default 10,000. */
  readonly maxQueued?: number;
}

/** Where records are put. */
export interface AuditTrail extends AsyncDisposable {
  readonly isRequired: boolean;
  readonly status: TrailStatus;
  /** Adds a record. @throws CodedError `audit_unavailable` when the trail is required and cannot be written */
  append(record: Body): Promise<void>;
  /** Resolves when records can be written, after trying anew. @throws CodedError `audit_unavailable` */
  ready(): Promise<void>;
}

/** How the trail is. */
export interface TrailStatus {
  /** Records in the files. */
  readonly written: number;
  /** Records that are in no file and never will be. */
  readonly lost: number;
  readonly isFailing: boolean;
}

interface Waiting {
  readonly body: Body;
  resolve(): void;
  reject(error: CodedError): void;
}

const retryMs = 1_000;
const closeMs = 5_000;
const batchRecords = 500;

/** Opens the trail. @throws CodedError `audit_unavailable` when it is required and cannot be written */
export async function openAuditTrail(options: TrailOptions): Promise<AuditTrail> {
  const { log, isRequired, folder, key, sync, maxFileBytes, maxQueued = 10_000 } = options;
  const queue: Waiting[] = [];
  const status = { written: 0, lost: 0, isFailing: false };
  /** Lost records that no record tells of yet. */
  let untold = 0;
  let chain: OpenChain | undefined;
  let isDirty = false;
  let lookedAt = performance.now();
  let draining: Promise<void> | undefined;
  let disposal: Promise<void> | undefined;

  const timer = setInterval(() => {
    if (status.isFailing) void drain();
    else if (isDirty && sync === "second") void toDisk().catch(failed);
  }, retryMs).unref();

  function drain(): Promise<void> {
    draining ??= (async () => {
      do {
        const batch = queue.splice(0, batchRecords);
        try {
          await write(batch.map(({ body }) => body));
          for (const { resolve } of batch) resolve();
        } catch (error) {
          failed(error);
          giveBack(batch);
          break;
        }
      } while (queue.length > 0);
    })().finally(() => {
      draining = undefined;
    });
    return draining;
  }

  async function write(bodies: readonly Body[]): Promise<void> {
    chain ??= await openChain(options);
    await lookAfter(chain);
    const gap = untold;
    const all = gap === 0 ? bodies : [{ time: new Date().toISOString(), event: "gap", lost: gap }, ...bodies];
    if (all.length > 0) await append(all);
    untold -= gap;
    status.written += bodies.length;
    if (status.isFailing) log.warn("audit_recovered", { lost: status.lost });
    status.isFailing = false;
  }

  async function append(bodies: readonly Body[]): Promise<void> {
    let { buffer, link } = toBuffer(bodies, chain);
    if (chain !== undefined && chain.size + buffer.length > maxFileBytes) {
      chain = await nextFile(chain, options);
      ({ buffer, link } = toBuffer(bodies, chain));
    }
    if (chain === undefined) return;
    const { file, anchor, size } = chain;
    const isClosed = bodies.at(-1)?.event === "close";
    try {
      await writeAll(file, buffer, size);
      if (sync === "always") await file.datasync();
      await writeAnchor(anchor, chain.chain, { ...link, isClosed }, key);
    } catch (error) {
      await file.truncate(size).catch(() => {}); // half a line is known for one by whoever reads it
      throw error;
    }
    chain.link = link;
    chain.size += buffer.length;
    isDirty = true;
  }

  /** Moved or removed files would take the records with them. */
  async function lookAfter(open: OpenChain): Promise<void> {
    if (performance.now() - lookedAt < retryMs) return;
    lookedAt = performance.now();
    if (await isInPlace(open, folder)) return;
    log.error("audit_file_gone", { chain: open.chain, file: open.fileNumber, hint: "Someone moved or removed it." });
    chain = await nextFile(open, options);
  }

  async function toDisk(): Promise<void> {
    isDirty = false;
    await chain?.file.datasync();
  }

  function failed(error: unknown): void {
    if (status.isFailing) return;
    status.isFailing = true;
    log.error("audit_unavailable", { reason: reasonOf(error), required: isRequired, hint: unwritable });
  }

  function giveBack(batch: readonly Waiting[]): void {
    if (!isRequired && disposal === undefined) {
      queue.unshift(...batch);
      return;
    }
    lose(batch.length);
    for (const { reject } of batch) reject(unavailable());
  }

  function lose(count: number): void {
    status.lost += count;
    untold += count;
  }

  function enqueue(body: Body): Promise<void> {
    if (disposal !== undefined || queue.length >= maxQueued) {
      lose(1);
      return Promise.reject(unavailable());
    }
    const written = new Promise<void>((resolve, reject) => queue.push({ body, resolve, reject }));
    if (!status.isFailing || isRequired) void drain();
    return written;
  }

  async function close(): Promise<void> {
    clearInterval(timer);
    const late = new Promise<void>((resolve) => setTimeout(resolve, closeMs).unref());
    queue.push({ body: stamped({ event: "close" }), resolve: () => {}, reject: () => {} });
    await Promise.race([(draining ?? Promise.resolve()).then(drain), late]);
    if (queue.length > 0) lose(queue.length);
    if (status.lost > 0) log.error("audit_lost", { lost: status.lost });
    if (chain === undefined) return;
    await Promise.race([toDisk().catch(failed), late]);
    await closeFiles(chain);
  }

  const trail: AuditTrail = {
    isRequired,
    status,
    async append(record) {
      const written = enqueue(stamped(record));
      if (isRequired) await written;
      else written.catch(() => {}); // counted, and told by the log
    },
    async ready() {
      if (!status.isFailing) return;
      await drain();
      if (status.isFailing) throw unavailable();
    },
    async [Symbol.asyncDispose]() {
      disposal ??= close();
      await disposal;
    },
  };
  await drain();
  if (isRequired && status.isFailing) {
    await trail[Symbol.asyncDispose]();
    throw unavailable();
  }
  return trail;
}

const unwritable = "Records are lost once the queue is full: free the disk, or mend the folder's permissions.";

const stamped = (record: Body): Body => ({ time: new Date().toISOString(), ...record });

function toBuffer(bodies: readonly Body[], chain: OpenChain | undefined) {
  let link = chain?.link ?? { sequence: 0, hash: "" };
  let text = "";
  for (const body of bodies) {
    const next = toLine(body, link);
    text += next.line;
    link = next.link;
  }
  return { buffer: Buffer.from(text), link };
}

async function writeAll(file: OpenChain["file"], buffer: Buffer, position: number): Promise<void> {
  for (let at = 0; at < buffer.length; ) {
    const { bytesWritten } = await file.write(buffer, at, buffer.length - at, position + at);
    if (bytesWritten === 0) throw new Error("the disk takes nothing");
    at += bytesWritten;
  }
}

/** The system's own word, such as ENOSPC. */
const reasonOf = (error: unknown): string =>
  error instanceof Error ? ("code" in error ? String(error.code) : error.message) : "unknown";

const unavailable = (): CodedError =>
  new CodedError("audit_unavailable", "The audit trail cannot be written, and nothing may be done without it.", {
    hint: "The server's log says why; its operator has to mend it.",
    retryable: true,
  });
