/**
 * Decides whether a statement may run at all, before it is sent: it is parsed by PostgreSQL's own parser, everything in
 * it is looked at, and what is not understood is refused. The session and the transaction are read-only besides; this
 * layer is for what they let through.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import type { CallOptions, Statement } from "@database-interface/mcp-core/sql";
import { allowedKinds, assertClass, assertReadOnly, multipleStatements, onlyReading, parseOne } from "./guard-class.js";
import { assertNames } from "./guard-rules.js";
import { collectUsage } from "./guard-walk.js";
import { loadParser } from "./parser.js";
import type { Source } from "./read.js";
import { type StatementShape, scanStatement } from "./scan.js";

/** A statement that may run. */
export interface Approved {
  /** The one statement and its comments, each character where the caller had it; semicolons around it are blank. */
  readonly sql: string;
  /** True for SELECT, VALUES, TABLE and WITH: it can stand in a subquery, or be opened as a cursor. */
  readonly isSelect: boolean;
}

const reading = new Set(["select", "with", "values", "table", "show", "explain"]);
const writing = new Set(
  "insert update delete merge truncate create alter drop grant revoke comment reindex vacuum analyze cluster".split(
    " ",
  ),
);
const maxSqlBytes = 100_000;

/** @throws CodedError `sql_empty`, `sql_too_long`, `multiple_statements`, `syntax_error`, `read_only`, `not_allowed`, `parameter_count` */
export async function approve(source: Source, { sql, params }: Statement, options: CallOptions): Promise<Approved> {
  const shape = toShape(sql);
  if (shape.parameters !== params.length) {
    throw new CodedError(
      "parameter_count",
      `The statement has ${shape.parameters} parameters and params has ${params.length} values.`,
      { hint: "Give one value in params for each of $1, $2, …" },
    );
  }
  const blank = (text: string) => text.replaceAll(";", " ");
  const bare = blank(sql.slice(0, shape.start)) + sql.slice(shape.start, shape.end) + blank(sql.slice(shape.end));
  const parse = await loadParser();
  const tree = parseOne(parse, bare);
  const top = Object.keys(tree)[0] ?? "";
  assertClass(top, tree);
  const usage = collectUsage(tree);
  assertReadOnly(usage, allowedKinds(top, tree));
  await assertNames(source, parse, usage, options);
  return { sql: bare, isSelect: top === "SelectStmt" && shape.isClosed };
}

/** The lexical checks, which need no parser. */
function toShape(sql: string): StatementShape {
  if (Buffer.byteLength(sql) > maxSqlBytes) {
    throw new CodedError("sql_too_long", "The statement is longer than 100 kB.", { hint: "Use params, or a join." });
  }
  // A lone surrogate would reach the server as another character than the parser saw.
  if (sql.includes("\0") || /\p{Surrogate}/u.test(sql)) {
    throw new CodedError("syntax_error", "The statement contains a NUL or a broken character.", { hint: "Remove it." });
  }
  const shape = scanStatement(sql);
  if (shape.statements === 0) {
    throw new CodedError("sql_empty", "There is no statement in the text.", { hint: "Such as SELECT 1." });
  }
  if (shape.statements > 1) throw multipleStatements();
  if (writing.has(shape.keyword)) {
    throw new CodedError("read_only", `This server only reads; ${shape.keyword.toUpperCase()} changes something.`, {
      hint: "Use SELECT.",
    });
  }
  if (!reading.has(shape.keyword)) throw onlyReading();
  return shape;
}
