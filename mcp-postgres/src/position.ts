/** Asks a server where it stands in the history of its cluster's data. Any user may ask this. */
import type { Position } from "./freshness.js";
import { ask } from "./query.js";
import type { Source } from "./source.js";

/** The snapshot by its old name: PostgreSQL 12 knows no other. */
const sql = `
  SELECT c.system_identifier, r.is_standby,
    CASE WHEN r.is_standby THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END - '0/0'::pg_lsn,
    CASE WHEN r.is_standby THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_flush_lsn() END - '0/0'::pg_lsn,
    pg_catalog.txid_current_snapshot(),
    1000 * EXTRACT(epoch FROM pg_catalog.current_setting('wal_writer_delay')::interval)
  FROM pg_catalog.pg_control_system() AS c, (SELECT pg_catalog.pg_is_in_recovery() AS is_standby) AS r`;

/** An asynchronous commit is written out within three of the writer's rounds (PostgreSQL's manual, 30.4). */
const writerRounds = 3;

/** @throws CodedError */
export async function findPosition(source: Source, signal: AbortSignal): Promise<Position> {
  const [[row] = []] = await ask(source, [{ sql }], { signal });
  const [cluster, isStandby, inserted, flushed, snapshot, delayMs] = row ?? [];
  return {
    cluster: cluster ?? "",
    isStandby: isStandby === "t",
    logBytes: BigInt(inserted ?? 0),
    flushedBytes: BigInt(flushed ?? 0),
    snapshot: snapshot ?? "",
    flushMs: writerRounds * Number(delayMs),
  };
}
