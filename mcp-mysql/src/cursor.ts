/**
 * A result held open in one snapshot: the statement keeps streaming on a session of its own, and the wire is read only
 * as far as pages are asked for. The server waits meanwhile, within a net_write_timeout that is raised for this.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import type { CallOptions, Column, ReadOptions, RowCursor, Statement } from "@database-interface/mcp-core/sql";
import { cancelStatement } from "./cancel.js";
import { type Connected, ownLimits } from "./connect.js";
import { errnoOf, toStatementError } from "./errors.js";
import { type Approved, approve } from "./guard.js";
import { cancelled } from "./pool.js";
import type { Flow, Row } from "./session.js";
import type { Source } from "./source.js";
import { begin, clean, timedOut, timeoutErrnos } from "./transaction.js";
import { toColumn } from "./values.js";

/** How long the server keeps the result for us; any shelf of cursors lets go earlier. */
const holdMs = 1_200_000;
/** Time for a stopped statement to end before its connection is cut. */
const endMs = 1_500;

/** @see Database.openCursor */
export async function openCursor(source: Source, statement: Statement, options: ReadOptions): Promise<RowCursor> {
  const approved = await approve(source, statement, options);
  const { pool } = source;
  const connected = await pool.acquire(options.signal);
  const { session } = connected;
  const result = createResult(connected, approved, options);
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    closing ??= end();
    await closing;
  }

  /** Stops what still runs, drains it, and gives the session back clean. */
  async function end(): Promise<void> {
    const wasRunning = !result.isOver;
    // While the rows are held back the server waits to write; letting them flood in first would delay the KILL.
    if (wasRunning) await cancelStatement(connected, () => !result.isOver);
    const cut = setTimeout(() => session.destroy(new Error("the statement did not stop")), endMs).unref();
    result.discard();
    await result.finished;
    clearTimeout(cut);
    connected.limits = ownLimits;
    const cleaned = clean(connected, [session.send({ sql: "ROLLBACK" })], Promise.resolve(wasRunning));
    pool.release(connected, cleaned);
    await cleaned.catch(() => {});
  }

  async function guarded<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (thrown) {
      await close();
      throw toStatementError(thrown, approved);
    }
  }

  const columns = await guarded(async () => {
    await result.until(() => result.columns !== undefined, options.signal);
    if (result.columns !== undefined) return result.columns;
    throw new CodedError("not_allowed", "The statement returns no rows.", { hint: "Use SELECT." });
  });

  return {
    columns,
    async fetch(count: number, { signal }: CallOptions) {
      if (closing !== undefined) {
        throw new CodedError("cursor_expired", "The result is no longer open.", { hint: "Start it again." });
      }
      session.limit(options.maxWireBytes);
      return await guarded(async () => {
        await result.until(() => result.rows.length >= count, signal);
        return result.rows.splice(0, count);
      });
    },
    [Symbol.asyncDispose]: close,
  };
}

/** The rows as they come in, held back whenever nobody waits for them. */
function createResult(connected: Connected, { sql }: Approved, { timeoutMs, ...options }: ReadOptions) {
  const { session } = connected;
  const rows: Row[] = [];
  let columns: readonly Column[] | undefined;
  let flow: Flow | undefined;
  let isOver = false;
  let isDiscarding = false;
  let failure: unknown;
  let wake: () => void = () => {};

  const hold = session.send({ sql: `SET SESSION net_write_timeout = ${holdMs / 1_000}` });
  const limits = { ...options, timeoutMs: holdMs, maxRows: undefined };
  const begun = begin(connected, limits, "WITH CONSISTENT SNAPSHOT, READ ONLY");
  const sent = session.send({
    sql,
    onFlow: (found) => {
      flow = found;
    },
    onFields(fields) {
      columns = fields.map(toColumn);
      flow?.pause();
      wake();
    },
    onRow(row) {
      if (isDiscarding) return;
      // Bytes are a view of a larger chunk, which a page waiting to be fetched must not keep alive.
      rows.push(row.map((cell) => (cell instanceof Uint8Array ? Uint8Array.from(cell) : cell)));
      wake();
    },
  });
  const finished = Promise.all([hold, begun, sent])
    .catch((thrown: unknown) => {
      failure = thrown;
    })
    .finally(() => {
      isOver = true;
      wake();
    });

  /** Lets rows come until there are enough, the result is over, or the call's time is. */
  async function until(isEnough: () => boolean, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw cancelled();
    let stop: CodedError | undefined;
    const abort = () => {
      stop = cancelled();
      wake();
    };
    const timer = setTimeout(() => {
      stop = timedOut(timeoutMs);
      wake();
    }, timeoutMs);
    signal.addEventListener("abort", abort, { once: true });
    try {
      while (!isEnough() && !isOver && stop === undefined) {
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        flow?.resume();
        await changed;
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      flow?.pause();
    }
    if (stop !== undefined) throw stop;
    if (failure === undefined || isEnough()) return;
    throw timeoutErrnos.includes(errnoOf(failure)) ? timedOut(holdMs, errnoOf(failure)) : failure;
  }

  return {
    rows,
    finished,
    until,
    get columns() {
      return columns;
    },
    get isOver() {
      return isOver;
    },
    /** From here on rows are thrown away as fast as they come. */
    discard() {
      isDiscarding = true;
      rows.length = 0;
      flow?.resume();
    },
  };
}
