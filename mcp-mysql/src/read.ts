/** One read statement, from the caller's SQL to rows in the sink, in one round trip. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { ReadOptions, RowSink, Statement } from "@database-interface/mcp-core/sql";
import { toStatementError } from "./errors.js";
import { type Approved, approve } from "./guard.js";
import type { Source } from "./source.js";
import { inTransaction } from "./transaction.js";
import { toColumn } from "./values.js";

/** @see Database.read */
export async function read(source: Source, statement: Statement, sink: RowSink, options: ReadOptions): Promise<void> {
  await runApproved(source, await approve(source, statement, options), sink, options);
}

/** Runs what the guard has passed. */
export async function runApproved(
  source: Source,
  approved: Approved,
  sink: RowSink,
  { maxRows, ...options }: ReadOptions,
): Promise<void> {
  let isAnswered = false;
  let failure: unknown;
  try {
    await inTransaction(source.pool, { ...options, maxRows: maxRows + 1 }, async (work) => {
      const guarded = (deliver: () => boolean) => {
        try {
          if (!deliver()) work.stop();
        } catch (thrown) {
          failure = thrown;
          work.stop();
        }
      };
      await work.session.send({
        sql: approved.sql,
        onFields(fields) {
          isAnswered = true;
          guarded(() => {
            approved.hiding?.assertFields(fields);
            sink.columns(fields.map(toColumn));
            return true;
          });
        },
        onRow(row) {
          if (!work.isStopped) guarded(() => sink.row(row));
        },
      });
    });
  } catch (thrown) {
    throw failure ?? toStatementError(thrown, approved);
  }
  if (failure !== undefined) throw failure;
  if (!isAnswered) throw new CodedError("not_allowed", "The statement returns no rows.", { hint: "Use SELECT." });
}
