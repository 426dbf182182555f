/**
 * Decides whether a statement may run at all, before it is sent: it is parsed by PostgreSQL's own parser, everything in
 * it is looked at, and what is not understood is refused. The session and the transaction are read-only besides; this
 * layer is for what they let through.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import {
  assertContext,
  assertWhole,
  isBroken,
  type ReadOptions,
  type Statement,
} from "@database-interface/mcp-core/sql";
import {
  allowedKinds,
  assertClass,
  assertReadOnly,
  multipleStatements,
  notAllowed,
  onlyReading,
  parseOne,
  type Tree,
} from "./guard-class.js";
import { assertNames } from "./guard-rules.js";
import { collectUsage, namesMoment, type Usage } from "./guard-walk.js";
import { hideColumns } from "./hidden-columns.js";
import type { HidingStatement } from "./hidden-statement.js";
import { loadParser, type Parse } from "./parser.js";
import { type StatementShape, scanStatement } from "./scan.js";
import type { Source } from "./source.js";

/** A statement that may run. */
export interface Approved {
  /** The one statement and its comments, each character where the caller had it; semicolons around it are blank. */
  readonly sql: string;
  /** True for SELECT, VALUES, TABLE and WITH: it can stand in a subquery, or be opened as a cursor. */
  readonly isSelect: boolean;
  /** What stands for tables with hidden columns, where there are rules. */
  readonly hiding?: HidingStatement | undefined;
  /** A view of it reads schemas that may not be seen: its plan would name them. */
  readonly readsUnseen: boolean;
}

const reading = new Set(["select", "with", "values", "table", "show", "explain"]);
const writing = new Set(
  "insert update delete merge truncate create alter drop grant revoke comment reindex vacuum analyze cluster".split(
    " ",
  ),
);
const maxSqlBytes = 100_000;

type Asking = Pick<ReadOptions, "signal" | "context" | "observe">;

/** @throws CodedError `sql_empty`, `sql_too_long`, `multiple_statements`, `syntax_error`, `read_only`, `not_allowed`, `parameter_count` */
export async function approve(source: Source, { sql, params }: Statement, options: Asking): Promise<Approved> {
  assertContext(source.sessionContext, options);
  const shape = toOneStatement(sql);
  assertReads(shape);
  assertParameters(shape, params);
  const { bare, tree } = parseBare(await loadParser(), sql, shape);
  const top = Object.keys(tree)[0] ?? "";
  const usage = collectUsage(tree);
  options.observe?.({ statementClass: top.replace("Stmt", "").toLowerCase(), tables: tablesOf(usage) });
  assertClass(top, tree);
  assertReadOnly(usage, allowedKinds(top, tree));
  const { readsUnseen, isRepeatable } = await assertNames(source, await loadParser(), usage, options);
  if (readsUnseen && top === "ExplainStmt") throw unseenPlan();
  const isSelect = top === "SelectStmt" && shape.isClosed;
  options.observe?.({ isRepeatable: isSelect && isRepeatable && !namesMoment(JSON.stringify(params)) });
  if (source.columnRules.length === 0) return { sql: bare, isSelect, readsUnseen };
  if (top === "ExplainStmt") throw notAllowed("EXPLAIN is not run as a query here.", "Use the tool explain.");
  const hiding = await hideColumns(source, await loadParser(), bare, tree, options);
  return { sql: hiding.sql, isSelect, readsUnseen, hiding };
}

/** The refusal of a plan that would name what may not be seen. */
export const unseenPlan = (): CodedError =>
  notAllowed(
    "Its views read schemas that are not shown, which a plan would name.",
    "Query it; only its plan is withheld.",
  );

/** The tables it names, with their schema where it is written, without CTEs. */
const tablesOf = ({ relations, commonTables }: Usage): readonly string[] =>
  relations
    .filter(({ schema, name }) => schema !== undefined || !commonTables.has(name))
    .map(({ schema, name }) => (schema === undefined ? name : `${schema}.${name}`));

/**
 * The text as it will be sent, and its tree: always of the same text. Comments stay, as marks in the server's own views,
 * unless they make any difference to the parser: it stumbles over one in the middle of NULLS LAST and the like, where
 * the server does not. Then blanks are sent in their place.
 */
export function parseBare(
  parse: Parse,
  sql: string,
  shape: StatementShape,
): { readonly bare: string; readonly tree: Tree } {
  const blank = (text: string) => text.replaceAll(";", " ");
  const bare = blank(sql.slice(0, shape.start)) + sql.slice(shape.start, shape.end) + blank(sql.slice(shape.end));
  if (shape.comments.length === 0) return { bare, tree: parseOne(parse, bare) };
  let plain = bare;
  for (const [from, to] of shape.comments) {
    plain = plain.slice(0, from) + plain.slice(from, to).replace(/[^\n\r]/g, " ") + plain.slice(to);
  }
  const tree = parseOne(parse, plain);
  return { bare: isSameTree(parse, bare, tree) ? bare : plain, tree };
}

function isSameTree(parse: Parse, sql: string, tree: Tree): boolean {
  try {
    return JSON.stringify(parseOne(parse, sql)) === JSON.stringify(tree);
  } catch {
    return false;
  }
}

/** The lexical checks of any one statement, which need no parser. */
export function toOneStatement(sql: string): StatementShape {
  if (Buffer.byteLength(sql) > maxSqlBytes) {
    throw new CodedError("sql_too_long", "The statement is longer than 100 kB.", { hint: "Use params, or a join." });
  }
  // A lone surrogate would reach the server as another character than the parser saw.
  if (sql.includes("\0") || isBroken(sql)) {
    throw new CodedError("syntax_error", "The statement contains a NUL or a broken character.", { hint: "Remove it." });
  }
  const shape = scanStatement(sql);
  if (shape.statements === 0) {
    throw new CodedError("sql_empty", "There is no statement in the text.", { hint: "Such as SELECT 1." });
  }
  if (shape.statements > 1) throw multipleStatements();
  return shape;
}

/** @throws CodedError `parameter_count`, `parameter_invalid` */
export function assertParameters(shape: StatementShape, params: Statement["params"]): void {
  if (shape.parameters !== params.length) {
    throw new CodedError(
      "parameter_count",
      `The statement has ${shape.parameters} parameters and params has ${params.length} values.`,
      { hint: "Give one value in params for each of $1, $2, …" },
    );
  }
  assertWhole(params);
}

function assertReads(shape: StatementShape): void {
  if (writing.has(shape.keyword)) {
    throw new CodedError("read_only", `This server only reads; ${shape.keyword.toUpperCase()} changes something.`, {
      hint: "Use SELECT.",
    });
  }
  if (!reading.has(shape.keyword)) throw onlyReading();
}
