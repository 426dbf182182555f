/**
 * Every code an error of a database server can carry: what it means, what to do, whether the same call may work later.
 * Databases translate into these; the docs' table is made from this list, and a test keeps the code to it.
 */

/** A row of the catalogue. */
export interface ErrorEntry {
  readonly meaning: string;
  readonly remedy: string;
  /** Whether the same call may succeed later without any change. `sometimes`: the error itself says. */
  readonly retryable: boolean | "sometimes";
}

const entry = (meaning: string, remedy: string, retryable: ErrorEntry["retryable"] = false): ErrorEntry =>
  Object.freeze({ meaning, remedy, retryable });

/** Code → meaning, grouped by what has to be mended. */
export const sqlErrors = Object.freeze({
  // starting
  usage: entry("The command line cannot be understood.", "Read the hint, or run the command with --help."),
  config_invalid: entry(
    "A setting has a value it may not have, or is unknown.",
    "Mend the flag, variable or key named.",
  ),
  config_unreadable: entry("A configuration or secret file cannot be read.", "Check its path and permissions."),
  variable_unset: entry(
    "The config file uses a variable that is not set.",
    "Set it, or give it a default in the file.",
  ),
  url_invalid: entry(
    "A source's URL cannot be understood.",
    "Write it as the example in --help; percent-encode passwords.",
  ),
  port_in_use: entry("Another program listens on the port.", "Choose another --port, or 0 for any free one."),
  demo_unavailable: entry("The demo's own server cannot run here.", "Use a database of your own."),

  // the door of the HTTP transport
  unauthorized: entry("The bearer token is missing or wrong.", "Send Authorization: Bearer with the server's token."),
  role_required: entry("The token does not have the role this needs.", "Ask the operator for one that has."),
  rate_limited: entry("More requests than a principal may make.", "Wait as long as retry-after says.", true),
  auth_unavailable: entry("The keys that tokens are checked by cannot be had.", "Try again later.", true),
  forbidden_host: entry("The request's Host or Origin is not allowed.", "Use the address the server announced."),
  not_found: entry("No such page, resource or template.", "List what there is."),

  // the call
  parameter_invalid: entry("An argument or parameter has a value it may not have.", "Mend the one named."),
  parameter_count: entry("The statement takes another number of parameters.", "Pass one value in params per mark."),
  source_required: entry("There are several sources and the call names none.", "Pass source."),
  source_unknown: entry("There is no source of this name.", "Use one of the names in the hint."),
  cursor_unknown: entry("The cursor never was, or its page was fetched before.", 'Start again with cursor:"start".'),
  cursor_expired: entry(
    "The paged result was closed because it was not read on in time.",
    'Start again with cursor:"start".',
  ),
  cursor_limit: entry("Too many paged results are open.", "Read one to its end, or wait for one to expire.", true),
  result_too_large: entry(
    "Not even one row fits the reply or the connection's limit.",
    "Select fewer or shorter columns.",
  ),
  cancelled: entry("The call was cancelled; its statement was stopped.", "Call again if it is still wanted.", true),
  timeout: entry(
    "The statement took longer than allowed and was stopped.",
    "Narrow it; explain shows what is slow.",
    "sometimes",
  ),
  pooler_unsupported: entry(
    "The pooler in between allows no transactions.",
    "Give it pool_mode transaction or session, or connect to the server itself.",
  ),
  busy: entry("No connection of the pool became free in time.", "Try again in a moment.", true),

  audit_unavailable: entry(
    "The call cannot be recorded, and this server does nothing unrecorded.",
    "Ask its operator: the log says why the audit trail cannot be written.",
    true,
  ),

  // the statement
  sql_empty: entry("There is no statement.", "Pass one SQL statement in sql."),
  sql_too_long: entry("The statement is longer than 100 kB.", "Pass long values in params, or split it."),
  statement_too_complex: entry(
    "The statement is nested deeper, or lists more, than the server takes.",
    "Nest it less, or split it; long lists of values go into params or a join.",
  ),
  multiple_statements: entry("There is more than one statement.", "Send one per call."),
  syntax_error: entry("The server cannot parse the statement.", "Mend it at the caret."),
  table_not_found: entry("There is no such table or view.", "Use a name from the hint, or search_objects."),
  column_not_found: entry("There is no such column.", "Use a name from the hint, or describe_table."),
  schema_not_found: entry("There is no such schema.", "Use a name from the hint, or search_objects."),
  function_not_found: entry("There is no such function for these arguments.", "Check the name; cast the arguments."),
  ambiguous_column: entry("A column's name fits several tables.", "Put the table's name or alias before it."),
  type_mismatch: entry("Types do not go together.", "Cast one side."),
  constraint_violated: entry(
    "The write breaks a rule of the schema: a key, a reference, a check, NOT NULL. Nothing was written.",
    "Mend the values; describe_table shows the rule.",
  ),
  already_exists: entry("There is already an object of this name.", "Use another name, or IF NOT EXISTS."),

  // what is allowed
  read_only: entry("The statement would change something.", "This server only reads: use SELECT."),
  not_allowed: entry("The statement, or a part of it, is not allowed here.", "Use what the hint names."),
  permission_denied: entry("The database's user may not do this.", "Ask for a GRANT, or use what is visible."),
  principal_required: entry(
    "The source shows each caller their own rows, and it is not known who calls.",
    "Its operator gives every caller a name: --tokens-file or OAuth.",
  ),
  context_unsafe: entry(
    "The session context would not hold: the database's user reads past the rules on rows.",
    "Connect as a role of its own that is held by them.",
  ),

  // writing
  approval_required: entry(
    "A human has to allow the write first.",
    "Show it to the human; pass their code as approval.",
  ),
  approval_declined: entry("The human did not allow the write.", "Ask what they want instead; do not try it again."),
  approval_unknown: entry(
    "The approval never was, or is somebody else's.",
    "Call again without approval for a new one.",
  ),
  approval_used: entry("The approval has been used; it counts once.", "Call again without approval for a new one."),
  approval_expired: entry("The approval came too late.", "Call again without approval for a new one."),
  approval_mismatch: entry(
    "The approval was for another statement, other params or another source.",
    "Call again without approval, with the statement that is wanted.",
  ),
  dry_run_unavailable: entry(
    "The write cannot be tried and rolled back: the database commits it at once.",
    "Look at it with query; run it without dry_run if it is wanted.",
  ),
  idempotency_conflict: entry("The idempotency key was used for another write.", "Use a new key for a new write."),
  outcome_unknown: entry(
    "The connection broke while the write may have been committed.",
    "Look with query whether it happened before writing again.",
  ),

  // the server
  connection_failed: entry(
    "No connection could be made.",
    "Check host and port, and that the server runs.",
    "sometimes",
  ),
  authentication_failed: entry("User or password are not accepted.", "Check the source's credentials."),
  database_not_found: entry("The server has no such database.", "Check the name at the end of the URL."),
  tls_required: entry("The server wants an encrypted connection.", "Turn TLS on in the URL."),
  tls_failed: entry("The encrypted connection could not be made or verified.", "Check certificates and host name."),
  connection_lost: entry("The connection broke in the middle.", "Call again; the pool reconnects.", true),
  too_many_connections: entry("The server has no connection left.", "Try later, or lower --pool.", true),
  lock_timeout: entry("Another session holds a lock.", "Try again in a moment.", true),
  server_error: entry("The server failed in another way.", "Read the message.", "sometimes"),
  internal: entry("Something unforeseen went wrong in this program.", "Its log has the details under the id given."),
});

/** A code of the catalogue. */
export type SqlErrorCode = keyof typeof sqlErrors;
