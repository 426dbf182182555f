/** What every face has of the outside world, so that a test can give it another. */
import type { Environment } from "../config-file.js";
import { createStyle, type Style } from "./print/style.js";

/** The process's streams and environment. */
export interface Io {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: Environment;
}

/** Exit codes of every command. */
export const exitCodes = {
  ok: 0,
  /** A statement or a connection failed. */
  failed: 1,
  /** The command line, a file or a setting is wrong. */
  usage: 2,
  /** A human is asked something, and nobody is there to answer. */
  waiting: 3,
  /** Ctrl-C. */
  interrupted: 130,
} as const;

const usageCodes = new Set([
  "usage",
  "task_invalid",
  "cases_invalid",
  "config_invalid",
  "config_unreadable",
  "variable_unset",
  "model_unset",
  "model_package_missing",
]);

/** The exit code an error leads to. */
export function exitCodeOf(code: string): number {
  if (code === "cancelled") return exitCodes.interrupted;
  return usageCodes.has(code) ? exitCodes.usage : exitCodes.failed;
}

/** Columns a table may take: those of the terminal, no limit in a pipe. */
export function tableWidth({ stdout }: Pick<Io, "stdout">): number | undefined {
  return stdout.isTTY ? stdout.columns || 80 : undefined;
}

/** The style of stdout and of stderr. */
export const stylesOf = ({ stdout, stderr, environment }: Io): { readonly out: Style; readonly err: Style } => ({
  out: createStyle(stdout, environment),
  err: createStyle(stderr, environment),
});

/** What an interrupt has not ended within this long is left. */
const graceMs = 10_000;

/**
 * Aborts at the first SIGINT or SIGTERM; at the second the process ends, and ten seconds later unless it drains. Dispose to
 * stop listening.
 */
export function onInterrupt({ drains = false } = {}): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const leave = (): never => process.exit(exitCodes.interrupted);
  const listener = (): void => {
    if (controller.signal.aborted) leave();
    controller.abort();
    if (!drains) setTimeout(leave, graceMs).unref(); // fires only where something still keeps the process
  };
  process.on("SIGINT", listener);
  process.on("SIGTERM", listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.off("SIGINT", listener);
      process.off("SIGTERM", listener);
    },
  };
}
