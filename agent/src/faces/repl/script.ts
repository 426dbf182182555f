/** The prompt without a terminal: statements and commands from a pipe, results on stdout, an exit code for all of them. */
import { createInterface } from "node:readline";
import { toErrorReport } from "../../errors.js";
import { exitCodeOf, exitCodes, type Io, onInterrupt, stylesOf } from "../io.js";
import { formatError } from "../print/pieces.js";
import { runCommand } from "./commands.js";
import type { Session } from "./session.js";
import { splitStatements } from "./statements.js";

/** Runs to the end of input; later statements run also after one failed, as each stands alone. */
export async function runScript(session: Session, wanted: string | undefined, io: Io): Promise<number> {
  using interrupt = onInterrupt();
  const { err } = stylesOf(io);
  session.signal = interrupt.signal;
  let exitCode: number = exitCodes.ok;
  const attempt = async (run: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await run();
    } catch (error) {
      const report = toErrorReport(error);
      io.stderr.write(`${formatError(report, err)}\n`);
      exitCode = Math.max(exitCode, exitCodeOf(report.code));
      return undefined;
    }
  };
  let isOpen = false;
  await attempt(async () => {
    await session.open(wanted ?? (await session.agent().sources({ signal: interrupt.signal }))[0]);
    isOpen = true;
  });
  if (!isOpen) return exitCode;
  let buffer = "";
  const lines = createInterface({ input: io.stdin, terminal: false, crlfDelay: Number.POSITIVE_INFINITY });
  interrupt.signal.addEventListener("abort", () => lines.close()); // it may be waiting for input that never comes
  for await (const line of lines) {
    if (interrupt.signal.aborted) break;
    if (buffer === "" && line.trim().startsWith("\\")) {
      if ((await attempt(() => runCommand(session, line))) === "quit") return exitCode;
      continue;
    }
    const { statements, rest } = splitStatements(buffer === "" ? line : `${buffer}\n${line}`, session.dialect);
    for (const sql of statements) await attempt(() => session.execute(sql));
    buffer = rest.trim() === "" ? "" : rest;
  }
  if (interrupt.signal.aborted) return exitCodes.interrupted;
  if (buffer !== "") await attempt(() => session.execute(buffer.trim()));
  return exitCode;
}
