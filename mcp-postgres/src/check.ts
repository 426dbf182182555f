/** Is the source there, and how much could go wrong through it: the round trip, who we are, and the self-audit. */
import type { CallOptions, ConnectionReport } from "@database-interface/mcp-core/sql";
import type { Connected } from "./connect.js";
import { auditContext, contextAuditSql } from "./context.js";
import { ask } from "./query.js";
import type { Source } from "./source.js";

const identitySql = `
  SELECT pg_catalog.split_part(pg_catalog.version(), ' ', 1), pg_catalog.current_setting('server_version'),
    pg_catalog.current_database(), current_user, r.rolsuper, r.rolbypassrls, r.rolreplication, r.rolcreaterole
  FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user`;

const membershipSql = `
  SELECT r.rolname FROM pg_catalog.pg_roles AS r
  WHERE r.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_signal_backend',
      'pg_write_all_data', 'pg_maintain', 'pg_checkpoint', 'pg_use_reserved_connections', 'pg_create_subscription')
    AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')
  ORDER BY r.rolname`;

/** @see Database.check */
export async function check(source: Source, options: CallOptions): Promise<ConnectionReport> {
  let used: Connected | undefined;
  const hasContext = source.sessionContext.length > 0;
  const [identity, memberships, context] = await ask(
    source,
    [{ sql: identitySql }, { sql: membershipSql }, ...(hasContext ? [{ sql: contextAuditSql }] : [])],
    options,
    (connected) => {
      used = connected;
    },
  );
  // A second call, since the first may have had to connect.
  const startedAt = performance.now();
  await ask(source, [{ sql: "SELECT 1" }], options);
  const roundTripMs = Math.round((performance.now() - startedAt) * 100) / 100;

  const [server, version, database, user, isSuper, bypasses, replicates, creates] = identity?.[0] ?? [];
  const isTrue = (value: string | null | undefined) => value === "t";
  const host = used?.session.endpoint.host ?? "";
  const tls = used?.session.tls ?? false;
  const warnings = [
    isTrue(isSuper) && "The user is a superuser: a role with only SELECT on what is needed is safer.",
    isTrue(bypasses) && !isTrue(isSuper) && "The user bypasses row-level security.",
    isTrue(replicates) && !isTrue(isSuper) && "The user may start replication.",
    isTrue(creates) && !isTrue(isSuper) && "The user may create roles.",
    ...(isTrue(isSuper) ? [] : (memberships ?? []).map(([name]) => `The user is a member of ${name}.`)),
    ...(hasContext ? auditContext(context?.[0]) : []),
    tls === false && !isLocal(host) && "The connection to a remote host is not encrypted: use sslmode=verify-full.",
    used?.profile.isShared === true &&
      "A pooler lends its sessions: read-only and time limits hold in each call's own transaction, not on the session.",
  ];
  return {
    roundTripMs,
    server: server ?? "PostgreSQL",
    version: version ?? "",
    database: database ?? "",
    user: user ?? "",
    tls,
    warnings: warnings.filter((warning) => warning !== false),
  };
}

const isLocal = (host: string): boolean =>
  host.startsWith("/") || host === "localhost" || host === "::1" || host.startsWith("127.");
