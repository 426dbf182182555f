/**
 * Who calls, as a user variable that views read through a stored function: MySQL and MariaDB have no row-level security,
 * and this is what stands in for it. The statement cannot assign one: the guard refuses SET, :=, INTO and EXECUTE; the
 * reset behind every call takes it away.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import type { SessionContext } from "@database-interface/mcp-core/sql";
import { toLiteral } from "./parameters.js";
import type { Session } from "./session.js";

/** A user variable, with or without its @. */
export const contextName = { form: /^@?[a-z_][a-z0-9_]{0,63}$/i, example: "app_user_id" };

/** Commands that set the context until the session is reset. */
export const contextCommands = (context: SessionContext = new Map()): readonly string[] =>
  [...context].map(([name, value]) => `SET @${name.replace(/^@/, "")} = ${toLiteral(value)}`);

/** Tables that are read as they are, past every view. */
export const contextAuditSql = `
  SELECT GROUP_CONCAT(name ORDER BY name SEPARATOR ', '), COUNT(*) FROM (
    SELECT CONCAT(table_schema, '.', table_name) AS name FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')
    ORDER BY 1 LIMIT 5) AS plain`;

/** Asks a session that has just been opened. @throws CodedError `context_unsafe` */
export async function assertContextHolds(session: Session): Promise<void> {
  auditContext(
    (await session.rows("SHOW GRANTS")).map(([grant]) => String(grant)),
    undefined,
  );
}

/** What is to be said of the context, a sentence each. @throws CodedError `context_unsafe` */
export function auditContext(grants: readonly string[], plainTables: string | null | undefined): readonly string[] {
  if (grants.some((grant) => /^GRANT [^`']*\b(?:SELECT|ALL PRIVILEGES)\b[^`']* ON \*\.\*/.test(grant))) {
    throw new CodedError(
      "context_unsafe",
      "The user may read every table, past the views that read the session context.",
      {
        hint: "Connect as a user with SELECT on those views alone.",
      },
    );
  }
  if (plainTables == null) return [];
  return [`Tables are read past the session context, with the same rows for every caller: ${plainTables}.`];
}
