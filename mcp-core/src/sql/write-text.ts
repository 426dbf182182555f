/** A write in words: what a human reads before allowing it, and what a call answers. It runs nothing. */
import type { DryRun, RowSample, Statement, WritePlan } from "./database.js";
import { cutText, toJsonText } from "./json-text.js";
import type { Caps } from "./limits.js";
import { createResultWriter } from "./result.js";

const shownSqlCharacters = 2_000;
const sampleBytes = 2_048;

/** What is to be allowed, with everything that decides it. Values stand in JSON, controls in them escaped. */
export function toPreview(source: string, statement: Statement, plan: WritePlan, tried: DryRun | undefined): string {
  const { sql, params } = statement;
  return [
    `${plan.kind.toUpperCase()} on ${plan.targets.map((target) => cutText(target, 200)).join(", ")} (source ${source})`,
    ...plan.warnings.map((warning) => `Warning: ${warning}`),
    `Statement: ${toJsonText(cutText(sql, shownSqlCharacters))}`,
    ...(sql.length > shownSqlCharacters ? [`The statement has ${sql.length} characters; the rest is not shown.`] : []),
    ...(params.length > 0 ? [`Params: ${cutText(toJsonText(params), shownSqlCharacters)}`] : []),
    ...(tried === undefined ? [`Not tried before: ${plan.noDryRun ?? "no dry run"}`] : triedLines(tried)),
  ].join("\n");
}

function triedLines({ rowsAffected, before, after }: DryRun): readonly string[] {
  return [
    `Dry run (rolled back): ${rowsAffected} rows affected`,
    ...(before === undefined ? [] : [`Some rows before: ${toSampleText(before)}`]),
    ...(after === undefined ? [] : [`Some rows after: ${toSampleText(after)}`]),
  ];
}

/** The answer of a dry run, as JSON. */
export function toDryRunText(plan: WritePlan, { rowsAffected, before, after }: DryRun): string {
  const parts = [
    '"dry_run":true',
    ...planParts(plan),
    `"rows_affected":${rowsAffected}`,
    ...(before === undefined ? [] : [`"before":${toSampleText(before)}`]),
    ...(after === undefined ? [] : [`"after":${toSampleText(after)}`]),
  ];
  return `{${parts.join(",")}}`;
}

/** The answer of a write that ran, as JSON; `returned` is the JSON of the rows it returned. */
export function toOutcomeText(plan: WritePlan, rowsAffected: number, returned: string | undefined): string {
  const parts = [
    '"dry_run":false',
    ...planParts(plan),
    `"rows_affected":${rowsAffected}`,
    ...(returned === undefined ? [] : [`"returned":${returned}`]),
  ];
  return `{${parts.join(",")}}`;
}

const planParts = ({ kind, targets, warnings }: WritePlan): readonly string[] => [
  `"class":${toJsonText(kind)}`,
  `"targets":${toJsonText(targets)}`,
  ...(warnings.length > 0 ? [`"warnings":${toJsonText(warnings)}`] : []),
];

function toSampleText({ columns, rows }: RowSample): string {
  const caps: Pick<Caps, "maxRows" | "maxBytes" | "maxCellBytes"> = {
    maxRows: rows.length + 1,
    maxBytes: sampleBytes,
    maxCellBytes: 256,
  };
  try {
    const writer = createResultWriter(caps, { withTypes: false });
    writer.columns(columns);
    for (const row of rows) if (!writer.add(row)) break;
    return writer.finish();
  } catch {
    return '"too wide to show"';
  }
}
