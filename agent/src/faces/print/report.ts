/** A run's report in every format: for a terminal, for a document, for programs. */
import { describeSourceCheck } from "../../graphs/verify.js";
import type { QuestionReport, Report, StatementReport } from "../../report.js";
import type { QueryResult } from "../../result.js";
import type { Format } from "../../task.js";
import { formatResult, toJsonRows } from "./format.js";
import { describeRows, fence, formatError } from "./pieces.js";
import { describeQuestions, toQuestionParts, toQuestionSection } from "./question-section.js";
import { plainStyle, type Style } from "./style.js";
import { type TableOptions, toTable } from "./table.js";
import { toVisible, toVisibleLines } from "./text.js";

/** The report in a format. `csv` and `jsonl` hold rows alone: those of statements, then those of answers. */
export function formatReport(report: Report, format: Format, options: TableOptions = {}): string {
  switch (format) {
    case "json":
      return toJsonText(report);
    case "jsonl":
      return [...report.statements, ...report.questions].flatMap(toTaggedRows).join("");
    case "csv":
      return [...report.statements, ...report.questions]
        .flatMap(({ result }) => (result === undefined ? [] : [formatResult(result, "csv")]))
        .join("\r\n");
    case "markdown":
      return toMarkdownReport(report);
    case "table":
    case "vertical":
      return toTerminalReport(report, format, options);
  }
}

function toTerminalReport(report: Report, format: "table" | "vertical", options: TableOptions): string {
  const { style = plainStyle } = options;
  const heading = (text: string): string => style("bold", toVisible(text));
  const connections = toTable(
    {
      columns: ["connection", "state", "database"],
      types: [],
      rows: report.connections.map((connection) => [
        connection.name,
        connection.state,
        connection.state === "up"
          ? describeSourceCheck(connection.check)
          : `${connection.error.code}: ${connection.error.message}`,
      ]),
    },
    options,
  );
  const parts = [`${heading(report.title)}\n\n${connections}`];
  for (const connection of report.connections) {
    const warnings = connection.state === "up" ? (connection.check.warnings ?? []) : [];
    if (warnings.length > 0)
      parts.push(warnings.map((warning) => style("yellow", `! ${connection.name}: ${toVisible(warning)}`)).join("\n"));
    if (connection.state === "down" && connection.error.hint !== undefined)
      parts.push(`${connection.name}: ${toVisibleLines(connection.error.hint)}`);
  }
  for (const { connection, subject, objects, description, error } of report.inspections) {
    const title = heading(subject === "objects" ? `What is in ${connection}` : `${connection}: ${subject}`);
    if (error !== undefined) parts.push(`${title}\n${formatError(error, style)}`);
    if (description !== undefined) parts.push(`${title}\n${toVisibleLines(description.trimEnd())}`);
    if (objects !== undefined)
      parts.push(
        `${title}\n${objectTexts(objects)?.join("\n\n") ?? formatResult(objects, "table", options).trimEnd()}`,
      );
  }
  for (const statement of report.statements)
    parts.push(toStatementSection(statement, heading(statement.name), format, options));
  parts.push(...report.questions.map((question) => toQuestionSection(question, format, options)));
  parts.push(toSummary(report, style));
  return `${parts.join("\n\n")}\n`;
}

function toStatementSection(
  statement: StatementReport,
  title: string,
  format: "table" | "vertical",
  options: TableOptions,
): string {
  const { style = plainStyle } = options;
  const where = style("dim", ` (${statement.connection})`);
  if (statement.result === undefined) {
    const error = statement.error ?? { code: "skipped", message: "Not run.", retryable: false };
    return statement.status === "skipped"
      ? `${title}${where}\n${style("yellow", "–")} skipped: ${toVisible(error.message)}`
      : `${title}${where}\n${formatError(error, style)}`;
  }
  const table = formatResult(statement.result, format, options).trimEnd();
  const footer = style("dim", `(${describeRows(statement.result)}, ${statement.ms} ms)`);
  return `${title}${where}\n${table}\n${footer}`;
}

function toSummary(report: Report, style: Style): string {
  const count = (status: string): number => report.statements.filter((statement) => statement.status === status).length;
  const down = report.connections.filter(({ state }) => state === "down").length;
  const parts = [
    `${report.connections.length - down} of ${report.connections.length} connections up`,
    `${count("ok")} of ${report.statements.length} statements ok`,
    ...(count("failed") > 0 ? [`${count("failed")} failed`] : []),
    ...(count("skipped") > 0 ? [`${count("skipped")} skipped`] : []),
    ...(report.questions.length > 0 ? [describeQuestions(report.questions)] : []),
  ];
  return `${report.ok ? style("green", "✓") : style("red", "✗")} ${parts.join(", ")}`;
}

function toMarkdownReport(report: Report): string {
  const parts = [`# ${toVisible(report.title)}`, toSummary(report, plainStyle)];
  parts.push(
    report.connections
      .map((connection) =>
        connection.state === "up"
          ? `- **${connection.name}**: ${describeSourceCheck(connection.check)}`
          : `- **${connection.name}** is down: ${toVisible(connection.error.message)} (\`${connection.error.code}\`)`,
      )
      .join("\n"),
  );
  for (const { connection, subject, objects, description, error } of report.inspections) {
    parts.push(`## ${toVisible(subject === "objects" ? `What is in ${connection}` : `${connection}: ${subject}`)}`);
    if (error !== undefined) parts.push(toVisible(error.message));
    if (description !== undefined) parts.push(fence(toVisibleLines(description.trimEnd()), ""));
    if (objects !== undefined) {
      const texts = objectTexts(objects)?.map((text) => fence(text, ""));
      parts.push(...(texts ?? [formatResult(objects, "markdown").trimEnd()]));
    }
  }
  for (const statement of report.statements) {
    parts.push(`## ${toVisible(statement.name)}`, fence(toVisibleLines(statement.sql), "sql"));
    if (statement.result !== undefined) {
      parts.push(
        formatResult(statement.result, "markdown").trimEnd(),
        `${describeRows(statement.result)}, ${statement.ms} ms`,
      );
    } else {
      parts.push(`${statement.status}: ${toVisible(statement.error?.message ?? "not run")}`);
    }
  }
  parts.push(...report.questions.flatMap(toQuestionParts));
  return `${parts.join("\n\n")}\n`;
}

/** Objects found with their full description are texts of several lines, which no table has room for. */
function objectTexts({ columns, rows }: QueryResult): string[] | undefined {
  const at = columns.indexOf("description");
  return at === -1 ? undefined : rows.map((row) => toVisibleLines(String(row[at] ?? "")));
}

/** A report or an answer as it is, a row of a result to a line. */
export function toJsonText(value: object): string {
  const blocks: string[] = [];
  const mark = `rows-${Math.random().toString(36).slice(2)}-`;
  const text = JSON.stringify(
    value,
    (key, inner: unknown) => {
      if (key !== "rows" || !Array.isArray(inner)) return inner;
      blocks.push(
        inner.length === 0 ? "[]" : `[\n${inner.map((row) => `        ${JSON.stringify(row)}`).join(",\n")}\n      ]`,
      );
      return `${mark}${blocks.length - 1}`;
    },
    2,
  );
  return `${text.replace(new RegExp(`"${mark}(\\d+)"`, "g"), (_, index: string) => blocks[Number(index)] ?? "[]")}\n`;
}

function toTaggedRows({ name, result }: StatementReport | QuestionReport): string[] {
  if (result === undefined) return [];
  return toJsonRows(result).map((row) => `{"statement":${JSON.stringify(name)},"row":${row}}\n`);
}
