/**
 * Whether what a statement names may be used: functions and operators by the catalogue's volatility with a short list of
 * exceptions, relations by schema and kind, views and texts that are run as SQL by what is in them.
 */
import type { CodedError } from "@database-interface/mcp-core/host";
import type { CallOptions } from "@database-interface/mcp-core/sql";
import { assertReadOnly, notAllowed, onlyReading, parseOne } from "./guard-class.js";
import { harmlessVolatile, neverCalled, secretRelations, sqlRunners } from "./guard-lists.js";
import { type KnownNames, knowNames } from "./guard-names.js";
import { answersAlike } from "./guard-repeat.js";
import { assertSizes } from "./guard-sizes.js";
import { assertBlind, assertOthersHidden, assertSeen, readsOutside } from "./guard-visibility.js";
import { collectUsage, type Usage, type UsedCall } from "./guard-walk.js";
import type { Parse } from "./parser.js";
import type { Source } from "./source.js";

const maxViewDepth = 10;

/** A text to check: what a view stands for, or what a function would run. */
interface Inner {
  readonly sql: string;
  /** False for a view: whoever made it decided what it shows. */
  readonly isCallers: boolean;
}

/** Checks every name against the catalogue, through views and texts that are run as SQL. */
export async function assertNames(
  source: Source,
  parse: Parse,
  first: Usage,
  options: CallOptions,
): Promise<{ readonly readsUnseen: boolean; readonly isRepeatable: boolean }> {
  let readsUnseen = false;
  let isRepeatable = true;
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
        types: usages.flatMap(({ types }) => types),
      },
      options,
    );
    const inner: Inner[] = [];
    for (const { usage, isCallers } of level) {
      assertCode(usage, known);
      assertSizes(usage);
      inner.push(...usage.calls.flatMap((call) => assertCall(call, known).map((sql) => ({ sql, isCallers }))));
      if (source.schemas !== undefined && isCallers) assertSeen(usage, known, source.schemas);
      if (source.columnRules.length > 0) assertBlind(usage, known);
      if (source.sessionContext.length > 0) assertOthersHidden(usage);
      readsUnseen ||= source.schemas !== undefined && readsOutside(usage, known, source.schemas);
      inner.push(...assertRelations(usage, known), ...assertTypes(usage, known));
      isRepeatable &&= answersAlike(usage, known);
    }
    const fresh = inner.filter(({ sql, isCallers }) => !seen.has(`${isCallers}${sql}`));
    for (const { sql, isCallers } of fresh) seen.add(`${isCallers}${sql}`);
    level = fresh.map(({ sql, isCallers }) => ({ usage: innerUsage(parse, sql), isCallers }));
  }
  return { readsUnseen, isRepeatable };
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
function assertRelations(usage: Usage, known: KnownNames): readonly Inner[] {
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
    if (relation.wrapper === "file_fdw") {
      throw notAllowed(`${used.name} reads a file of the server.`, "Query tables of the database.");
    }
    if (relation.view !== undefined) views.push({ sql: relation.view.replace(/;\s*$/, ""), isCallers: false });
  }
  return views;
}

/** Checks the types of one's own that are named; gives the conditions of domains among them. */
function assertTypes({ types }: Usage, known: KnownNames): readonly Inner[] {
  return types.flatMap(({ name }) => {
    const type = known.type(name);
    if (type?.hasVolatileCast === true) {
      throw notAllowed(`A cast to ${name} calls a volatile function.`, "Only casts without side effects run.");
    }
    return (type?.checks ?? []).map((check) => ({ sql: `SELECT ${check}`, isCallers: false }));
  });
}

/** Checks a call; gives the texts it would run. */
function assertCall(call: UsedCall, known: KnownNames): readonly string[] {
  const { name, schema, args, arity } = call;
  if (neverCalled.has(name)) throw refusedFunction(name);
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

function refusedFunction(name: string): CodedError {
  return notAllowed(
    `The function ${name} is not allowed: it is volatile, or reaches beyond the data.`,
    "Functions that are IMMUTABLE or STABLE may run; one that changes nothing can be declared so by its owner.",
  );
}
