/** `--check`: connects to every source and prints what it is and what the self-audit says, a few lines each. */
import type { Writable } from "node:stream";
import { toErrorReport } from "../host/errors.js";
import { type ServerSettings, type Source, withDeadline } from "./call.js";
import { toOneLine } from "./json-text.js";

/** Prints a report of each source; 0 when all of them answer, else 1. */
export async function checkSources(
  sources: readonly Source[],
  settings: Pick<ServerSettings, "mode" | "timeoutMs">,
  io: { readonly stdout: Writable; readonly signal: AbortSignal },
): Promise<number> {
  const signal = withDeadline(io.signal, settings);
  const reports = await Promise.all(sources.map((source) => report(source, settings.mode, signal)));
  for (const { lines } of reports) io.stdout.write(`${lines.map((line) => toOneLine(line)).join("\n")}\n`);
  return reports.every(({ answers }) => answers) ? 0 : 1;
}

async function report({ name, label, database }: Source, mode: string, signal: AbortSignal) {
  try {
    const found = await database.check({ signal });
    const lines = [
      `${name}: ${found.server} ${found.version}, ${label}`,
      `  user ${found.user}, ${found.tls || "no TLS"}, ${mode}, ${found.roundTripMs.toFixed(1)} ms`,
      ...found.warnings.map((warning) => `  warning: ${warning}`),
    ];
    return { answers: true, lines };
  } catch (error) {
    const { code, message, hint } = toErrorReport(error);
    return { answers: false, lines: [`${name}: [${code}] ${message}`, ...(hint === undefined ? [] : [`  ${hint}`])] };
  }
}
