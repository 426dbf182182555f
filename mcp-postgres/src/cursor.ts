/** A result held open in one snapshot: a server-side cursor in a transaction on a session of its own. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { CallOptions, Cell, ReadOptions, RowCursor, Statement } from "@database-interface/mcp-core/sql";
import type { Connected } from "./connect.js";
import { toStatementError } from "./errors.js";
import { approve } from "./guard.js";
import { learnNames, read } from "./read.js";
import { connectionLost, type TextRow } from "./session.js";
import type { Source } from "./source.js";
import { acquire, begin, clean, supervise } from "./transaction.js";
import { cellReaders, toCells, toColumns } from "./values.js";
import type { Field } from "./wire.js";

const declarePrefix = "DECLARE c NO SCROLL CURSOR FOR ";
/** The transaction ends by itself when nobody fetches for this long. */
const idleMs = 900_000;

/** @see Database.openCursor */
export async function openCursor(source: Source, statement: Statement, options: ReadOptions): Promise<RowCursor> {
  const approved = await approve(source, statement, options);
  // SHOW and EXPLAIN can't be declared as cursors; their results are small.
  if (!approved.isSelect) return await openRead(source, statement, options);
  const connected = await acquire(source.pool, options.signal);
  let fields: readonly Field[] = [];
  const onFields = (found: readonly Field[]) => {
    fields = found;
  };
  try {
    connected.session.limit(options.maxWireBytes);
    const begun = begin(connected, options, { isSnapshot: true, idleMs });
    if (connected.profile.isShared) await begun;
    const { done, cancelled } = supervise(connected, source.tls, options, async ({ session }) => {
      const declared = session.send({ sql: `${declarePrefix}${approved.sql}`, params: statement.params });
      const described = session.send({ sql: "FETCH FORWARD 0 FROM c", onFields });
      await Promise.all([declared, described]);
    });
    await done.finally(() => cancelled);
    await begun;
    approved.hiding?.assertFields(fields);
    await learnNames(source, connected.session, fields);
  } catch (thrown) {
    source.pool.release(connected, clean(connected, Promise.resolve()));
    throw toStatementError(thrown, { ...approved, offset: declarePrefix.length });
  }
  return createCursor(source, connected, fields, options);
}

function createCursor(source: Source, connected: Connected, fields: readonly Field[], options: ReadOptions): RowCursor {
  const columns = toColumns(fields, source.typeNames);
  const readers = cellReaders(columns);
  const { session } = connected;
  let isEnded = false;
  let inFlight: Promise<unknown> = Promise.resolve();

  async function fetch(count: number, { signal }: CallOptions): Promise<readonly (readonly Cell[])[]> {
    if (isEnded) throw new CodedError("cursor_expired", "The result is no longer open.", { hint: "Start it again." });
    const rows: (readonly Cell[])[] = [];
    session.limit(options.maxWireBytes);
    const onRow = (row: TextRow) => void rows.push(toCells(row, readers));
    const { done, cancelled } = supervise(connected, source.tls, { ...options, signal }, () =>
      session.send({ sql: `FETCH FORWARD ${count} FROM c`, onRow }),
    );
    inFlight = Promise.allSettled([done, cancelled]);
    try {
      await done;
      return rows;
    } catch (thrown) {
      await close();
      throw session.isOpen ? toStatementError(thrown, { sql: "", offset: 0 }) : lost(thrown);
    }
  }

  function lost(thrown: unknown): unknown {
    if (thrown instanceof CodedError && thrown.code !== "connection_lost") return thrown;
    // 25P03: idle_in_transaction_session_timeout.
    if (session.fatal?.code !== "25P03") return connectionLost(session.fatal);
    return new CodedError("cursor_expired", "The result was not read for too long.", { hint: "Start it again." });
  }

  async function close(): Promise<void> {
    if (isEnded) return;
    isEnded = true;
    await inFlight;
    const cleaned = clean(connected, Promise.resolve());
    source.pool.release(connected, cleaned);
    await cleaned.catch(() => {});
  }

  return { columns, fetch, [Symbol.asyncDispose]: close };
}

/** A small result read at once, behind the same face. */
async function openRead(source: Source, statement: Statement, options: ReadOptions): Promise<RowCursor> {
  const rows: (readonly Cell[])[] = [];
  let columns: RowCursor["columns"] = [];
  let at = 0;
  await read(
    source,
    statement,
    {
      columns: (found) => {
        columns = found;
      },
      row: (cells) => rows.push(cells) < 100_000,
    },
    options,
  );
  return {
    columns,
    async fetch(count) {
      at += count;
      return rows.slice(at - count, at);
    },
    async [Symbol.asyncDispose]() {
      rows.length = 0;
    },
  };
}
