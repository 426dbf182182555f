/** Rows in a file: in the format its ending names, written page by page, there whole or not at all. */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { AgentError } from "../../errors.js";
import type { QueryResult } from "../../result.js";
import { type Format, formatSchema } from "../../task.js";
import { createDocument } from "./document.js";

const formatsByEnding: Readonly<Record<string, Format>> = {
  ".csv": "csv",
  ".json": "json",
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
  ".md": "markdown",
  ".txt": "table",
};

/** The format a file's ending names. @throws AgentError `usage` */
export function formatOfFile(file: string): Format {
  const format = formatsByEnding[extname(file).toLowerCase()];
  if (format !== undefined) return format;
  throw new AgentError("usage", `The ending of ${file} names no format.`, {
    hint: `Write one besides it: ${formatSchema.options.join(", ")}.`,
  });
}

/** Writes all pages; how many rows there were. A folder that is not there is made only when that is asked for. @throws AgentError `output_unwritable`, and what the pages throw */
export async function writeRows(
  file: string,
  format: Format,
  pages: Iterable<QueryResult> | AsyncIterable<QueryResult>,
  { makesFolder = false }: { readonly makesFolder?: boolean } = {},
): Promise<number> {
  const partial = `${file}.partial`;
  const document = createDocument(format);
  try {
    if (makesFolder) await mkdir(dirname(file), { recursive: true });
    {
      await using handle = await open(partial, "w");
      for await (const page of pages) await handle.write(document.page(page));
      await handle.write(document.end());
    }
    await rename(partial, file);
    return document.rowCount;
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {}); // it may be what cannot be written
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw new AgentError("output_unwritable", `${file} cannot be written.`, { hint: error.message, cause: error });
  }
}
