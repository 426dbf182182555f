/**
 * The server's and the driver's errors as the suite's codes, by SQLSTATE, since messages are translated by lc_messages.
 * Names that are missing are read from the caller's own SQL at the error's position. Messages that may quote a value
 * (class 22) lose it; details, parameters and the connection string are never repeated.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import type { SourceConfig } from "@database-interface/mcp-core/sql";
import { type MissingName, StatementError } from "@database-interface/mcp-core/sql";
import type { HidingStatement } from "./hidden-statement.js";
import { poolerError } from "./pooler-errors.js";
import { nameAt } from "./scan.js";
import { connectionLost } from "./session.js";

/** What of a server's error message is used. */
interface ServerError {
  readonly sqlstate: string;
  readonly message: string;
  readonly position: number | undefined;
  readonly routine: string | undefined;
  /** Names the parameter at fault, and its value: only ever tested, never shown. */
  readonly where: string;
  /** The constraint, or the column of a NOT NULL, that a row broke. */
  readonly constraint: string | undefined;
}

/** The statement a caller gave, and how many characters stand before it in what was sent. */
export interface SentStatement {
  readonly sql: string;
  readonly offset: number;
  /** Where tables were replaced in it. */
  readonly hiding?: HidingStatement | undefined;
}

/** The SQLSTATE of a server's error, undefined for anything else. */
export function sqlstateOf(thrown: unknown): string | undefined {
  return toServerError(thrown)?.sqlstate;
}

/** An error while connecting. */
export function toConnectError(thrown: unknown, { label }: SourceConfig): CodedError {
  const isBroken = thrown instanceof CodedError && thrown.code === "connection_lost";
  if (thrown instanceof CodedError && !isBroken) return thrown;
  const fromPooler = poolerError(thrown);
  if (fromPooler !== undefined) return fromPooler;
  const error = toServerError(thrown);
  if (error === undefined) {
    return new CodedError("connection_failed", `The connection to ${label} broke while it was made.`, {
      hint: "Check that this is a PostgreSQL server and that it accepts connections.",
      retryable: true,
      cause: thrown,
    });
  }
  const [code, message, hint] = connectTexts[error.sqlstate] ?? [
    error.sqlstate.startsWith("28") ? "authentication_failed" : "connection_failed",
    "The server refused the connection",
    "The server's own log has the reason.",
  ];
  const retryable = error.sqlstate.startsWith("53") || error.sqlstate.startsWith("57");
  return new CodedError(code, `${message} (${label}).`, { hint, retryable, sqlstate: error.sqlstate, cause: thrown });
}

const connectTexts: Readonly<Record<string, readonly [string, string, string]>> = {
  "28P01": ["authentication_failed", "The password was not accepted", "Check user and password of this source."],
  "28000": ["authentication_failed", "The server refuses this user", "Check the user, pg_hba.conf and the sslmode."],
  "3D000": ["database_not_found", "The database does not exist", "Check the database's name at the end of the URL."],
  "53300": ["too_many_connections", "The server has no connection left", "Try later, or lower --pool."],
  "57P03": ["connection_failed", "The server is starting up or shutting down", "Try again in a moment."],
  "42501": [
    "permission_denied",
    "This user may not connect to the database",
    "GRANT CONNECT ON DATABASE … TO the user.",
  ],
};

