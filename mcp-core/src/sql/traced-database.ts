/**
 * A database whose calls leave spans, named as OpenTelemetry's conventions for databases have it: which system, which
 * command on which table, where, how many rows, and the code it failed with. Never a statement, parameter or value.
 */
import { CodedError } from "../host/errors.js";
import type { Span, SpanAttributes, Tracing } from "../host/tracing.js";
import type { Catalog, Database, ReadOptions, RowSink, Statement, StatementFacts, Writing } from "./database.js";
import { fingerprintOf, type Lexis } from "./fingerprint.js";

/** What is known of a source before anything is asked. */
export interface TracedSource {
  /** `db.system.name`. */
  readonly system: string;
  /** `user@host:port/database`. */
  readonly label: string;
  readonly database: string;
  readonly lexis: Lexis;
}

/** The same database; where no SDK is there, a call costs one look for it more. */
export function traceDatabase(database: Database, tracing: Tracing, source: TracedSource): Database {
  const where = placeOf(source);

  function run<Result>(operation: string, work: (span: Span | undefined) => Promise<Result>): Promise<Result> {
    const attributes = { ...where, "db.operation.name": operation };
    const name = `${operation} ${source.database}`;
    return tracing.run({ name, kind: "client", attributes }, async (span) => {
      try {
        return await work(span);
      } catch (error) {
        if (error instanceof CodedError) span?.set({ "db.response.status_code": error.sqlstate ?? error.errno });
        throw error;
      }
    });
  }

  const runStatement = <Result>(
    { sql }: Statement,
    options: ReadOptions,
    work: (options: ReadOptions, span: Span | undefined) => Promise<Result>,
  ): Promise<Result> => {
    if (!tracing.isOn) return work(options, undefined);
    const operation = fingerprintOf(sql, source.lexis).verb.toUpperCase() || "QUERY";
    return run(operation, async (span) => {
      let tables: readonly string[] = [];
      const observe = (facts: StatementFacts) => {
        tables = facts.tables ?? tables;
        options.observe?.(facts);
      };
      try {
        const result = await work({ ...options, observe }, span);
        nameTable(span, operation, tables);
        return result;
      } catch (error) {
        if (error instanceof CodedError && reached.has(error.code)) nameTable(span, operation, tables);
        throw error;
      }
    });
  };

  const { catalog, writing } = database;
  return Object.assign(Object.create(database) as Database, {
    catalog: {
      ...catalog,
      schemas: (options) => run("list_schemas", () => catalog.schemas(options)),
      search: (search, options) => run("search_objects", () => catalog.search(search, options)),
      describe: (table, options) => run("describe_table", () => catalog.describe(table, options)),
    } satisfies Catalog,
    check: (options) => run("check", () => database.check(options)),
    read: (statement, sink, options) =>
      runStatement(statement, options, async (observed, span) => {
        const counted = span === undefined ? { sink, rows: 0 } : countRows(sink);
        await database.read(statement, counted.sink, observed);
        span?.set({ "db.response.returned_rows": counted.rows });
      }),
    openCursor: (statement, options) =>
      runStatement(statement, options, (observed) => database.openCursor(statement, observed)),
    explain: (statement, options) => run("EXPLAIN", () => database.explain(statement, options)),
    writing: writing && traceWriting(writing, runStatement),
  } satisfies Partial<Database>);
}

function traceWriting(
  writing: Writing,
  runStatement: <Result>(
    statement: Statement,
    options: ReadOptions,
    work: (options: ReadOptions, span: Span | undefined) => Promise<Result>,
  ) => Promise<Result>,
): Writing {
  return {
    plan: (statement, options) => writing.plan(statement, options),
    dryRun: (statement, options) => runStatement(statement, options, (observed) => writing.dryRun(statement, observed)),
    run: (statement, sink, options) =>
      runStatement(statement, options, (observed) => writing.run(statement, sink, observed)),
  };
}

/** How a statement ends whose tables are there; a name that is none may be anything a caller wrote. */
const reached = new Set(["timeout", "cancelled", "connection_lost", "outcome_unknown", "constraint_violated"]);

/** One table makes the name; several would make too many. */
function nameTable(span: Span | undefined, operation: string, tables: readonly string[]): void {
  const [table, ...others] = new Set(tables);
  if (span === undefined || table === undefined || others.length > 0) return;
  span.rename(`${operation} ${table}`);
  span.set({ "db.collection.name": table });
}

function countRows(sink: RowSink): { readonly sink: RowSink; readonly rows: number } {
  let rows = 0;
  return {
    sink: {
      columns: (columns) => sink.columns(columns),
      row(cells) {
        const goesOn = sink.row(cells);
        if (goesOn) rows++;
        return goesOn;
      },
    },
    get rows() {
      return rows;
    },
  };
}

/** The user's name stays out. */
function placeOf({ system, label, database }: TracedSource): SpanAttributes {
  const [, host, port] = /@\[?([^\],]+)\]?:(\d+)\//.exec(label) ?? [];
  return {
    "db.system.name": system,
    "db.namespace": database,
    "server.address": host,
    "server.port": port === undefined ? undefined : Number(port),
  };
}
