/**
 * Which chain a process writes: one whose writer is gone and whose end can be proved, else a new one. What is there is
 * never changed: a new writer begins a new file, which says what it found.
 */
import { type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../log.js";
import { readAnchor, writeAnchor } from "./anchor.js";
import { beginFile, type ChainFiles, listChains, readEnds, toAnchorName, toChainName, toFileName } from "./files.js";
import { type Body, beginning, type Link, parseLine, toLine } from "./line.js";
import { currentOwner, isGone, toOwner } from "./owner.js";

/** Whose trail it is and where. */
export interface ChainOptions {
  readonly folder: string;
  /** The program's name, the beginning of its files' names. */
  readonly name: string;
  readonly version: string;
  readonly key: string | undefined;
  readonly log: Log;
}

/** A chain being written: its newest file and where it stands. */
export interface OpenChain {
  readonly chain: string;
  readonly fileNumber: number;
  readonly file: FileHandle;
  readonly anchor: FileHandle;
  link: Link;
  /** Bytes of the newest file. */
  size: number;
}

const maxChains = 999;

/** Opens a chain of this process's own. */
export async function openChain(options: ChainOptions): Promise<OpenChain> {
  const { folder, name } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const chains = (await listChains(folder)).filter(({ chain }) => chain.slice(0, -4) === name);
  for (const found of chains) {
    const end = await findEnd(found, options);
    if (end === undefined) continue;
    const { link, ...says } = end;
    const opened = await begin(found.chain, (found.files.at(-1) ?? 0) + 1, link, { event: "resume", ...says }, options);
    if (opened !== undefined) return opened;
  }
  const last = Number(chains.at(-1)?.chain.slice(-3) ?? 0);
  for (let number = last + 1; number <= maxChains; number++) {
    const opened = await begin(toChainName(name, number), 1, beginning, { event: "open" }, options);
    if (opened !== undefined) return opened;
  }
  throw new Error(`the folder holds ${maxChains} chains`);
}

/** The chain's next file, when one is full. */
export async function nextFile(open: OpenChain, options: ChainOptions): Promise<OpenChain> {
  const { chain, fileNumber, link } = open;
  const next = await begin(chain, fileNumber + 1, link, { event: "rotate" }, options);
  await closeFiles(open);
  // someone else has taken this chain for a dead process's: it is theirs now
  return next ?? (await openChain(options));
}

/** Closes the files, whatever they say. */
export async function closeFiles({ file, anchor }: OpenChain): Promise<void> {
  await Promise.allSettled([file.close(), anchor.close()]);
}

async function begin(
  chain: string,
  fileNumber: number,
  last: Link,
  says: Body,
  { folder, name, version, key }: ChainOptions,
): Promise<OpenChain | undefined> {
  const time = new Date().toISOString();
  const { line, link } = toLine(
    { time, ...says, format: 1, name, version, chain, file: fileNumber, ...currentOwner() },
    last,
  );
  const file = await beginFile(folder, toFileName(chain, fileNumber), line);
  if (file === undefined) return undefined;
  try {
    const path = join(folder, toAnchorName(chain));
    const anchor = await open(path, fileNumber === 1 ? "w+" : "r+", 0o600).catch(() => open(path, "w+", 0o600));
    await writeAnchor(anchor, chain, { ...link, isClosed: false }, key);
    return { chain, fileNumber, file, anchor, link, size: Buffer.byteLength(line) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What is known of the end of a chain that may be gone on with; undefined when it may not. */
async function findEnd({ chain, files }: ChainFiles, { folder, key, log }: ChainOptions) {
  const path = join(folder, toFileName(chain, files.at(-1) ?? 0));
  const { first, last, tornBytes } = await readEnds(path);
  const owner = toOwner(parseLine(first)?.body ?? {});
  const end = parseLine(last);
  const isClosed = end?.body.event === "close" && tornBytes === 0;
  if (owner !== undefined && !isClosed && !isGone(owner)) return undefined;
  const anchor = await readAnchor(join(folder, toAnchorName(chain)), chain, key);
  const isProved = anchor !== undefined && anchor.proof === (key === undefined ? "unkeyed" : "keyed");
  const isWhole =
    end?.isIntact &&
    isProved &&
    (anchor.sequence === end.sequence ? anchor.hash === end.hash : anchor.sequence < end.sequence && !anchor.isClosed);
  if (!isWhole) {
    log.warn("audit_chain_left", { chain, hint: "Its end cannot be proved; a new chain begins. Run audit verify." });
    return undefined;
  }
  const link: Link = { sequence: end.sequence, hash: end.hash };
  return { link, torn_bytes: tornBytes, unanchored: end.sequence - anchor.sequence };
}

/** Whether the newest file is still where others look for it. */
export async function isInPlace({ chain, fileNumber, file }: OpenChain, folder: string): Promise<boolean> {
  const [here, there] = await Promise.all([
    file.stat(),
    stat(join(folder, toFileName(chain, fileNumber))).catch(() => undefined),
  ]);
  return there !== undefined && here.ino === there.ino && here.dev === there.dev;
}
