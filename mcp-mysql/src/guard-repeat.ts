/**
 * Whether a query asked again of the same data answers the same, by its words: no clock, no chance, nothing of the
 * session or the server's state. What views and stored functions do is for whoever knows their bodies; it decides
 * nothing about what may run.
 */
import type { Token } from "./lexer.js";

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Their tables tell of the server, and change by themselves. */
export const systemSchemas: ReadonlySet<string> = words("information_schema performance_schema mysql sys");

/** Read without parentheses as well; all are reserved, so that a column of the name stands in backticks. */
const momentary = words(`
  current_date current_time current_timestamp current_user current_role localtime localtimestamp utc_date utc_time
  utc_timestamp sysdate rownum
`);

/** Natives whose answer does not depend on their arguments alone, where they are called. */
const momentaryCalls = words(`
  now curdate curtime current_date current_time current_timestamp localtime localtimestamp sysdate utc_date utc_time
  utc_timestamp rand random_bytes uuid uuid_short uuid_v4 uuid_v7 sys_guid connection_id current_role
  current_user session_user system_user user found_rows row_count rownum binlog_gtid_pos default
  database schema version icu_version
`);

export function answersAlike(tokens: readonly Token[]): boolean {
  return tokens.every(({ kind, text }, at) => {
    if (kind === "variable") return false;
    if (kind !== "word" && kind !== "name") return true;
    const name = text.toLowerCase();
    const next = tokens[at + 1]?.text;
    if (next === "." && systemSchemas.has(name)) return false;
    if (next === "(" && momentaryCalls.has(name)) return false;
    // Of a time it only computes.
    if (next === "(" && name === "unix_timestamp" && tokens[at + 2]?.text === ")") return false;
    return kind === "name" || tokens[at - 1]?.text === "." || !momentary.has(name);
  });
}
