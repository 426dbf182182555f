/** Pieces that reports, answers and feedback have in common: an error, a count of rows, a block of code. */
import type { ErrorReport } from "../../error-report.js";
import { plainStyle, type Style } from "./style.js";
import { toVisibleLines } from "./text.js";

/** An error in lines: code and message, then the hint as it stands, whose caret needs its own column. */
export function formatError(error: ErrorReport, style: Style = plainStyle): string {
  const number = error.sqlstate ?? error.errno;
  const head = `${style("red", "✗")} ${toVisibleLines(error.message)} ${style("dim", `[${[error.code, number].filter(Boolean).join(" ")}]`)}`;
  return error.hint === undefined ? head : `${head}\n${indent(toVisibleLines(error.hint), "  ")}`;
}

/** Such as `12 rows` and why there are not more. */
export function describeRows({
  rowCount,
  truncated,
}: {
  readonly rowCount: number;
  readonly truncated: boolean;
}): string {
  return `${rowCount} ${rowCount === 1 ? "row" : "rows"}${truncated ? ", and there are more" : ""}`;
}

/** A code block whose fence is longer than any in the text. */
export function fence(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const ticks = "`".repeat(longest + 1);
  return `${ticks}${language}\n${text}\n${ticks}`;
}

const indent = (text: string, by: string): string =>
  text
    .split("\n")
    .map((line) => by + line)
    .join("\n");
