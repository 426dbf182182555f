/** Decides whether a statement may run at all, before it is sent: one statement, understood, its parameters in place. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { ReadOptions, Statement } from "@database-interface/mcp-core/sql";
import { secretTables } from "./guard-lists.js";
import { tablesOf } from "./guard-tables.js";
import { inspectStatement, isQuery, verbOf } from "./guard-walk.js";
import { type HidingStatement, hideColumns } from "./hidden-columns.js";
import { tokenize } from "./lexer.js";
import { type BoundStatement, bind } from "./parameters.js";
import type { Source } from "./source.js";

/** A statement that may run. */
export interface Approved extends BoundStatement {
  readonly callerSql: string;
  /** True for SELECT, WITH, VALUES and TABLE. */
  readonly isSelect: boolean;
  /** What stands for tables with hidden columns, where there are rules. */
  readonly hiding?: HidingStatement | undefined;
}

const maxSqlBytes = 100_000;

/**
 * @throws CodedError `sql_empty`, `sql_too_long`, `multiple_statements`, `syntax_error`, `read_only`, `not_allowed`,
 *   `function_not_found`, `parameter_count`
 */
export async function approve(
  source: Source,
  { sql, params }: Statement,
  options: Pick<ReadOptions, "signal" | "observe">,
): Promise<Approved> {
  if (Buffer.byteLength(sql) > maxSqlBytes) {
    throw new CodedError("sql_too_long", "The statement is longer than 100 kB.", { hint: "Use params, or a join." });
  }
  const all = tokenize(sql);
  const close = all.findIndex(({ kind }) => kind === "end");
  const tokens = close === -1 ? all : all.slice(0, close);
  if (all.every(({ kind }) => kind === "end")) {
    throw new CodedError("sql_empty", "There is no statement in the text.", { hint: "Such as SELECT 1." });
  }
  if (tokens.length === 0 || all.slice(tokens.length).some(({ kind }) => kind !== "end")) {
    throw new CodedError("multiple_statements", "The text holds more than one statement.", {
      hint: "Send one statement per call.",
    });
  }
  options.observe?.({ statementClass: verbOf(tokens), tables: tablesOf(tokens) });
  const inspection = inspectStatement(tokens);
  // There the tables of accounts need no qualifier.
  if (source.database.toLowerCase() === "mysql" && [...inspection.names].some((name) => secretTables.has(name))) {
    throw new CodedError("not_allowed", "Tables with the secrets of accounts may not be read.");
  }
  const markers = tokens.filter(({ kind }) => kind === "parameter");
  if (markers.length !== params.length) throw wrongCount(markers.length, params.length);
  await source.checkNames(inspection, options);
  const isRestricted = source.columnRules.length > 0 || source.schemas !== undefined;
  const hiding = isRestricted ? await hideColumns(source, tokens, options) : undefined;
  if (hiding?.readsUnseen && !isQuery(verbOf(tokens))) throw unseenPlan();
  return {
    ...bind(sql, tokens.at(-1)?.end ?? 0, markers, params, hiding?.replacements),
    callerSql: sql,
    isSelect: isQuery(verbOf(tokens)),
    hiding,
  };
}

/** The refusal of a plan that would name what may not be seen. */
export const unseenPlan = (): CodedError =>
  new CodedError("not_allowed", "Its views read schemas that are not shown, which a plan would name.", {
    hint: "Query it; only its plan is withheld.",
  });

function wrongCount(markers: number, values: number): CodedError {
  return new CodedError("parameter_count", `The statement has ${markers} parameters and params has ${values} values.`, {
    hint: "Give one value in params for each ? outside quotes and comments.",
  });
}
