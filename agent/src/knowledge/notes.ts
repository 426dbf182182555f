/**
 * What people know of a database and no catalogue says: `notes.md`, and questions with the statements that answered them,
 * in a folder for each source that only its owner reads.
 */
import { appendFile, chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import type { Environment } from "../config-file.js";
import { similarity } from "./words.js";

const exampleSchema = v.object({ question: v.string(), sql: v.string() });
/** A question and the statement that answered it, as somebody has approved. */
export type Example = v.InferOutput<typeof exampleSchema>;

/** Notes and examples of databases. */
export interface Notes {
  /** The file of a source's notes, whether or not it is there. */
  fileOf(source: string): string;
  /** A source's notes; an empty text where there are none. */
  read(source: string): Promise<string>;
  write(source: string, text: string): Promise<void>;
  /** Adds a line. */
  add(source: string, line: string): Promise<void>;
  /** The names of the folders there are: sources somebody knows something of. */
  sources(): Promise<readonly string[]>;
  /** The examples nearest to a question, nearest first. */
  examples(source: string, question: string): Promise<readonly Example[]>;
  /** All examples, as they were kept. */
  allExamples(source: string): Promise<readonly Example[]>;
  /** Forgets the example of a question; false where there is none. */
  forget(source: string, question: string): Promise<boolean>;
  /** Keeps an example; one for the same question is replaced. */
  keep(source: string, example: Example): Promise<void>;
}

const maxExamples = 3;
const minSimilarity = 0.35;
/** What models see of notes; longer ones would crowd out the schema. */
export const maxNotesCharacters = 12_000;

/** `DB_AGENT_KNOWLEDGE`, else `$XDG_CONFIG_HOME/db-agent/knowledge`, below `~/.config` by default. */
export function knowledgeFolder({
  DB_AGENT_KNOWLEDGE: folder = "",
  XDG_CONFIG_HOME: config = "",
  HOME: home,
}: Environment): string {
  if (folder !== "") return folder;
  return join(config === "" ? join(home ?? homedir(), ".config") : config, "db-agent", "knowledge");
}

/** The notes below a folder. */
export function openNotes(folder: string): Notes {
  // a source's name may come from a gateway: it is never a path
  const folderOf = (source: string): string => join(folder, source.replace(/[^A-Za-z0-9_-]/g, "_") || "default");
  const fileOf = (source: string): string => join(folderOf(source), "notes.md");
  const examplesOf = (source: string): string => join(folderOf(source), "examples.jsonl");

  async function prepare(source: string): Promise<void> {
    await mkdir(folderOf(source), { recursive: true, mode: 0o700 });
  }

  async function write(source: string, file: string, text: string): Promise<void> {
    await prepare(source);
    await writeFile(file, text, { mode: 0o600 });
    await chmod(file, 0o600);
  }

  const writeExamples = (source: string, examples: readonly Example[]): Promise<void> =>
    write(source, examplesOf(source), examples.map((example) => `${JSON.stringify(example)}\n`).join(""));

  return {
    fileOf,
    read: async (source) => (await readText(fileOf(source))).trim(),
    write: (source, text) => write(source, fileOf(source), text),
    async add(source, line) {
      await prepare(source);
      const before = await readText(fileOf(source));
      const separator = before === "" || before.endsWith("\n") ? "" : "\n";
      await appendFile(fileOf(source), `${separator}- ${line.replace(/\s+/g, " ").trim()}\n`, { mode: 0o600 });
    },
    async examples(source, question) {
      const scored = parseExamples(await readText(examplesOf(source)))
        .map((example) => ({ example, score: similarity(example.question, question) }))
        .filter(({ score }) => score >= minSimilarity);
      return scored
        .sort((a, b) => b.score - a.score)
        .slice(0, maxExamples)
        .map(({ example }) => example);
    },
    async sources() {
      const entries = await readdir(folder, { withFileTypes: true }).catch(absent([]));
      return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();
    },
    allExamples: async (source) => parseExamples(await readText(examplesOf(source))),
    async keep(source, { question, sql }) {
      const kept = parseExamples(await readText(examplesOf(source))).filter((example) => example.question !== question);
      await writeExamples(source, [...kept, { question, sql }]);
    },
    async forget(source, question) {
      const all = parseExamples(await readText(examplesOf(source)));
      const kept = all.filter((example) => example.question !== question);
      if (kept.length === all.length) return false;
      await writeExamples(source, kept);
      return true;
    },
  };
}

/** A line that is no example is somebody's edit, and is skipped. */
function parseExamples(text: string): Example[] {
  return text.split("\n").flatMap((line) => {
    try {
      return [v.parse(exampleSchema, JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

async function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch(absent(""));
}

/** What stands for a file or folder that is not there; any other failure is one. */
const absent =
  <T>(value: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === "ENOENT") return value;
    throw error;
  };
