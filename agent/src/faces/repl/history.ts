/** What was typed, kept in a file only its owner reads; what may hold a secret is not kept. */
import { appendFile, chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { Environment } from "../../config-file.js";

const keptEntries = 2_000;
const secretWords =
  /\bidentified\s+(?:by|with|via)\b|\bpassw(?:or)?d\b\s*(?:=|:|\(|'|"|\s+')|\b(?:secret|token|api_?key)\b\s*(?:=|:|')|\bpgp_sym_|\baes_(?:en|de)crypt\b/i;
const urlWithPassword = /[a-z][a-z0-9+.-]*:\/\/[^\s@:]*:[^\n]*@/i;

/** Line breaks inside an entry, in the file: what psql writes there. */
const lineBreak = "\u0001";

/** The entries, newest first and each once, and a way to add one. */
export interface History {
  readonly entries: readonly string[];
  /** Keeps an entry unless it may hold a secret; a file that cannot be written is no reason to stop. */
  add(entry: string): Promise<void>;
}

/** Where it is: `$XDG_STATE_HOME/db-agent/history`, below `~/.local/state` by default. */
export function historyFile(environment: Environment): string {
  const { XDG_STATE_HOME: state = "" } = environment;
  return join(state === "" ? join(environment.HOME ?? homedir(), ".local", "state") : state, "db-agent", "history");
}

/** Whether an entry may be kept: none that starts with a space, none that may hold a secret. */
export const mayBeKept = (entry: string): boolean =>
  entry.trim() !== "" && !/^\s/.test(entry) && !secretWords.test(entry) && !urlWithPassword.test(entry);

/** Opens the history, shortened to its newest entries. */
export async function openHistory(file: string): Promise<History> {
  const lines = await readFile(file, "utf8").then(
    (text) => text.split("\n").filter((line) => line !== ""),
    () => [],
  );
  const kept = lines.slice(-keptEntries);
  const entries = [...new Set(kept.reverse())].map((line) => line.replaceAll(lineBreak, "\n"));
  let writing = prepare(file, lines.length > keptEntries ? kept.toReversed() : undefined);
  return {
    entries,
    add(entry) {
      if (!mayBeKept(entry)) return Promise.resolve();
      const earlier = entries.indexOf(entry);
      if (earlier !== -1) entries.splice(earlier, 1);
      entries.unshift(entry);
      writing = writing
        .then(() => appendFile(file, `${entry.replaceAll("\n", lineBreak)}\n`, { mode: 0o600 }))
        .catch(() => {});
      return writing;
    },
  };
}

async function prepare(file: string, shortened: readonly string[] | undefined): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await appendFile(file, "", { mode: 0o600 });
    await chmod(file, 0o600);
    if (shortened !== undefined) await writeFile(file, `${shortened.join("\n")}\n`, { mode: 0o600 });
  } catch {
    // a read-only home: this session goes without
  }
}
