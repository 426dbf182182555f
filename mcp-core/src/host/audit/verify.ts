/**
 * Whether a folder's chains are whole: every line read and recomputed, every link followed, the end held against its
 * anchor. It changes nothing, may run beside a writer, and names the first line that cannot be what was written.
 */
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CodedError } from "../errors.js";
import { type ReadAnchor, readAnchor } from "./anchor.js";
import { type ChainFiles, chainOfFile, listChains, toAnchorName, toFileName } from "./files.js";
import { beginning, parseLine, type ReadLine } from "./line.js";

/** What a breach looks like. `truncated`: the end is missing; `unproved`: the anchor is missing or not to be believed. */
export type BreachKind = "edited" | "deleted" | "reordered" | "added" | "truncated" | "unproved";

/** The first thing wrong with a chain. */
export interface Breach {
  readonly kind: BreachKind;
  readonly file: string;
  /** Counted from 1; of a missing line, where it should be. */
  readonly line: number;
  readonly message: string;
}

/** What is known of a chain. */
export interface ChainReport {
  readonly chain: string;
  readonly files: number;
  readonly records: number;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly breach?: Breach | undefined;
  /** What is worth knowing and no sign of tampering: a torn line after a crash, an anchor that lags behind. */
  readonly notes: readonly string[];
}

/** How to look. */
export interface VerifyOptions {
  readonly key?: string | undefined;
  /** Older files of a chain were put elsewhere: the first one here is believed. */
  readonly isPartial?: boolean | undefined;
}

/** Verifies a folder's chains, or the one chain a file belongs to. @throws CodedError `not_found` */
export async function verifyAudit(path: string, options: VerifyOptions = {}): Promise<readonly ChainReport[]> {
  const { folder, chains } = await findChains(path);
  const reports: ChainReport[] = [];
  for (const chain of chains) reports.push(await verifyChain(folder, chain, options));
  return reports;
}

/** The chains at a path. @throws CodedError `not_found` */
export async function findChains(path: string): Promise<{ folder: string; chains: readonly ChainFiles[] }> {
  const found = await stat(path).catch(() => undefined);
  const folder = found?.isDirectory() ? path : dirname(path);
  const only = found?.isDirectory() ? undefined : chainOfFile(basename(path));
  const written = found === undefined ? [] : await listChains(folder);
  const names = found === undefined ? [] : await readdir(folder);
  // an anchor whose files are all gone is a chain as well
  const bare = names
    .filter((name) => name.endsWith(".head"))
    .map((name) => name.slice(0, -".head".length))
    .filter((name) => !written.some(({ chain }) => chain === name))
    .map((chain) => ({ chain, files: [] }));
  const all = [...written, ...bare];
  const chains = found?.isDirectory() ? all : all.filter(({ chain }) => chain === only);
  if (chains.length > 0) return { folder, chains };
  throw new CodedError("not_found", "There is no audit trail at this path.", {
    hint: "Name the folder given to --audit, or one of the files in it.",
  });
}

async function verifyChain(folder: string, { chain }: ChainFiles, options: VerifyOptions): Promise<ChainReport> {
  // the anchor first: what a running writer adds meanwhile comes after it
  const anchor = await readAnchor(join(folder, toAnchorName(chain)), chain, options.key);
  const files = (await listChains(folder)).find((one) => one.chain === chain)?.files ?? [];
  const walk = createWalk(folder, chain, anchor, options);
  for (const file of files) {
    await walk.file(file);
    if (walk.breach !== undefined) break;
  }
  if (walk.breach === undefined) walk.end();
  const { breach, notes, records, from, to } = walk;
  return {
    chain,
    files: files.length,
    records,
    from,
    to,
    breach: breach && (await named(breach, folder, chain, files)),
    notes,
  };
}

