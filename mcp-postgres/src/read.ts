/** One read statement, from the caller's SQL to rows in the sink, in one round trip. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { ReadOptions, RowSink, Statement } from "@database-interface/mcp-core/sql";
import { sqlstateOf, toStatementError } from "./errors.js";
import { type Approved, approve } from "./guard.js";
import type { Session, TextRow } from "./session.js";
import type { Source } from "./source.js";
import { inTransaction } from "./transaction.js";
import { type CellReader, cellReaders, learnTypes, namesSql, toCells, toColumns, unknownTypes } from "./values.js";
import type { Field } from "./wire.js";

const capPrefix = "SELECT * FROM (";

/** @see Database.read */
export async function read(source: Source, statement: Statement, sink: RowSink, options: ReadOptions): Promise<void> {
  const approved = await approve(source, statement, options);
  if (!approved.isSelect) return await readPlain(source, approved, statement, sink, options);
  // The cap goes into the statement, which keeps parallel plans and top-N sorts; a cursor would not.
  const sql = `${capPrefix}${approved.sql}\n) AS q LIMIT ${options.maxRows + 1}`;
  try {
    await stream(source, { sql, params: statement.params }, approved, sink, options);
  } catch (thrown) {
    // What may not stand in a subquery, or reads differently there, is left to the server as the caller wrote it.
    const sqlstate = sqlstateOf(thrown);
    if (sqlstate === "42601" || sqlstate === "0A000") {
      return await readPlain(source, approved, statement, sink, options);
    }
    throw toStatementError(thrown, { ...approved, offset: capPrefix.length });
  }
}

async function readPlain(
  source: Source,
  approved: Approved,
  statement: Statement,
  sink: RowSink,
  options: ReadOptions,
): Promise<void> {
  try {
    await stream(source, { sql: approved.sql, params: statement.params }, approved, sink, options);
  } catch (thrown) {
    throw toStatementError(thrown, { ...approved, offset: 0 });
  }
}

/** Sends the statement and feeds the sink; types met for the first time are asked for before anything is delivered. */
async function stream(
  source: Source,
  statement: Statement,
  { hiding }: Approved,
  sink: RowSink,
  options: ReadOptions,
): Promise<void> {
  let fields: readonly Field[] = [];
  let isAnswered = false;
  let failure: unknown;
  const early: TextRow[] = [];

  const output = createOutput(source, sink);

  await inTransaction(source.pool, source.tls, options, async (work) => {
    const onFields = (found: readonly Field[]) => {
      fields = found;
      isAnswered = true;
      try {
        hiding?.assertFields(found);
      } catch (thrown) {
        failure = thrown;
        work.stop();
      }
    };
    const onRow = (row: TextRow) => {
      if (work.isStopped) return;
      try {
        if (!output.isOpen && early.length === 0 && unknownTypes(fields, source.typeNames).length === 0) {
          output.open(fields);
        }
        const isEnough = output.isOpen ? !output.row(row) : early.push(row) > options.maxRows;
        if (isEnough) work.stop();
      } catch (thrown) {
        failure = thrown;
        work.stop();
      }
    };
    await work.session.send({ ...statement, onFields, onRow });
  });
  if (failure !== undefined) throw failure;

  if (output.isOpen) return;
  if (!isAnswered) throw new CodedError("not_allowed", "The statement returns no rows.", { hint: "Use SELECT." });
  await nameTypes(source, fields, options);
  output.open(fields);
  early.every(output.row);
}

/** The sink, once the columns' types are known. */
function createOutput({ typeNames }: Source, sink: RowSink) {
  let readers: readonly CellReader[] | undefined;
  return {
    get isOpen(): boolean {
      return readers !== undefined;
    },
    open(fields: readonly Field[]): void {
      const columns = toColumns(fields, typeNames);
      readers = cellReaders(columns);
      sink.columns(columns);
    },
    row: (row: TextRow): boolean => sink.row(toCells(row, readers ?? [])),
  };
}

/** Learns the names of the types among these fields that are not known yet, by a call of its own. */
async function nameTypes(source: Source, fields: readonly Field[], options: ReadOptions): Promise<void> {
  if (unknownTypes(fields, source.typeNames).length === 0) return;
  await inTransaction(source.pool, source.tls, options, ({ session }) => learnNames(source, session, fields));
}

/** Learns them on a session at hand. */
export async function learnNames({ typeNames }: Source, session: Session, fields: readonly Field[]): Promise<void> {
  const unknown = unknownTypes(fields, typeNames);
  if (unknown.length === 0) return;
  const params = [unknown.map(({ type }) => type), unknown.map(({ modifier }) => modifier)];
  learnTypes(await session.rows(namesSql, params), typeNames);
}
