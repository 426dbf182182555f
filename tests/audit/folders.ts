/** Trails in folders of their own, and ways to damage them. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { openAuditTrail, type TrailOptions } from "../../mcp-core/src/host/audit/trail.js";
import { createLog } from "../../mcp-core/src/host/log.js";

/** An empty folder, gone on dispose. */
export async function openFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "audit-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A log that remembers. */
export function recordingLog() {
  let text = "";
  const stream = new PassThrough();
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  return { log: createLog({ name: "test", level: "debug", stream }), text: () => text };
}

/** A trail of `test-server` in this folder. */
export const openTrail = (folder: string, options: Partial<TrailOptions> = {}) =>
  openAuditTrail({
    folder,
    name: "test-server",
    version: "1.0.0",
    key: undefined,
    log: recordingLog().log,
    isRequired: true,
    maxFileBytes: 1_000_000,
    sync: "never",
    ...options,
  });

/** Writes a whole trail of so many calls. */
export async function writeTrail(folder: string, calls: number, options: Partial<TrailOptions> = {}): Promise<void> {
  await using trail = await openTrail(folder, options);
  for (let call = 1; call <= calls; call++) await trail.append({ event: "call", call });
}

/** The files with records, in order. */
export const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith(".jsonl")).sort();

/** Every record of a folder, in order of the files. */
export async function recordsIn(folder: string): Promise<Record<string, unknown>[]> {
  const texts = await Promise.all((await filesIn(folder)).map((name) => readFile(join(folder, name), "utf8")));
  return texts.flatMap((text) => text.split("\n").filter(Boolean)).map((line) => JSON.parse(line));
}

/** Changes the lines of a file. */
export async function changeLines(path: string, change: (lines: string[]) => readonly string[]): Promise<void> {
  const lines = (await readFile(path, "utf8")).split("\n").slice(0, -1);
  await writeFile(path, `${change(lines).join("\n")}\n`);
}