/** An error of a statement. A {@link CodedError} passes as it is, and so does what neither server nor driver raised. */
export function toStatementError(thrown: unknown, sent: SentStatement): Error {
  if (thrown instanceof CodedError) return thrown;
  const fromPooler = poolerError(thrown);
  if (fromPooler !== undefined) return fromPooler;
  const error = toServerError(thrown);
  if (error === undefined) return thrown instanceof Error && !("code" in thrown) ? thrown : connectionLost();
  const sentAt = toOffset(error.position, sent);
  const missing = sentAt === undefined ? undefined : missingName(error, sent.sql, sentAt);
  const position = sentAt === undefined ? undefined : (sent.hiding?.toCallerOffset(sentAt) ?? sentAt);
  const refusal = sent.hiding?.refusalOf(missing, position === undefined ? undefined : position + 1);
  if (refusal !== undefined) return refusal;
  const [code, hint] = classify(error);
  if (code === "connection_lost") return connectionLost({ code: error.sqlstate });
  return new StatementError(code, toMessage(code, error), {
    hint,
    retryable: retryable.has(error.sqlstate) || error.sqlstate.startsWith("53"),
    sqlstate: error.sqlstate,
    cause: thrown,
    position: position === undefined ? undefined : position + 1,
    missing,
  });
}

const retryable = new Set(["40001", "40P01", "55P03", "57014"]);

type Classified = readonly [code: string, hint?: string];

const exists = "Use another name, or IF NOT EXISTS.";

/** What a row broke, where the server names it. */
const broken: Readonly<Record<string, string>> = {
  "23502": "The column % cannot be NULL.",
  "23503": "The foreign key % would refer to a row that is not there.",
  "23505": "A row with the same value of % is there already.",
  "23514": "The check % does not hold.",
  "23P01": "The exclusion % does not hold.",
};

const noSuchCharacter = "The database's encoding has no such character.";

const bySqlstate: Readonly<Record<string, Classified>> = {
  "42601": ["syntax_error"],
  "42P01": ["table_not_found"],
  "42703": ["column_not_found"],
  "3F000": ["schema_not_found"],
  "42883": ["function_not_found", "Check the function's name and cast its arguments to the types it takes."],
  "42P06": ["already_exists", exists],
  "42P07": ["already_exists", exists],
  "42710": ["already_exists", exists],
  "42702": ["ambiguous_column", "Qualify the column with its table's name or alias."],
  "42725": ["type_mismatch", "Cast the arguments: several functions or operators fit."],
  "42P02": ["parameter_count", "Give one value in params for each of $1, $2, …"],
  "08P01": ["parameter_count", "Give one value in params for each of $1, $2, …"],
  "42P18": ["parameter_invalid", "Cast the parameter so that its type is known, such as $1::int."],
  "42804": ["type_mismatch", "Cast one side so that the types agree."],
  "42846": ["type_mismatch", "There is no such cast; go through text if the value allows it."],
  "42501": ["permission_denied", "The database's user lacks this privilege; ask for a GRANT, or use what is visible."],
  "25006": ["read_only", "This server only reads. Use SELECT."],
  "57014": ["cancelled", "It was stopped before it finished."],
  "55P03": ["lock_timeout", "Another session holds a lock; try again in a moment."],
  "40001": ["server_error", "A conflict with another transaction; try again."],
  "40P01": ["server_error", "A deadlock with another transaction; try again."],
  "0A000": ["not_allowed", "The server does not support this here."],
  "53200": ["server_error", "The server ran out of memory: narrow the statement."],
  "53100": ["server_error", "The server ran out of disk for temporary data: narrow the statement."],
  "53400": ["server_error", "The statement needs more than a configured limit: narrow it."],
};

function classify({ sqlstate, routine, where }: ServerError): Classified {
  if (sqlstate === "42601" && routine === "exec_parse_message") {
    return ["multiple_statements", "Send one statement per call."];
  }
  if (sqlstate === "42883" && routine === "op_error") {
    return ["type_mismatch", "No operator takes these types: cast one side."];
  }
  const known = bySqlstate[sqlstate];
  if (known !== undefined) return known;
  if (/^(57P|08|25P03)/.test(sqlstate)) return ["connection_lost"];
  if (sqlstate.startsWith("54")) return ["statement_too_complex", "Nest it less, or split it."];
  if (sqlstate.startsWith("22")) {
    if (sqlstate === "22P05" || sqlstate === "22021") return ["parameter_invalid", noSuchCharacter];
    if (/\$\d/.test(where)) return ["parameter_invalid", "Check the values in params against the types they are for."];
    if (/^22(P0[23]|00[378])$/.test(sqlstate))
      return ["type_mismatch", "Check the literals and casts of the statement."];
  }
  if (sqlstate.startsWith("23")) {
    return ["constraint_violated", "Nothing was written. Mend the values; describe_table shows the rule."];
  }
  if (sqlstate.startsWith("42")) return ["syntax_error"];
  return ["server_error"];
}

