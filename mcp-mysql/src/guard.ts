/** Decides whether a statement may run at all, before it is sent: one statement, understood, its parameters in place. */
import { CodedError } from "@database-interface/mcp-core/host";
import {
  assertContext,
  assertWhole,
  type CallOptions,
  type ReadOptions,
  type Statement,
} from "@database-interface/mcp-core/sql";
import { secretTables } from "./guard-lists.js";
import { systemSchemas } from "./guard-repeat.js";
import { tablesOf } from "./guard-tables.js";
import { type Inspection, inspectStatement, isQuery, verbOf } from "./guard-walk.js";
import { type HidingStatement, hideColumns } from "./hidden-columns.js";
import { type Token, tokenize } from "./lexer.js";
import { type BoundStatement, bind } from "./parameters.js";
import type { Source } from "./source.js";
import { assertOthersHidden } from "./visible-schemas.js";

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
  options: Pick<ReadOptions, "signal" | "context" | "observe">,
): Promise<Approved> {
  assertContext(source.sessionContext, options);
  const tokens = toOneStatement(sql);
  options.observe?.({ statementClass: verbOf(tokens), tables: tablesOf(tokens) });
  const inspection = inspectStatement(tokens);
  if (source.sessionContext.length > 0) assertOthersHidden(tokens);
  const markers = markersOf(tokens, params);
  const { isRepeatable } = await assertNames(source, inspection, options);
  const isRestricted = source.columnRules.length > 0 || source.schemas !== undefined;
  const hiding = isRestricted ? await hideColumns(source, tokens, options) : undefined;
  if (hiding?.readsUnseen && !isQuery(verbOf(tokens))) throw unseenPlan();
  const isSelect = isQuery(verbOf(tokens));
  options.observe?.({ isRepeatable: isSelect && isRepeatable && !systemSchemas.has(source.database.toLowerCase()) });
  return {
    ...bind(sql, tokens.at(-1)?.end ?? 0, markers, params, hiding?.replacements),
    callerSql: sql,
    isSelect,
    hiding,
  };
}

/** The tokens of the one statement in a text. @throws CodedError `sql_empty`, `sql_too_long`, `multiple_statements`, `syntax_error` */
export function toOneStatement(sql: string): readonly Token[] {
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
  return tokens;
}

/** What the server has to be asked about the names of a statement. @throws CodedError `not_allowed`, `function_not_found` */
export async function assertNames(
  source: Source,
  inspection: Inspection,
  options: CallOptions,
): ReturnType<Source["checkNames"]> {
  // There the tables of accounts need no qualifier.
  if (source.database.toLowerCase() === "mysql" && [...inspection.names].some((name) => secretTables.has(name))) {
    throw new CodedError("not_allowed", "Tables with the secrets of accounts may not be read.");
  }
  return await source.checkNames(inspection, options);
}

/** The marks of the statement's parameters. @throws CodedError `parameter_count`, `parameter_invalid` */
export function markersOf(tokens: readonly Token[], params: Statement["params"]): readonly Token[] {
  const markers = tokens.filter(({ kind }) => kind === "parameter");
  if (markers.length !== params.length) throw wrongCount(markers.length, params.length);
  assertWhole(params);
  return markers;
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
