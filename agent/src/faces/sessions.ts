/** `db-agent sessions`: what is remembered of earlier runs, by their reference ids. */
import { AgentError } from "../errors.js";
import { unknownSession } from "../session.js";
import type { Format } from "../task.js";
import { exitCodes, type Io, stylesOf, tableWidth } from "./io.js";
import { formatResult } from "./print/format.js";
import { formatReport } from "./print/report.js";

/** What the command line says. */
export interface SessionsFlags {
  readonly action: "list" | "show" | "delete";
  readonly session?: string | undefined;
  readonly store?: string | undefined;
  readonly format?: Format | undefined;
}

/** The store of `--store`, else of `DB_AGENT_STORE`. */
export const storeWord = (given: string | undefined, { environment }: Pick<Io, "environment">): string | undefined =>
  given ?? (environment.DB_AGENT_STORE || undefined);

/** Whether what is stored now opens later. */
export const hasKeys = ({ environment }: Pick<Io, "environment">): boolean =>
  ["MCP_KEYS", "MCP_PASSPHRASE", "MCP_KEYS_FILE", "MCP_PASSPHRASE_FILE"].some(
    (name) => (environment[name] ?? "") !== "",
  );

/** Says, once, that what is stored now will not open later. */
export function warnOfPassingKeys(io: Io): void {
  io.stderr.write(
    "Sessions are sealed with a key of this process only: set MCP_KEYS or MCP_PASSPHRASE to keep them.\n",
  );
}

/** Lists, shows or deletes. @throws AgentError `session_unknown` */
export async function runSessions(flags: SessionsFlags, io: Io): Promise<number> {
  const { openSessions } = await import("../sessions.js");
  await using sessions = await openSessions(storeWord(flags.store, io) ?? "file", io.environment);
  const { checkpointer } = sessions;
  const format = flags.format ?? "table";
  const options = { width: tableWidth(io), style: stylesOf(io).out };
  if (flags.action === "list") {
    if (!sessions.isLasting) warnOfPassingKeys(io);
    const threads = await checkpointer.threads();
    const rows = threads.map(({ thread, updatedAt, checkpoints }) => [thread, updatedAt, checkpoints]);
    const columns = ["session", "updated", "checkpoints"];
    const types = ["text", "text", "integer"];
    io.stdout.write(formatResult({ columns, types, rows, rowCount: rows.length, truncated: false }, format, options));
    return exitCodes.ok;
  }
  const session = flags.session ?? "";
  if (session === "") {
    throw new AgentError("usage", "Which session?", { hint: "db-agent sessions list shows the reference ids." });
  }
  const isKnown = (await checkpointer.getTuple({ configurable: { thread_id: session } })) !== undefined;
  if (!isKnown) throw unknownSession();
  if (flags.action === "delete") {
    await checkpointer.deleteThread(session);
    io.stderr.write("The session is deleted.\n");
    return exitCodes.ok;
  }
  const { createAgent } = await import("../agent.js");
  await using agent = createAgent({ gateway: { databases: {} }, store: checkpointer }); // looking back connects to nothing
  const report = await agent.recall(session);
  if (report === undefined) throw unknownSession();
  io.stdout.write(formatReport(report, format, options));
  return report.ok ? exitCodes.ok : exitCodes.failed;
}
