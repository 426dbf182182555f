/** Asks a server where it stands in the history of its cluster's data. Any user may ask this. */
import type { Position } from "./freshness.js";
import { ask } from "./query.js";
import type { Source } from "./source.js";

const sql = `
  SELECT c.system_identifier, r.is_standby, pg_catalog.current_setting('wal_block_size'),
    CASE WHEN r.is_standby THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END - '0/0'::pg_lsn,
    CASE WHEN NOT r.is_standby THEN pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn END
  FROM pg_catalog.pg_control_system() AS c, (SELECT pg_catalog.pg_is_in_recovery() AS is_standby) AS r`;

/** @throws CodedError */
export async function findPosition(source: Source, signal: AbortSignal): Promise<Position> {
  const [[row] = []] = await ask(source, [{ sql }], { signal });
  const [cluster, isStandby, block, at, inserted] = row ?? [];
  const written = BigInt(at ?? 0);
  const logBytes = inserted == null ? written : lastRecord(written, BigInt(inserted), BigInt(block ?? 8_192));
  return { cluster: cluster ?? "", isStandby: isStandby === "t", logBytes };
}

/** A new page's header: in every page, and the longer one of a segment's first (xlog_internal.h). */
const pageHeaders: readonly bigint[] = [24n, 40n];

/**
 * What is inserted counts, not what is written out: a commit need not wait for that. On an idle server it stands behind
 * the header of a page that holds nothing yet, which no standby reaches.
 */
function lastRecord(written: bigint, inserted: bigint, block: bigint): bigint {
  const isEmptyPage = written % block === 0n && pageHeaders.includes(inserted - written);
  return isEmptyPage ? written : inserted;
}
