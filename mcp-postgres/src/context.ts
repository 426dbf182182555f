/**
 * Who calls, as settings of the transaction that row-level security policies read, and whether those policies hold this
 * user at all. The statement cannot change them: the guard refuses SET and set_config, whoever writes them.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import type { SessionContext } from "@database-interface/mcp-core/sql";
import { normalise } from "./pooler.js";
import type { Session, TextRow } from "./session.js";

/** A setting of one's own has a dot in its name; one of the server's never has, so that none of those is reached. */
export const contextName = { form: /^[a-z_][a-z0-9_]{0,62}(?:\.[a-z_][a-z0-9_]{0,62})+$/i, example: "app.user_id" };

/**
 * Commands that set the context until the transaction ends. Values travel as hexadecimal: the session may be lent by a
 * pooler, with another client's encoding and standard_conforming_strings in force while the text is read.
 */
export const contextCommands = (context: SessionContext = new Map()): readonly string[] =>
  [...context].map(([name, value]) => {
    const hex = Buffer.from(value, "utf8").toString("hex");
    return `SELECT pg_catalog.set_config('${name}', pg_catalog.convert_from(pg_catalog.decode('${hex}', 'hex'), 'UTF8'), true)`;
  });

/** Tables of which a user reads all rows as their owner; how many rows are held back at all; views that lead past it. */
export const contextAuditSql = `
  SELECT r.rolname, r.rolsuper, r.rolbypassrls,
    (SELECT pg_catalog.string_agg(owned.name, ', ') FROM (
      SELECT c.oid::pg_catalog.regclass::pg_catalog.text AS name FROM pg_catalog.pg_class AS c
      WHERE c.relrowsecurity AND NOT c.relforcerowsecurity AND pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE')
      ORDER BY 1 LIMIT 5) AS owned),
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class AS c WHERE c.relrowsecurity),
    (SELECT pg_catalog.string_agg(past.name, ', ') FROM (
      SELECT DISTINCT v.oid::pg_catalog.regclass::pg_catalog.text AS name
      FROM pg_catalog.pg_rewrite AS w
        JOIN pg_catalog.pg_class AS v ON v.oid = w.ev_class AND v.relkind IN ('v', 'm')
        JOIN pg_catalog.pg_roles AS o ON o.oid = v.relowner
        JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        JOIN pg_catalog.pg_class AS c ON c.oid = d.refobjid AND c.relrowsecurity
      WHERE pg_catalog.has_table_privilege(r.oid, v.oid, 'SELECT')
        AND NOT COALESCE(v.reloptions && '{security_invoker=true,security_invoker=on,security_invoker=1}', false)
        AND (v.relkind = 'm' OR o.rolsuper OR o.rolbypassrls
          OR (NOT c.relforcerowsecurity AND pg_catalog.pg_has_role(o.oid, c.relowner, 'USAGE')))
      ORDER BY 1 LIMIT 5) AS past)
  FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user`;

/** Asks a session that has just been opened. @throws CodedError `context_unsafe` */
export async function assertContextHolds(session: Session, isShared: boolean): Promise<void> {
  // On a lent session the role of whoever had it before may still be in force.
  const opening = ["BEGIN READ ONLY", ...(isShared ? normalise : [])].join("; ");
  const [, [row]] = await Promise.all([
    session.send({ sql: opening, simple: true }),
    session.rows(contextAuditSql),
    session.send({ sql: "ROLLBACK", simple: true }),
  ]);
  auditContext(row);
}

/** What is to be said of the context, a sentence each. @throws CodedError `context_unsafe` */
export function auditContext(row: TextRow | undefined): readonly string[] {
  const [user, isSuper, bypasses, owned, protectedCount, past] = row ?? [];
  if (isSuper !== "f" || bypasses !== "f") {
    const why = isSuper === "f" ? "has BYPASSRLS" : "is a superuser";
    throw unsafe(`The user ${user} ${why}: row-level security does not hold it.`, "Connect as a role without it.");
  }
  if (owned != null) {
    throw unsafe(
      `The user ${user} owns ${owned}, and row-level security does not hold the owner.`,
      "Connect as another role, or ALTER TABLE … FORCE ROW LEVEL SECURITY.",
    );
  }
  return [
    ...(Number(protectedCount) === 0 ? ["No table has row-level security: the session context protects nothing."] : []),
    ...(past == null ? [] : [`These show rows past row-level security, by their owner's rights: ${past}.`]),
  ];
}

const unsafe = (message: string, hint: string): CodedError => new CodedError("context_unsafe", message, { hint });
