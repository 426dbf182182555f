/** Is the source there, and how much could go wrong through it: the round trip, who we are, and the self-audit. */
import type { CallOptions, ConnectionReport } from "@database-interface/mcp-core/sql";
import { auditContext, contextAuditSql } from "./context.js";
import type { Session } from "./session.js";
import type { Source } from "./source.js";
import { ask } from "./transaction.js";

const identitySql = "SELECT VERSION(), COALESCE(DATABASE(), ''), CURRENT_USER(), @@version_comment";
const tlsSql = "SHOW SESSION STATUS LIKE 'Ssl_version'";

/** Privileges that reach beyond reading, and what they allow. */
const audited: readonly (readonly [pattern: RegExp, warning: string])[] = [
  [/\bALL PRIVILEGES ON \*\.\*/, "The user has ALL PRIVILEGES on every database: one with only SELECT is safer."],
  [/\bSUPER\b/, "The user has SUPER and may change the server's settings."],
  [/\bFILE\b/, "The user has FILE and may read and write files on the server's machine."],
  [/\bPROCESS\b/, "The user has PROCESS and sees other sessions' statements."],
  [/\b(?:SHUTDOWN|RELOAD)\b/, "The user may shut down or reload the server."],
  [/\bCREATE USER\b/, "The user may create users."],
  [/WITH GRANT OPTION/, "The user may pass its privileges on (GRANT OPTION)."],
  [/\bALL PRIVILEGES ON (?!\*\.\*)/, "The user has ALL PRIVILEGES on a database: SELECT is enough to read."],
  [/\b(?:INSERT|UPDATE|DELETE|DROP|ALTER|CREATE|TRIGGER|EVENT)\b/, "The user may write: SELECT is enough to read."],
];

/** @see Database.check */
export async function check({ pool, sessionContext }: Source, options: CallOptions): Promise<ConnectionReport> {
  let used: Session | undefined;
  const hasContext = sessionContext.length > 0;
  const questions = [identitySql, tlsSql, "SHOW GRANTS", ...(hasContext ? [contextAuditSql] : [])];
  const [identity, tlsRows, grants = [], plain] = await ask(pool, questions, options, (session) => {
    used = session;
  });
  // A second call, since the first may have had to connect.
  const startedAt = performance.now();
  await ask(pool, ["SELECT 1"], options);
  const roundTripMs = Math.round((performance.now() - startedAt) * 100) / 100;

  const [version = "", database, user] = identity?.[0] ?? [];
  const tls = tlsRows?.[0]?.[1] || false;
  return {
    roundTripMs,
    server: used?.isMariadb === true ? "MariaDB" : "MySQL",
    version: version ?? "",
    database: database ?? "",
    user: user ?? "",
    tls,
    warnings: [
      ...auditGrants(grants.map(([grant]) => grant ?? "")),
      ...(hasContext
        ? auditContext(
            grants.map(([grant]) => grant ?? ""),
            plain?.[0]?.[0],
          )
        : []),
      ...(tls === false && used !== undefined && !isLocal(used)
        ? ["The connection to a remote host is not encrypted: use ssl-mode=VERIFY_IDENTITY."]
        : []),
    ],
  };
}

function auditGrants(grants: readonly string[]): readonly string[] {
  // Names and password hashes are cut off, so that a database called SUPER says nothing.
  const shown = grants.map((grant) =>
    grant.replace(/IDENTIFIED .*?(?= REQUIRE| WITH |$)/, "").replace(/`[^`]*`|'[^']*'/g, "x"),
  );
  const found = audited.filter(([pattern]) => shown.some((grant) => pattern.test(grant))).map(([, warning]) => warning);
  // Who may do everything needs no list of the parts.
  const isRoot = shown.some((grant) => audited[0]?.[0].test(grant));
  return isRoot ? found.slice(0, 1).concat(found.filter((text) => text.includes("GRANT OPTION"))) : found;
}

function isLocal({ endpoint }: Session): boolean {
  return "socketPath" in endpoint || /^(localhost|::1|127\.)/.test(endpoint.host);
}
