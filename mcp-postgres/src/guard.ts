/**
 * Decides whether a statement may run at all, before it is sent: it is parsed by PostgreSQL's own parser, everything in
 * it is looked at, and what is not understood is refused. The session and the transaction are read-only besides; this
 * layer is for what they let through.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { type CallOptions, type Statement, StatementError } from "@database-interface/mcp-core/sql";
import { amplifiers, harmlessVolatile, maxMade, neverCalled, secretRelations, sqlRunners } from "./guard-lists.js";
import { type KnownNames, knowNames } from "./guard-names.js";
import { collectUsage, type Usage, type UsedCall } from "./guard-walk.js";
import { loadParser, type Parse, toParseFailure } from "./parser.js";
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
/** What EXPLAIN without ANALYZE may look at besides SELECT: it plans and does not run. */
const planned = new Set(["ExplainStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"]);
const maxSqlBytes = 100_000;
const maxViewDepth = 10;

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
  assertReadOnly(usage, isPlanOnly(top, tree) ? planned : new Set([top]));
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

type Tree = Readonly<Record<string, unknown>>;

/** The one statement's tree. */
function parseOne(parse: Parse, sql: string): Tree {
  let statements: readonly { readonly stmt?: unknown }[];
  try {
    statements = parse(sql).stmts ?? [];
  } catch (thrown) {
    const { message, offset } = toParseFailure(thrown, sql);
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

function assertClass(top: string, tree: Tree): void {
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

function assertReadOnly({ statements, hasInto, hasLocking }: Usage, allowed: ReadonlySet<string>): void {
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

/** A text to check: what a view stands for, or what a function would run. */
interface Inner {
  readonly sql: string;
  /** False for a view: whoever made it decided what it shows. */
  readonly isCallers: boolean;
}

/** Checks every name against the catalogue, through views and texts that are run as SQL. */
async function assertNames(source: Source, parse: Parse, first: Usage, options: CallOptions): Promise<void> {
  const seen = new Set<string>();
  let level: readonly { readonly usage: Usage; readonly isCallers: boolean }[] = [{ usage: first, isCallers: true }];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxViewDepth) throw notAllowed("Views are nested too deeply to be checked.", "Query their tables.");
    const usages = level.map(({ usage }) => usage);
    const known = await knowNames(
      source,
      {
        functions: usages.flatMap(({ calls, attributes }) => [...calls.map(({ name }) => name), ...attributes]),
        relations: usages.flatMap(({ relations }) => relations),
        operators: usages.flatMap(({ operators }) => operators),
      },
      options,
    );
    const inner: Inner[] = [];
    for (const { usage, isCallers } of level) {
      assertCode(usage, known);
      inner.push(...usage.calls.flatMap((call) => assertCall(call, known).map((sql) => ({ sql, isCallers }))));
      inner.push(...assertRelations(usage, known, isCallers ? source.schemas : undefined));
    }
    const fresh = inner.filter(({ sql, isCallers }) => !seen.has(`${isCallers}${sql}`));
    for (const { sql, isCallers } of fresh) seen.add(`${isCallers}${sql}`);
    level = fresh.map(({ sql, isCallers }) => ({ usage: innerUsage(parse, sql), isCallers }));
  }
}

function innerUsage(parse: Parse, sql: string): Usage {
  const tree = parseOne(parse, sql);
  if (Object.keys(tree)[0] !== "SelectStmt") throw onlyReading();
  const usage = collectUsage(tree);
  assertReadOnly(usage, new Set());
  return usage;
}

/** Operators, and functions called by attribute notation. */
function assertCode(usage: Usage, known: KnownNames): void {
  for (const symbol of usage.operators) {
    if (known.isVolatileOperator(symbol)) {
      throw notAllowed(`The operator ${symbol} calls a volatile function.`, "Only operators without side effects run.");
    }
  }
  for (const name of usage.attributes) {
    if (known.functions(name).some(({ takesRow, isVolatile }) => takesRow && (isVolatile || neverCalled.has(name)))) {
      throw refusedFunction(name);
    }
  }
}

/** Checks the relations; gives the queries of the views among them. */
function assertRelations(usage: Usage, known: KnownNames, schemas: readonly string[] | undefined): readonly Inner[] {
  const views: Inner[] = [];
  for (const used of usage.relations) {
    const relation = known.relation(used);
    if (secretRelations.has(used.name) && (relation === undefined || relation.schema === "pg_catalog")) {
      throw notAllowed(
        `${used.name} holds secrets of the server and is not shown.`,
        "pg_roles, pg_stat_activity and information_schema answer most questions.",
      );
    }
    if (relation === undefined) continue;
    if (schemas !== undefined && !isSeen(relation.schema, schemas)) {
      throw new CodedError("permission_denied", `The schema ${relation.schema} is not visible through this server.`, {
        hint: `Visible: ${schemas.join(", ")}.`,
      });
    }
    if (relation.wrapper === "file_fdw") {
      throw notAllowed(`${used.name} reads a file of the server.`, "Query tables of the database.");
    }
    if (relation.view !== undefined) views.push({ sql: relation.view.replace(/;\s*$/, ""), isCallers: false });
  }
  return views;
}

const isSeen = (schema: string, schemas: readonly string[]): boolean =>
  schemas.includes(schema) || schema === "pg_catalog" || schema === "information_schema";

/** Checks a call; gives the texts it would run. */
function assertCall(call: UsedCall, known: KnownNames): readonly string[] {
  const { name, schema, args, arity } = call;
  if (neverCalled.has(name)) throw refusedFunction(name);
  assertSize(call);
  const runs = sqlRunners.get(name);
  const isExcepted = harmlessVolatile.has(name) || runs !== undefined;
  const candidates = known
    .functions(name)
    .filter((candidate) => schema === undefined || candidate.schema === schema)
    .filter(({ minArgs, maxArgs }) => arity === undefined || (arity >= minArgs && arity <= maxArgs));
  if (candidates.some(({ isVolatile, isReviewed }) => isVolatile && !(isReviewed && isExcepted))) {
    throw refusedFunction(name);
  }
  // ts_rewrite of three arguments runs nothing.
  if (runs === undefined || (name === "ts_rewrite" && args.length === 3)) return [];
  // A number in the place of a text, as in crosstab(text, int), is none.
  const texts = runs.filter((place) => place < args.length && args[place]?.number === undefined);
  return texts.map((place) => {
    const text = args[place]?.text;
    if (text === undefined)
      throw notAllowed(`${name} runs a text as SQL that is not written out.`, "Write the SQL out.");
    return text;
  });
}

/** Calls that make much out of little, and would fill the server's memory before any limit counts. */
function assertSize({ name, args }: UsedCall): void {
  const sized = amplifiers.get(name);
  const size = sized === undefined ? undefined : args[sized];
  if (size !== undefined && (size.largest > maxMade || (!size.isData && size.number === undefined))) {
    throw tooMuch(name);
  }
  if (name === "array_fill" && (args[1]?.largest ?? 0) > maxMade) throw tooMuch(name);
  if (name === "format") {
    const [template] = args;
    const widths = [...(template?.text ?? "").matchAll(/%(?:\d+\$)?-?(\d+|\*)/g)].map(([, width]) => Number(width));
    if (template?.text === undefined || widths.some((width) => !(width <= maxMade))) throw tooMuch(name);
  }
  if (name === "replace" || name === "regexp_replace") {
    const isMade = args.some(({ calls }) => calls.some((inner) => amplifiers.has(inner) || inner === "string_agg"));
    if (isMade) throw tooMuch(name);
  }
}

function refusedFunction(name: string): CodedError {
  return notAllowed(
    `The function ${name} is not allowed: it is volatile, or reaches beyond the data.`,
    "Functions that are IMMUTABLE or STABLE may run; one that changes nothing can be declared so by its owner.",
  );
}

const tooMuch = (name: string): CodedError =>
  notAllowed(`${name} would make more than ${maxMade} characters or elements.`, "Make less of it, by a literal size.");

const notAllowed = (message: string, hint: string): CodedError => new CodedError("not_allowed", message, { hint });

const onlyReading = (): CodedError =>
  notAllowed("Only SELECT, VALUES, TABLE, WITH, SHOW and EXPLAIN are allowed.", "Write the question as a SELECT.");

const multipleStatements = (): CodedError =>
  new CodedError("multiple_statements", "The text holds more than one statement.", {
    hint: "Send one statement per call.",
  });