/** The server's words, where they speak of the SQL and not of data. */
function toMessage(code: string, { sqlstate, message, constraint }: ServerError): string {
  const rule = broken[sqlstate];
  if (rule !== undefined && constraint !== undefined) return rule.replace("%", () => constraint);
  if (code === "multiple_statements") return "The text holds more than one statement.";
  if (code === "parameter_count") return "The number of params does not match the statement's parameters.";
  if (code === "cancelled") return "The statement was cancelled.";
  if (/^(42|25|0A|3F|3D|53|54|55)/.test(sqlstate)) return sentence(message);
  // invalid input syntax for type integer: "…", value "…" is out of range for type integer
  if (sqlstate.startsWith("22")) return sentence(message.replace(/"[\s\S]*"/, '"…"'));
  return `The server reported an error (SQLSTATE ${sqlstate}).`;
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/[.\s]*$/, "")}.`;

/** The server counts code points in what was sent; we count UTF-16 units, from 0, in what the caller gave. */
function toOffset(position: number | undefined, { sql, offset }: SentStatement): number | undefined {
  if (position === undefined) return undefined;
  let left = position - 1 - offset;
  if (left < 0) return undefined;
  let at = 0;
  while (left > 0 && at < sql.length) {
    at += (sql.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    left--;
  }
  return at;
}

const missingKinds: Readonly<Record<string, MissingName["kind"]>> = {
  "42P01": "table",
  "42703": "column",
  "42883": "function",
  "3F000": "schema",
};

function missingName({ sqlstate, routine }: ServerError, sql: string, position: number): MissingName | undefined {
  const kind = missingKinds[sqlstate];
  const parts = nameAt(sql, position);
  if (kind === undefined || parts.length === 0 || routine === "op_error") return undefined;
  if (kind === "schema") return { kind, name: parts[0] ?? "" };
  // "missing FROM-clause entry": the table is what stands before the column.
  const own = routine === "errorMissingRTE" && parts.length > 1 ? parts.slice(0, -1) : parts;
  const name = own.at(-1) ?? "";
  return kind === "column" ? { kind, name } : { kind, name, schema: own.at(-2) };
}

/** A server's or a pooler's: only an error message of the protocol has a severity. */
const isServers = (thrown: object): boolean => "severity" in thrown || "severity_local" in thrown;

function toServerError(thrown: unknown): ServerError | undefined {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown) || !("message" in thrown)) return undefined;
  const { code, message } = thrown;
  const sqlstate = String(code);
  // The driver's own errors have longer codes, such as CONNECTION_CLOSED; Node's begin with E.
  if (!/^[0-9A-Z]{5}$/.test(sqlstate) || thrown instanceof CodedError || !isServers(thrown)) return undefined;
  return {
    sqlstate,
    message: String(message),
    position: "position" in thrown ? Number(thrown.position) : undefined,
    routine: "routine" in thrown ? String(thrown.routine) : undefined,
    where: "where" in thrown ? String(thrown.where) : "",
    constraint: namedIn(thrown, "constraint_name") ?? namedIn(thrown, "column_name"),
  };
}

/** A name among the fields of the driver's error. */
function namedIn(thrown: object, field: string): string | undefined {
  const name: unknown = Object.entries(thrown).find(([key]) => key === field)?.[1];
  return typeof name === "string" ? name : undefined;
}
