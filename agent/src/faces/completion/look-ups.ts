/** Names that only files and databases know, looked up while somebody waits at a Tab: soon, or not at all. */
import { readJsonFile } from "../../config-file.js";
import type { DatabaseCalls } from "../../database-calls.js";
import { parseDatabases } from "../../gateway/sources.js";
import { knowledgeFolder, openNotes } from "../../knowledge/notes.js";
import { openOneOff } from "../../one-off.js";
import { chooseGateway } from "../gateway-choice.js";
import type { Io } from "../io.js";
import type { NamedGateway, NameLookUps } from "./complete.js";

/** Nobody waits longer at a Tab. */
const patienceMs = 10_000;

/** Look-ups that find nothing where anything goes wrong. */
export function createLookUps(io: Io): NameLookUps {
  return {
    async sources(named) {
      if (named.config !== undefined) return namesIn(named.config, io);
      if (named.databases.length > 0) return Object.keys(parseDatabases(named.databases));
      return withDatabases(named, io, (databases) => databases.sources());
    },
    tables: (named) =>
      withDatabases(named, io, async (databases, signal) => {
        const found = await databases.search({ source: named.source, kind: "table", detail: "names", signal });
        const at = found.columns.indexOf("name");
        return found.rows.map((row) => String(row[at] ?? "")).filter((name) => /^[\w.$-]+$/.test(name));
      }),
    noted: () => openNotes(knowledgeFolder(io.environment)).sources(),
  };
}

/** The databases of a gateway's configuration; nothing is started for them. */
async function namesIn(file: string, io: Io): Promise<readonly string[]> {
  const value = await readJsonFile(file, io.stdin).catch(() => undefined);
  const { databases } = (value ?? {}) as { databases?: unknown }; // whatever stands there
  return typeof databases === "object" && databases !== null ? Object.keys(databases) : [];
}

async function withDatabases(
  named: NamedGateway,
  io: Io,
  use: (databases: DatabaseCalls, signal: AbortSignal) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(patienceMs);
  try {
    const spec = await chooseGateway(
      { gateway: named.gateway, databases: parseDatabases(named.databases) },
      io.environment,
    );
    await using databases = openOneOff(spec);
    const late = new Promise<readonly string[]>((resolve) => {
      signal.addEventListener("abort", () => resolve([]), { once: true });
    });
    return await Promise.race([use(databases, signal), late]);
  } catch {
    return []; // a Tab is no place for errors
  }
}
