/**
 * What a pooler such as PgBouncer between us and the server means. It lends a server session for one transaction at a
 * time, to us and to others: nothing can be set on a session of our own, and anybody may have left something on the one
 * we are lent. Here is how one is noticed, and what opens a transaction behind it.
 */
import { poolerError } from "./pooler-errors.js";
import type { Session } from "./session.js";

/**
 * True when the server session that answers is not the one we connected to, or has not what we asked it to start with:
 * some poolers refuse settings in the start-up message, others take and forget them (`ignore_startup_parameters`).
 */
export function isShared({ key, greeting }: Session): boolean {
  return key?.processId !== greeting.processId || !greeting.isReadOnly;
}

/**
 * Tries a transaction, which a pooler in statement mode refuses, and in it the setting by which the server notices a
 * lost client: true where the server has it (14 and up, not on every platform).
 */
export async function tryTransaction({ greeting, send }: Session): Promise<boolean> {
  const isOffered = greeting.version >= 140_000;
  const setting = isOffered ? ["SET LOCAL client_connection_check_interval = 500"] : [];
  try {
    await send({ sql: ["BEGIN READ ONLY", ...setting, "ROLLBACK"].join("; "), simple: true });
    return isOffered;
  } catch (thrown) {
    if (poolerError(thrown) !== undefined) throw thrown;
    await send({ sql: "ROLLBACK", simple: true });
    return false;
  }
}

/**
 * What stands first in a transaction on a lent session: whatever another client of the pooler left there (settings, a
 * role, an encoding our reading of the SQL would not fit) is undone for its length; ROLLBACK brings it back.
 */
export const normalise: readonly string[] = [
  "RESET ALL",
  "SET LOCAL session_authorization TO DEFAULT",
  "SET LOCAL role TO DEFAULT",
  "SET LOCAL client_encoding TO 'UTF8'",
];

/** In place of `SELECT 1`: temporary tables that another client left come last, so that they hide no table. */
export const temporaryLast =
  "SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', " +
  "NULLIF(pg_catalog.current_setting('search_path'), ''), 'pg_temp'), true)";
