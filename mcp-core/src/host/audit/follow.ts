/** The newest records of a folder's chains, and those to come as they are written: whole lines, as they stand in the files. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { toFileName } from "./files.js";
import { parseLine } from "./line.js";
import { findChains, linesOf } from "./verify.js";

/** Which records are wanted: fields and their values. */
export type Wanted = Readonly<Record<string, string | undefined>>;

/** Lines, and how far each file was read. */
export interface Newest {
  readonly lines: readonly string[];
  readonly readUpTo: ReadonlyMap<string, number>;
}

/** The newest so many records that are wanted, in order of time. @throws CodedError `not_found` */
export async function newestRecords(path: string, count: number, wanted: Wanted): Promise<Newest> {
  const { folder, chains } = await findChains(path);
  const readUpTo = new Map<string, number>();
  const found: string[][] = [];
  for (const { chain, files } of chains) {
    let lines: string[] = [];
    for (const file of [...files].reverse()) {
      const name = toFileName(chain, file);
      if (lines.length >= count) {
        readUpTo.set(name, Number.POSITIVE_INFINITY); // nothing is added to a file that another follows
        continue;
      }
      const older: string[] = [];
      let end = 0;
      for await (const { text, isWhole } of linesOf(join(folder, name))) {
        if (!isWhole) break;
        end += Buffer.byteLength(text) + 1;
        if (isWanted(text, wanted)) older.push(text);
        if (older.length > 2 * count) older.splice(0, count);
      }
      readUpTo.set(name, end);
      lines = [...older, ...lines].slice(-count);
    }
    found.push(lines);
  }
  return { lines: byTime(found).slice(-count), readUpTo };
}

const pollMs = 250;

/** What is written after `readUpTo`, until the signal fires. */
export async function* followRecords(
  path: string,
  { readUpTo, wanted, signal }: Pick<Newest, "readUpTo"> & { readonly wanted: Wanted; readonly signal: AbortSignal },
): AsyncGenerator<string> {
  const positions = new Map(readUpTo);
  while (!signal.aborted) {
    const { folder, chains } = await findChains(path);
    const fresh: string[][] = [];
    for (const { chain, files } of chains) {
      const added: string[] = [];
      fresh.push(added);
      for (const file of files) {
        const name = toFileName(chain, file);
        const from = positions.get(name) ?? 0;
        if (from === Number.POSITIVE_INFINITY) continue;
        const lines = await linesFrom(join(folder, name), from);
        positions.set(name, from + lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0));
        added.push(...lines.filter((line) => isWanted(line, wanted)));
      }
    }
    yield* byTime(fresh);
    await sleep(pollMs, undefined, { signal }).catch(() => {}); // the loop's condition says the rest
  }
}

const maxReadBytes = 4 * 1024 * 1024;

/** The whole lines after this position, so many bytes of them at a time. */
async function linesFrom(path: string, position: number): Promise<string[]> {
  await using file = await open(path);
  const { size } = await file.stat();
  if (size <= position) return [];
  const buffer = Buffer.alloc(Math.min(size - position, maxReadBytes));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
  return buffer.subarray(0, bytesRead).toString().split("\n").slice(0, -1);
}

function isWanted(line: string, wanted: Wanted): boolean {
  const asked = Object.entries(wanted).filter(([, value]) => value !== undefined);
  if (asked.length === 0) return true;
  const body = parseLine(line)?.body;
  return body !== undefined && asked.every(([key, value]) => body[key] === value);
}

const timeOf = (line: string): string => /"time":"([^"]*)"/.exec(line)?.[1] ?? "";

/** Chains merged by time, each in its own order: the line that begins a file is of a moment later than the next one's. */
const byTime = (chains: readonly (readonly string[])[]): string[] =>
  chains
    .flatMap((lines) => {
      let latest = "";
      return lines.map((line) => {
        const time = timeOf(line);
        if (time > latest) latest = time;
        return { line, time: latest };
      });
    })
    .sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0))
    .map(({ line }) => line);
