/** What a human is asked, as text: the statement, what it would do, and the answers there are. */
import type { Approval } from "../../approval.js";
import { type DryRun, parseDryRunReply } from "../../result.js";
import { formatError } from "../print/pieces.js";
import type { Style } from "../print/style.js";
import { toTable } from "../print/table.js";
import { toVisible, toVisibleLines } from "../print/text.js";

/** How it is shown. */
interface ApprovalTextOptions {
  readonly style: Style;
  readonly width: number | undefined;
}

/** The question with everything that helps to answer it. */
export function toApprovalText(approval: Approval, options: ApprovalTextOptions): string {
  const { message, sql, params, dryRun, choices = [] } = approval;
  const { style } = options;
  return [
    `${style("yellow", "?")} ${style("bold", toVisibleLines(message))}`,
    ...(sql === undefined ? [] : [indented(toVisibleLines(sql))]),
    ...(params === undefined ? [] : [indented(style("dim", `values: ${toVisible(params)}`))]),
    ...(dryRun?.error === undefined ? [] : [indented(formatError(dryRun.error, style))]),
    ...(dryRun?.reply === undefined ? [] : dryRunLines(parseDryRunReply(dryRun.reply), options)),
    ...choices.map((choice, index) => `  ${index + 1}  ${toVisible(choice)}`),
  ].join("\n");
}

function dryRunLines(
  { kind, targets, warnings, rowsAffected, before, after }: DryRun,
  options: ApprovalTextOptions,
): string[] {
  const { style, width } = options;
  const table = (rows: NonNullable<DryRun["before"]>): string =>
    indented(toTable(rows, { ...options, width: width === undefined ? undefined : width - 2 }));
  const what = `${kind} ${targets.join(", ")}`.trim();
  return [
    indented(
      `${style("dim", "dry run:")} ${toVisible(what)}, ${String(rowsAffected)} ${rowsAffected === 1 ? "row" : "rows"}`,
    ),
    ...warnings.map((warning) => indented(`${style("yellow", "!")} ${toVisible(warning)}`)),
    ...(before === undefined ? [] : [indented(style("dim", "before")), table(before)]),
    ...(after === undefined ? [] : [indented(style("dim", "after")), table(after)]),
  ];
}

const indented = (text: string): string => text.replace(/^/gm, "  ");
