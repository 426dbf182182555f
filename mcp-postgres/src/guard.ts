/** Decides whether a statement may run at all, before it is sent. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { CallOptions, Statement } from "@database-interface/mcp-core/sql";
import type { Source } from "./read.js";
import { scanStatement } from "./scan.js";

/** A statement that may run. */
export interface Approved {
  /** The one statement and its comments, each character where the caller had it; semicolons around it are blank. */
  readonly sql: string;
  /** True for SELECT, VALUES, TABLE and WITH: it can stand in a subquery, or be opened as a cursor. */
  readonly isSelect: boolean;
  readonly keyword: string;
}

const selecting = new Set(["select", "with", "values", "table"]);
const reading = new Set([...selecting, "show", "explain"]);
const writing = new Set(
  "insert update delete merge truncate create alter drop grant revoke comment reindex vacuum analyze cluster".split(
    " ",
  ),
);
const maxSqlBytes = 100_000;

/** @throws CodedError `sql_empty`, `sql_too_long`, `multiple_statements`, `read_only`, `not_allowed`, `parameter_count` */
export async function approve(_source: Source, { sql, params }: Statement, _options: CallOptions): Promise<Approved> {
  if (Buffer.byteLength(sql) > maxSqlBytes) {
    throw new CodedError("sql_too_long", "The statement is longer than 100 kB.", { hint: "Use params, or a join." });
  }
  if (sql.includes("\0")) {
    throw new CodedError("syntax_error", "The statement contains a NUL character.", { hint: "Remove it." });
  }
  const shape = scanStatement(sql);
  if (shape.statements === 0) {
    throw new CodedError("sql_empty", "There is no statement in the text.", { hint: "Such as SELECT 1." });
  }
  if (shape.statements > 1) {
    throw new CodedError("multiple_statements", "The text holds more than one statement.", {
      hint: "Send one statement per call.",
    });
  }
  if (!reading.has(shape.keyword)) throw refused(shape.keyword);
  if (shape.parameters !== params.length) {
    throw new CodedError(
      "parameter_count",
      `The statement has ${shape.parameters} parameters and params has ${params.length} values.`,
      { hint: "Give one value in params for each of $1, $2, …" },
    );
  }
  const isSelect = selecting.has(shape.keyword) && shape.isClosed;
  const blank = (text: string) => text.replaceAll(";", " ");
  const bare = blank(sql.slice(0, shape.start)) + sql.slice(shape.start, shape.end) + blank(sql.slice(shape.end));
  return { sql: bare, isSelect, keyword: shape.keyword };
}

function refused(keyword: string): CodedError {
  if (writing.has(keyword)) {
    return new CodedError("read_only", `This server only reads; ${keyword.toUpperCase()} changes something.`, {
      hint: "Use SELECT.",
    });
  }
  return new CodedError("not_allowed", "Only SELECT, VALUES, TABLE, WITH, SHOW and EXPLAIN are allowed.", {
    hint: "Write the question as a SELECT.",
  });
}
