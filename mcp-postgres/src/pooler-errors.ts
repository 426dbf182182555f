/** The errors that a pooler such as PgBouncer raises itself, by its words: most of them carry the same SQLSTATE, 08P01. */
import { CodedError } from "@database-interface/mcp-core/host";

/** The error as ours; undefined when a server raised it, or nobody. */
export function poolerError(thrown: unknown): CodedError | undefined {
  // A pooler knows the severity's older field only (PgBouncer, src/proto.c).
  if (!(thrown instanceof Error) || !("severity_local" in thrown) || "severity" in thrown) return undefined;
  return toPoolerError({ code: "code" in thrown ? String(thrown.code) : "", message: thrown.message, cause: thrown });
}

/** What a pooler said, as ours. */
export function toPoolerError(said: {
  readonly code: string;
  readonly message: string;
  readonly cause?: unknown;
}): CodedError {
  const [, code, message, hint] = texts.find(([pattern]) => pattern.test(said.message)) ?? other;
  return new CodedError(code, message, {
    hint,
    retryable: retryable.has(code),
    sqlstate: said.code,
    cause: said.cause,
  });
}

const retryable = new Set(["busy", "too_many_connections", "connection_lost"]);

type PoolerText = readonly [pattern: RegExp, code: string, message: string, hint: string];

const texts: readonly PoolerText[] = [
  [
    /statement pooling/i,
    "pooler_unsupported",
    "The pooler lends a server session for one statement, so that no transaction can keep a call read-only.",
    "Set pool_mode to transaction or session for this database in PgBouncer.",
  ],
  [
    /query_wait_timeout|pool.*full/i,
    "busy",
    "The pooler had no server connection free in time.",
    "Call again in a moment, lower --pool, or raise default_pool_size in PgBouncer.",
  ],
  [
    /no more connections|too many (clients|connections)/i,
    "too_many_connections",
    "The pooler takes no more clients.",
    "Try later, lower --pool, or raise max_client_conn in PgBouncer.",
  ],
  [
    /no such database/i,
    "database_not_found",
    "The pooler knows no such database.",
    "Check the database's name at the end of the URL against PgBouncer's [databases].",
  ],
  [
    /auth|password|no such user|not allowed/i,
    "authentication_failed",
    "The pooler, or the server behind it, does not accept this user.",
    "Check user and password of this source, and PgBouncer's auth_file.",
  ],
];

const other: PoolerText = [
  /(?:)/,
  "connection_lost",
  "The pooler closed the connection, or lost its own to the server.",
  "Nothing was changed; call again. PgBouncer's log has the reason.",
];
