/** What a task's questions came to, for a terminal and for a document. */
import type { QuestionReport } from "../../report.js";
import { formatResult } from "./format.js";
import { describeRows, fence, formatError } from "./pieces.js";
import { plainStyle } from "./style.js";
import type { TableOptions } from "./table.js";
import { toVisible, toVisibleLines } from "./text.js";

/** Such as `2 of 3 questions answered, 1 waits`. */
export function describeQuestions(questions: readonly QuestionReport[]): string {
  const count = (status: string): number => questions.filter((question) => question.status === status).length;
  const waiting = count("waiting");
  const rest = waiting === 0 ? "" : `, ${waiting} ${waiting === 1 ? "waits" : "wait"} for a human`;
  return `${count("answered")} of ${questions.length} questions answered${rest}`;
}

/** A question on a terminal: statement, rows, words, and what to mind. */
export function toQuestionSection(
  question: QuestionReport,
  format: "table" | "vertical",
  options: TableOptions,
): string {
  const { style = plainStyle } = options;
  const { name, text, connection, sql, result, caveats, error } = question;
  const where = connection === undefined ? "" : style("dim", ` (${connection})`);
  const lines = [`${style("bold", toVisible(name))}${where}`, toVisibleLines(text)];
  if (sql !== undefined) lines.push(style("cyan", toVisibleLines(sql)));
  if (result !== undefined) {
    lines.push(formatResult(result, format, options).trimEnd(), style("dim", `(${describeRows(result)})`));
  }
  lines.push(...wordsOf(question));
  if (question.status === "skipped") {
    lines.push(`${style("yellow", "–")} skipped: ${toVisible(error?.message ?? "not asked")}`);
  } else if (error !== undefined) lines.push(formatError(error, style));
  lines.push(...caveats.map((caveat) => `${style("yellow", "!")} ${toVisibleLines(caveat)}`));
  return lines.join("\n");
}

/** A question in a document. */
export function toQuestionParts(question: QuestionReport): string[] {
  const { name, text, sql, result, caveats, status, error } = question;
  const parts = [`## ${toVisible(name)}`, toVisibleLines(text)];
  if (sql !== undefined) parts.push(fence(toVisibleLines(sql), "sql"));
  if (result !== undefined) parts.push(formatResult(result, "markdown").trimEnd(), describeRows(result));
  parts.push(...wordsOf(question));
  if (error !== undefined) parts.push(`${status}: ${toVisible(error.message)}`);
  if (caveats.length > 0) parts.push(caveats.map((caveat) => `- ${toVisible(caveat)}`).join("\n"));
  return parts;
}

function wordsOf({ status, session, answer }: QuestionReport): string[] {
  if (status === "waiting") return [`It waits for a human, in the session ${session ?? ""}`];
  return status === "answered" && answer !== undefined ? [toVisibleLines(answer)] : [];
}
