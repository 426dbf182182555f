/** The corpora as data: attacks and ordinary statements of both engines, and the fixtures they run on. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestDatabase } from "../support/databases.js";
import type { Surroundings } from "./surroundings.js";

export interface CorpusRow {
  readonly id: string;
  readonly class: string;
  readonly sql: string;
  /** Calls after it, on the same session where there is one. */
  readonly then?: readonly string[];
  /** What it would change or take. */
  readonly oracle?: string;
  /** A text that no answer may hold. */
  readonly leak?: string;
  /** Calls a stored function, whose body an ordinary user may not read. */
  readonly needs?: "body";
  /** Needs a rule about what the model may see; not a matter of reading only. */
  readonly policy?: string;
}

const home = fileURLToPath(new URL("./corpus", import.meta.url));
const folder = process.env.SAFETY_CORPUS ?? home;

/** A file of the corpora, as it is; what is below `own` are rows of ours, with the fixture they need besides. */
export const corpusText = (name: string): Promise<string> =>
  readFile(join(name.startsWith("own/") ? home : folder, name), "utf8");

/** The rows of a file, and of our own by the same name. */
export const corpusRows = async (name: string): Promise<readonly CorpusRow[]> =>
  `${await corpusText(name)}\n${await corpusText(`own/${name}`)}`
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));

/** A database with the fixture in it, and everything around it that an attack could reach. */
export interface Place {
  readonly database: TestDatabase;
  readonly surroundings: Surroundings;
  /** An ordinary user with rights to the fixture. */
  readonly user: string;
  /** The URL of this user, or of the administrator. */
  urlOf(name: string): string;
  /** A statement of the corpora with its placeholders filled. */
  fill(sql: string): string;
}

/** Looks at a place from outside, while another session sleeps there. */
export interface Observer extends AsyncDisposable {
  /** Everything an attack could have changed, as text. */
  state(): Promise<string>;
}

/** A place under observation. */
export type World = Place & Observer;
