/**
 * The files of a folder: `<name>.<chain>.<file>.jsonl`, each begun whole by one process and never written by another.
 * That a file comes to be at once, with its first line, and only where none is, is the only lock there is.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, link, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** A chain's files by number, in order. */
export interface ChainFiles {
  /** Such as `mcp-postgres.001`. */
  readonly chain: string;
  readonly files: readonly number[];
}

const form = /^([a-z0-9-]+\.\d{3})\.(\d{8})\.jsonl$/;

export const toChainName = (name: string, number: number): string => `${name}.${String(number).padStart(3, "0")}`;
export const toFileName = (chain: string, file: number): string => `${chain}.${String(file).padStart(8, "0")}.jsonl`;
export const toAnchorName = (chain: string): string => `${chain}.head`;

/** The chains in a folder, in order of their names. */
export async function listChains(folder: string): Promise<readonly ChainFiles[]> {
  const chains = new Map<string, number[]>();
  for (const name of (await readdir(folder)).sort()) {
    const [, chain, file] = form.exec(name) ?? [];
    if (chain !== undefined) chains.set(chain, [...(chains.get(chain) ?? []), Number(file)]);
  }
  return [...chains].map(([chain, files]) => ({ chain, files }));
}

/** The chain whose file this is. */
export const chainOfFile = (name: string): string | undefined => form.exec(name)?.[1];

/** Begins a file with this line; undefined when another process was first. */
export async function beginFile(folder: string, name: string, line: string): Promise<FileHandle | undefined> {
  const draft = join(folder, `.${name}.${randomBytes(6).toString("hex")}`);
  const file = await open(draft, "wx", 0o600);
  try {
    const { bytesWritten } = await file.write(line);
    if (bytesWritten !== Buffer.byteLength(line)) throw new Error("the first line did not fit on the disk");
    await file.datasync();
    await link(draft, join(folder, name));
    return file;
  } catch (error) {
    await file.close();
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return undefined;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** No line of ours is as long. */
const tailBytes = 256 * 1024;

/** The first and the last whole line of a file, and how many bytes of a torn one follow. */
export async function readEnds(path: string): Promise<{ first: string; last: string; tornBytes: number }> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  const head = await readAt(file, 0, Math.min(size, tailBytes));
  const from = Math.max(0, size - tailBytes);
  const tail = await readAt(file, from, size - from);
  const end = tail.lastIndexOf(10);
  const start = end <= 0 ? 0 : tail.lastIndexOf(10, end - 1) + 1;
  return {
    first: head.subarray(0, Math.max(0, head.indexOf(10))).toString(),
    last: tail.subarray(start, Math.max(start, end)).toString(),
    tornBytes: tail.length - end - 1,
  };
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
