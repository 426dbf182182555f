/** Decides whether a statement may run at all, before it is sent. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { Statement } from "@database-interface/mcp-core/sql";
import { tokenize } from "./lexer.js";
import { type BoundStatement, bind } from "./parameters.js";

/** A statement that may run, its parameters in place. */
export interface Approved extends BoundStatement {
  readonly callerSql: string;
  /** The first word, parentheses skipped. */
  readonly verb: string;
  /** True for SELECT, WITH, VALUES and TABLE: a query whose rows can be many. */
  readonly isSelect: boolean;
}

const selecting = new Set(["select", "with", "values", "table"]);
const reading = new Set([...selecting, "show", "describe", "desc", "explain", "analyze", "help"]);
const maxSqlBytes = 100_000;

/** @throws CodedError `sql_empty`, `sql_too_long`, `multiple_statements`, `read_only`, `not_allowed`, `parameter_count` */
export function approve({ sql, params }: Statement): Approved {
  if (Buffer.byteLength(sql) > maxSqlBytes) {
    throw new CodedError("sql_too_long", "The statement is longer than 100 kB.", { hint: "Use params, or a join." });
  }
  const all = tokenize(sql);
  const close = all.findIndex(({ kind }) => kind === "end");
  const tokens = close === -1 ? all : all.slice(0, close);
  if (tokens.length === 0) {
    throw new CodedError("sql_empty", "There is no statement in the text.", { hint: "Such as SELECT 1." });
  }
  if (all.slice(tokens.length).some(({ kind }) => kind !== "end")) {
    throw new CodedError("multiple_statements", "The text holds more than one statement.", {
      hint: "Send one statement per call.",
    });
  }
  const verb = tokens.find(({ text }) => text !== "(")?.text ?? "";
  if (!reading.has(verb)) throw refused(verb);
  const markers = tokens.filter(({ kind }) => kind === "parameter");
  if (markers.length !== params.length) throw wrongCount(markers.length, params.length);
  return {
    ...bind(sql, tokens.at(-1)?.end ?? 0, markers, params),
    callerSql: sql,
    verb,
    isSelect: selecting.has(verb),
  };
}

function wrongCount(markers: number, values: number): CodedError {
  return new CodedError("parameter_count", `The statement has ${markers} parameters and params has ${values} values.`, {
    hint: "Give one value in params for each ? outside quotes and comments.",
  });
}

function refused(verb: string): CodedError {
  return new CodedError("read_only", `This server only reads; ${verb.toUpperCase().slice(0, 20)} is not a query.`, {
    hint: "Use SELECT, WITH, VALUES, TABLE, SHOW, DESCRIBE or EXPLAIN.",
  });
}
