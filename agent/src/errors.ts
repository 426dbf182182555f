/**
 * The one error of the agent: a stable code, a sentence and the next step, in the shape the servers use, so that a
 * failure of ours and one that came over MCP look the same to whoever reads them. It knows nothing of MCP or terminals.
 */
import { closest, distance } from "fastest-levenshtein";
import type { ErrorReport } from "./error-report.js";

/** An expected failure: stable `code`, a `message` without secrets or row values, and a `hint` that says what to do. */
export class AgentError extends Error {
  /** `AgentError`; a tool's failure is named `ToolException`, which is how the adapters know to leave it as it is. */
  override readonly name: string;
  readonly report: ErrorReport;

  constructor(
    code: string,
    message: string,
    details: Partial<Omit<ErrorReport, "code" | "message">> & { cause?: unknown } = {},
  ) {
    const { cause, ...rest } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.name = "AgentError";
    this.report = { retryable: false, ...rest, code, message };
  }

  get code(): string {
    return this.report.code;
  }

  get retryable(): boolean {
    return this.report.retryable;
  }
}

/** The report of any thrown value; an abort becomes `cancelled`, anything unexpected `internal`. */
export function toErrorReport(thrown: unknown): ErrorReport {
  if (thrown instanceof AgentError) return thrown.report;
  if (isAbort(thrown)) return { code: "cancelled", message: "Cancelled.", retryable: false };
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return {
    code: "internal",
    message: `Something went wrong inside the agent: ${withoutSecrets(message)}`,
    hint: "Run it again with DEBUG=db-agent for the stack, and report it.",
    retryable: false,
  };
}

/** Whether a thrown value says that a signal was aborted. */
export const isAbort = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  (thrown.name === "AbortError" || (thrown instanceof AgentError && thrown.code === "cancelled"));

/**
 * A text with the passwords of URLs and of `password=` pairs taken out. A broken URL is the likeliest to be quoted in a
 * message, so everything from its first colon to the last @ of the line goes.
 */
export const withoutSecrets = (text: string): string =>
  text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s"'@:]*:[^"'\n]*@/gi, "$1***@")
    .replace(
      /\b((?:pass(?:word|wd)?|pwd|secret|token|api[-_]?key)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s&,;)]+)/gi,
      "$1***",
    );

/** The candidate nearest to a misspelt word, or undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const best = closest(
    word.toLowerCase(),
    candidates.map((candidate) => candidate.toLowerCase()),
  );
  const limit = Math.max(2, Math.floor(word.length / 3));
  return distance(word.toLowerCase(), best) > limit
    ? undefined
    : candidates.find((candidate) => candidate.toLowerCase() === best);
}
