/**
 * Verdicts kept in a file while an evaluation runs, so that one that was cut off goes on where it was. A verdict counts for
 * the very case it was given: one that has changed since is asked anew.
 */
import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import * as v from "valibot";
import { AgentError } from "../errors.js";
import { usageSchema } from "../events.js";
import type { Case } from "./cases.js";
import type { Verdict } from "./judge.js";
import { toScorecard } from "./scorecard.js";

const verdictSchema = v.object({
  name: v.string(),
  question: v.string(),
  tags: v.array(v.string()),
  status: v.picklist(["right", "wrong", "broken"]),
  reason: v.exactOptional(v.string()),
  sql: v.exactOptional(v.string()),
  repairs: v.number(),
  ms: v.number(),
  usage: v.exactOptional(usageSchema),
});
const fileSchema = v.object({
  cases: v.array(verdictSchema),
  /** By the case's name. */
  fingerprints: v.record(v.string(), v.string()),
});

/** The file. */
export interface ReportFile {
  /** Verdicts of an earlier run that still hold. */
  readonly earlier: readonly Verdict[];
  /** Writes all there are so far; the file is there whole or as it was. */
  save(name: string, verdicts: readonly Verdict[], ms: number): Promise<void>;
}

/** Opens it; `resumes` reads what is there. @throws AgentError `config_invalid` for a file that is no report */
export async function openReportFile(file: string, cases: readonly Case[], resumes: boolean): Promise<ReportFile> {
  const fingerprints = Object.fromEntries(cases.map((one) => [one.name, fingerprintOf(one)]));
  const kept = resumes ? await read(file) : undefined;
  let writing = Promise.resolve();
  return {
    // a case that could not be judged may be mended by now
    earlier: (kept?.cases ?? []).filter(
      ({ name, status }) => status !== "broken" && kept?.fingerprints[name] === fingerprints[name],
    ),
    save(name, verdicts, ms) {
      const text = `${JSON.stringify({ ...toScorecard(name, verdicts, ms), fingerprints }, null, 2)}\n`;
      writing = writing.then(() => replace(file, text));
      return writing;
    },
  };
}

async function replace(file: string, text: string): Promise<void> {
  try {
    await writeFile(`${file}.partial`, text);
    await rename(`${file}.partial`, file);
  } catch (cause) {
    throw new AgentError("output_unwritable", `${file} cannot be written.`, { hint: String(cause), cause });
  }
}

async function read(file: string): Promise<v.InferOutput<typeof fileSchema> | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch {
    return undefined; // nothing has run yet
  }
  const parsed = v.safeParse(fileSchema, toJson(text));
  if (parsed.success) return parsed.output;
  throw new AgentError("config_invalid", `${file} is no report of an evaluation.`, {
    hint: "Name another by --report.",
  });
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const fingerprintOf = (one: Case): string =>
  createHash("sha256")
    .update(JSON.stringify(one, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)))
    .digest("base64url");
