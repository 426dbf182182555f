/**
 * What class of statement a parsed text is, and whether anything in it writes or locks. Knows the grammar's kinds of
 * nodes; names are another room's matter.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { StatementError } from "@database-interface/mcp-core/sql";
import type { Usage } from "./guard-walk.js";
import { type Parse, toParseFailure } from "./parser.js";

/** What EXPLAIN without ANALYZE may look at besides SELECT: it plans and does not run. */
const planned: ReadonlySet<string> = new Set(["ExplainStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"]);

/** A statement's tree: an object with one key, the kind of its node. */
export type Tree = Readonly<Record<string, unknown>>;

/** The one statement's tree. @throws CodedError `syntax_error`, `statement_too_complex`, `multiple_statements` */
export function parseOne(parse: Parse, sql: string): Tree {
  let statements: readonly { readonly stmt?: unknown }[];
  try {
    statements = parse(sql).stmts ?? [];
  } catch (thrown) {
    const { message, offset, isTooComplex } = toParseFailure(thrown, sql);
    if (isTooComplex) throw tooComplex(thrown);
    throw new StatementError("syntax_error", `${message.charAt(0).toUpperCase()}${message.slice(1)}.`, {
      sqlstate: "42601",
      position: offset === undefined ? undefined : offset + 1,
      cause: thrown,
    });
  }
  if (statements.length !== 1) throw multipleStatements();
  const tree = statements[0]?.stmt;
  // The parser's trees are plain objects with one key, the node's kind.
  return typeof tree === "object" && tree !== null ? (tree as Tree) : {};
}

const tooComplex = (cause: unknown): CodedError =>
  new CodedError("statement_too_complex", "The statement is nested too deeply, or has too many operands.", {
    hint: "Nest it less; long lists of values go into params (= ANY ($1)) or a join.",
    cause,
  });

/** Only SELECT in all its forms, SHOW and EXPLAIN. */
export function assertClass(top: string, tree: Tree): void {
  if (top === "SelectStmt" || top === "VariableShowStmt") return;
  if (top !== "ExplainStmt") throw onlyReading();
  const explained = Object.keys(explainedOf(tree))[0] ?? "";
  if (explained !== "SelectStmt" && !planned.has(explained)) {
    throw new CodedError("not_allowed", "Only SELECT can be explained.", { hint: "Explain the query itself." });
  }
}

function explainedOf(tree: Tree): Tree {
  const { query } = (tree.ExplainStmt ?? {}) as { readonly query?: Tree };
  return query ?? {};
}

/** EXPLAIN without any option named ANALYZE. */
function isPlanOnly(top: string, tree: Tree): boolean {
  if (top !== "ExplainStmt") return false;
  const { options = [] } = tree.ExplainStmt as { readonly options?: readonly Tree[] };
  return !options.some(({ DefElem }) => (DefElem as { readonly defname?: string } | undefined)?.defname === "analyze");
}

/** No statement inside that is not among the allowed kinds, no INTO, no row locks. */
export function assertReadOnly({ statements, hasInto, hasLocking }: Usage, allowed: ReadonlySet<string>): void {
  const writes = statements.find((kind) => !allowed.has(kind));
  if (writes !== undefined || hasInto) {
    const what = hasInto ? "SELECT INTO" : (writes ?? "").replace("Stmt", "").toUpperCase();
    throw new CodedError("read_only", `This server only reads; ${what} inside the statement changes something.`, {
      hint: "Use SELECT without it.",
    });
  }
  if (hasLocking) {
    throw new CodedError("read_only", "FOR UPDATE and FOR SHARE lock rows, and this server only reads.", {
      hint: "Leave the locking clause out.",
    });
  }
}

/** The kinds of statements that may occur in this one. */
export const allowedKinds = (top: string, tree: Tree): ReadonlySet<string> =>
  isPlanOnly(top, tree) ? planned : new Set([top]);

/** A refusal by rule. */
export const notAllowed = (message: string, hint: string): CodedError =>
  new CodedError("not_allowed", message, { hint });

/** The refusal of every other class of statement. */
export const onlyReading = (): CodedError =>
  notAllowed("Only SELECT, VALUES, TABLE, WITH, SHOW and EXPLAIN are allowed.", "Write the question as a SELECT.");

/** The refusal of more than one statement. */
export const multipleStatements = (): CodedError =>
  new CodedError("multiple_statements", "The text holds more than one statement.", {
    hint: "Send one statement per call.",
  });