/** Reads a chain line by line until something is wrong. */
function createWalk(folder: string, chain: string, anchor: ReadAnchor | undefined, options: VerifyOptions) {
  const notes: string[] = [];
  let last = { ...beginning, file: toFileName(chain, 1), line: 0 };
  let fileNumber: number | undefined;
  let tornBytes = 0;
  let records = 0;
  let from: string | undefined;
  let to: string | undefined;
  let breach: Breach | undefined;

  function fail(kind: BreachKind, file: string, line: number, message: string): void {
    breach ??= { kind, file, line, message };
  }

  function check(line: ReadLine | undefined, file: string, number: number) {
    if (line === undefined || !line.isIntact) {
      return fail("edited", file, number, "The line is not what was written: its hash does not match.");
    }
    if (number === 1) checkHeader(line, file);
    if (breach !== undefined) return;
    const isTrusted = records === 0 && options.isPartial === true;
    if (!isTrusted && line.sequence > last.sequence + 1) {
      const missing = `${last.sequence + 1}${line.sequence > last.sequence + 2 ? ` to ${line.sequence - 1}` : ""}`;
      return fail("deleted", file, number, `Record ${missing} is missing before record ${line.sequence}.`);
    }
    if (!isTrusted && line.sequence <= last.sequence) {
      return fail("reordered", file, number, `Record ${line.sequence} stands after record ${last.sequence}.`);
    }
    if (!isTrusted && line.previous !== last.hash) {
      return fail(
        "edited",
        last.file,
        last.line,
        `Record ${last.sequence} was replaced: the next one follows another.`,
      );
    }
    if (anchor?.sequence === line.sequence && anchor.hash !== line.hash) {
      return fail(
        "edited",
        file,
        number,
        "The chain was written anew: the anchor knows another record of this number.",
      );
    }
    if (anchor?.isClosed === true && line.sequence === anchor.sequence + 1) {
      return fail("added", file, number, "The writer had ended before this record.");
    }
    last = { sequence: line.sequence, hash: line.hash, file, line: number };
    records++;
    const time = typeof line.body.time === "string" ? line.body.time : undefined;
    from ??= time;
    to = time ?? to;
  }

  function checkHeader({ body }: ReadLine, file: string) {
    const { event, file: number, chain: own, torn_bytes: torn, unanchored } = body;
    if (own !== chain || !["open", "resume", "rotate"].includes(String(event))) {
      return fail("edited", file, 1, "The file does not begin with a header of this chain.");
    }
    if (file !== toFileName(chain, Number(number))) fail("reordered", file, 1, "The file was renamed.");
    if (tornBytes !== (typeof torn === "number" ? torn : 0) && records > 0) {
      fail("edited", last.file, last.line + 1, "The file does not end as the next writer found it.");
    }
    if (tornBytes > 0)
      notes.push(`${last.file}:${last.line + 1} is torn, as a crash leaves it; the next writer found it so.`);
    if (typeof unanchored === "number" && unanchored > 0) {
      notes.push(`${last.file}: the last ${count(unanchored, "record")} before a crash had no anchor yet.`);
    }
  }

  return {
    notes,
    get breach() {
      return breach;
    },
    get records() {
      return records;
    },
    get from() {
      return from;
    },
    get to() {
      return to;
    },
    async file(number: number) {
      const file = toFileName(chain, number);
      if (fileNumber !== undefined && number !== fileNumber + 1) {
        const missing = toFileName(chain, fileNumber + 1);
        return fail("deleted", missing, 1, "The file is missing.");
      }
      if (fileNumber === undefined && number !== 1 && options.isPartial !== true) {
        return fail(
          "deleted",
          toFileName(chain, 1),
          1,
          "The chain's first file is missing; --partial believes the rest.",
        );
      }
      fileNumber = number;
      let lines = 0;
      let rest = 0;
      for await (const { text, isWhole } of linesOf(join(folder, file))) {
        if (isWhole) check(parseLine(text), file, ++lines);
        else rest = Buffer.byteLength(text);
        if (breach !== undefined) return;
      }
      if (lines === 0) return fail("truncated", file, 1, "The file's first line is missing.");
      tornBytes = rest;
    },
    end() {
      const next = last.line + 1;
      if (anchor === undefined) return fail("unproved", toAnchorName(chain), 1, "The anchor is missing or unreadable.");
      if (anchor.sequence > last.sequence) {
        const lost = count(anchor.sequence - last.sequence, "record");
        return fail("truncated", last.file, next, `The end is cut off: the anchor knows ${lost} more.`);
      }
      if (anchor.proof === "forged") return fail("unproved", toAnchorName(chain), 1, "The anchor's seal is false.");
      if (anchor.proof === "unkeyed" && options.key !== undefined) {
        return fail("unproved", toAnchorName(chain), 1, "A key is given and the anchor carries no seal.");
      }
      if (anchor.proof === "unchecked")
        notes.push("The anchor is sealed; without MCP_AUDIT_KEY the seal is not checked.");
      if (anchor.proof === "unkeyed") notes.push("No key: who may write the files could have written the chain anew.");
      if (tornBytes > 0) notes.push(`${last.file}:${next} is torn, as a crash or a writer at work leaves it.`);
      const beyond = last.sequence - anchor.sequence;
      if (beyond > 0)
        notes.push(
          `The last ${count(beyond, "record")} ${beyond === 1 ? "has" : "have"} no anchor yet: a crash, or a writer at work.`,
        );
    },
  };
}

/** A record that seems deleted but stands further on was moved. */
async function named(breach: Breach, folder: string, chain: string, files: readonly number[]): Promise<Breach> {
  if (breach.kind !== "deleted") return breach;
  const missing = Number(/^Record (\d+)/.exec(breach.message)?.[1] ?? 0);
  if (missing === 0) return breach;
  for (const number of files.filter((file) => toFileName(chain, file) >= breach.file)) {
    const file = toFileName(chain, number);
    let at = 0;
    for await (const { text } of linesOf(join(folder, file))) {
      at++;
      if (file === breach.file && at <= breach.line) continue;
      if (parseLine(text)?.sequence !== missing) continue;
      return { ...breach, kind: "reordered", message: `Record ${missing} belongs here; it stands in ${file}:${at}.` };
    }
  }
  return breach;
}

/** Far more than the longest line of ours. */
const maxLineBytes = 1024 * 1024;

/** A file's lines without their newlines; the last one is not whole when it has none. */
export async function* linesOf(path: string): AsyncGenerator<{ readonly text: string; readonly isWhole: boolean }> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    const buffer: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = buffer.indexOf(10); end !== -1; end = buffer.indexOf(10, start)) {
      yield { text: buffer.toString("utf8", start, end), isWhole: true };
      start = end + 1;
    }
    rest = buffer.subarray(start);
    if (rest.length > maxLineBytes) {
      yield { text: "", isWhole: true }; // no line of ours: it will not parse
      return;
    }
  }
  if (rest.length > 0) yield { text: rest.toString("latin1"), isWhole: false };
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`;
