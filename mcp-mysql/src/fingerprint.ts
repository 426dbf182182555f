/**
 * Whether the catalogue may have changed, told by the server's own counts of the statements that change schemas or
 * privileges, whoever ran them and in whatever database. Reading them needs no privilege and takes under a millisecond,
 * where information_schema would open every table.
 */
import type { CallOptions } from "@database-interface/mcp-core/sql";
import type { Pool } from "./pool.js";
import { ask } from "./transaction.js";

const counts =
  "SHOW GLOBAL STATUS WHERE variable_name = 'Uptime' OR variable_name RLIKE '^Com_((alter|create|drop|rename)_|grant|revoke)'";

/** Seconds by which the clocks may disagree about when the server started. */
const toleranceS = 5;

export function createFingerprint(pool: Pool): (options: CallOptions) => Promise<string> {
  /** When the server started, in seconds since 1970: after a restart it counts anew. */
  let startedAt = 0;
  return async (options) => {
    const [rows = []] = await ask(pool, [counts], options);
    let sum = 0;
    for (const [name, value] of rows) {
      if (name !== "Uptime") sum += Number(value);
      else {
        const seen = Math.round(Date.now() / 1_000) - Number(value);
        if (Math.abs(seen - startedAt) > toleranceS) startedAt = seen;
      }
    }
    return `${startedAt} ${sum}`;
  };
}
