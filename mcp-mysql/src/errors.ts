/**
 * The server's and the driver's errors as the suite's codes, by number, since messages can be translated. Our messages
 * are written anew: the server's quote values and pieces of the statement. Only names it reports are taken from them.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { certificateHint, type MissingName, type SourceConfig, StatementError } from "@database-interface/mcp-core/sql";
import { tokenize } from "./lexer.js";
import type { BoundStatement } from "./parameters.js";
import { connectionLost } from "./session.js";

/** What is used of an error of the driver. */
interface ServerError {
  readonly errno: number;
  readonly sqlstate: string | undefined;
  readonly message: string;
}

/** The caller's text beside what was sent for it. */
export type SentStatement = BoundStatement & {
  readonly callerSql: string;
  readonly hiding?:
    | { refusalOf(missing: MissingName | undefined, position: number | undefined): CodedError | undefined }
    | undefined;
};

/** The number of a server's error; undefined for the driver's own errors and anything else. */
export function errnoOf(thrown: unknown): number | undefined {
  return toServerError(thrown)?.errno;
}

/** The driver's name of an error, such as `ER_SERVER_SSL_DISABLED`, or Node's, such as `ECONNREFUSED`. */
export function driverCodeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || thrown instanceof CodedError) return undefined;
  if ("code" in thrown && typeof thrown.code === "string") return thrown.code;
  return driverCodeOf(thrown.cause);
}

type ConnectText = readonly [code: string, message: string, hint: string];

const wrongLogin: ConnectText = [
  "authentication_failed",
  "User or password was not accepted",
  "Check user and password of this source, and from which hosts the user may connect.",
];
const full: ConnectText = ["too_many_connections", "The server has no connection left", "Try later, or lower --pool."];
const outOfCluster: ConnectText = [
  "connection_failed",
  "The Galera node is not part of its cluster now",
  "Name the other nodes in the URL too (host1,host2), or wait until it has joined again.",
];
const needsTls: ConnectText = [
  "tls_required",
  "The server accepts encrypted connections only",
  "Use ssl-mode=REQUIRED, or better VERIFY_IDENTITY with ssl-ca.",
];

const connectTexts: Readonly<Record<number, ConnectText>> = {
  1040: full,
  1047: outOfCluster,
  1044: ["permission_denied", "This user may not use the database", "GRANT SELECT on it, or check its name."],
  1045: wrongLogin,
  1049: ["database_not_found", "The database does not exist", "Check its name at the end of the URL."],
  1129: ["connection_failed", "The server blocks this host after failed attempts", "FLUSH HOSTS on the server."],
  1130: ["authentication_failed", "This host may not connect to the server", "Allow the host in the user's account."],
  1203: full,
  1226: full,
  1251: ["authentication_failed", "The server wants an older way to authenticate", "Change the account's plugin."],
  1698: wrongLogin,
  3159: needsTls,
  3955: ["authentication_failed", "The account is locked for a while", "Wait, or unlock it."],
  4151: ["authentication_failed", "The account is locked", "Unlock it with ALTER USER."],
};

/** An error while connecting. */
export function toConnectError(thrown: unknown, { label }: SourceConfig): CodedError {
  if (thrown instanceof CodedError) return thrown;
  const server = toServerError(thrown);
  const known = server && connectTexts[server.errno];
  const details = { errno: server?.errno, sqlstate: server?.sqlstate, cause: thrown };
  if (known !== undefined) {
    const [code, message, hint] = known;
    return new CodedError(code, `${message} (${label}).`, {
      ...details,
      hint,
      retryable: known === full || known === outOfCluster,
    });
  }
  const reason = driverCodeOf(thrown);
  if (reason === "ER_SERVER_SSL_DISABLED") {
    const hint = "Enable TLS on the server, or use ssl-mode=PREFERRED where the network is trusted.";
    return new CodedError("tls_required", `The server does not offer TLS, and ssl-mode demands it (${label}).`, {
      hint,
    });
  }
  if (reason !== undefined && isTlsFailure(reason)) {
    return new CodedError("tls_failed", `TLS could not be established with ${label} (${reason}).`, {
      ...details,
      hint:
        certificateHint(reason, { authority: "ssl-ca" }) ??
        "Check the server's TLS settings and whether it asks for a client certificate (ssl-cert, ssl-key).",
    });
  }
  if (reason === "ER_AUTHENTICATION_PLUGIN_NOT_SUPPORTED" || reason === "ER_CLEAR_PASSWORD_WITHOUT_SSL") {
    const hint = "Use TLS (ssl-mode=REQUIRED), or change the account's authentication plugin.";
    return new CodedError("authentication_failed", `This account's authentication is not possible (${label}).`, {
      hint,
    });
  }
  const shown = reason !== undefined && /^E[A-Z]+$/.test(reason) ? ` (${reason})` : "";
  return new CodedError("connection_failed", `No MySQL or MariaDB server could be reached at ${label}${shown}.`, {
    hint: "Check host and port, that the server runs, and that a firewall lets this machine in.",
    retryable: true,
    cause: thrown,
  });
}

const isTlsFailure = (reason: string): boolean =>
  /CERT|SSL|TLS|SIGNATURE|SELF_SIGNED|ALTNAME|ISSUER|ER_TLS|EPROTO/.test(reason);

/** Code, sentence and hint of an error of a statement; `%` in the sentence is the name the server reports. */
type StatementText = readonly [code: string, message: string, hint?: string];

const denied = "The database's user lacks this privilege: ask for a GRANT, or use what is visible.";
const typesDiffer = "Check the values and casts of the statement.";
const rule = "Nothing was written. Mend the values; describe_table shows the rule.";

const splitIt = "Nest it less, or split it.";

const statementTexts: Readonly<Record<number, StatementText>> = {
  1030: ["server_error", "The storage engine reported an error."],
  1037: ["server_error", "The server ran out of memory.", "Narrow the statement."],
  1038: ["server_error", "The server ran out of sort memory.", "Sort fewer or shorter columns."],
  1041: ["server_error", "The server ran out of memory.", "Narrow the statement."],
  1044: ["permission_denied", "This user may not use that database.", denied],
  1046: ["schema_not_found", "No database is selected.", "Write database.table, or name one in the source's URL."],
  1049: ["schema_not_found", "The database % does not exist."],
  1048: ["constraint_violated", "The column % cannot be NULL.", rule],
  1050: ["already_exists", "There is already a table %.", "Use another name, or IF NOT EXISTS."],
  1051: ["table_not_found", "The table % does not exist."],
  1052: ["ambiguous_column", "The column % is ambiguous.", "Qualify it with its table's name or alias."],
  1054: ["column_not_found", "There is no column %."],
  1055: [
    "syntax_error",
    "A selected column is neither aggregated nor in GROUP BY.",
    "Add it to GROUP BY or aggregate it.",
  ],
  1056: ["syntax_error", "GROUP BY names an aggregate.", "Group by plain columns."],
  1007: ["already_exists", "There is already a database %.", "Use another name, or IF NOT EXISTS."],
  1061: ["already_exists", "There is already a key %.", "Use another name, or IF NOT EXISTS."],
  1062: ["constraint_violated", "A row with the same value of the key % is there already.", rule],
  1091: ["column_not_found", "There is no column or key %."],
  1060: ["syntax_error", "The column name % appears twice.", "Give one of them an alias."],
  1064: ["syntax_error", "The statement has a syntax error."],
  1066: ["syntax_error", "The table or alias % appears twice.", "Give each table its own alias."],
  1109: ["table_not_found", "There is no table or alias % in this part of the statement."],
  1111: ["syntax_error", "An aggregate stands where none is allowed.", "Use HAVING, or a subquery."],
  1116: ["statement_too_complex", "The join has more tables than the server takes.", splitIt],
  1119: ["statement_too_complex", "The statement is nested too deeply.", splitIt],
  1140: ["syntax_error", "Aggregates and plain columns are mixed without GROUP BY.", "Add GROUP BY."],
  1142: ["permission_denied", "This user may not read %.", denied],
  1143: ["permission_denied", "This user may not read the column %.", denied],
  1146: ["table_not_found", "The table % does not exist."],
  1149: ["syntax_error", "The statement has a syntax error."],
  1191: ["not_allowed", "No full-text index covers the columns of MATCH.", "Use LIKE, or the indexed columns."],
  1205: ["lock_timeout", "Another session holds a lock for too long.", "Try again in a moment."],
  1213: ["server_error", "The statement met a deadlock.", "Try again."],
  1222: ["syntax_error", "The parts of the UNION have different numbers of columns."],
  1227: ["permission_denied", "This user lacks a privilege for the statement.", denied],
  1235: ["not_allowed", "This server's version does not support that.", "Write it in another way."],
  1241: ["type_mismatch", "The sides of a comparison have different numbers of columns."],
  1242: ["server_error", "A subquery gives more than one row.", "Add LIMIT 1, an aggregate, or use IN."],
  1247: ["column_not_found", "The reference to % cannot be used there."],
  1248: ["syntax_error", "Each derived table needs an alias.", "Write (SELECT …) AS name."],
  1253: ["type_mismatch", "The collation does not fit the character set."],
  1267: ["type_mismatch", "Two texts of different collations are compared.", "Add COLLATE to one side."],
  1270: ["type_mismatch", "Texts of different collations are compared.", "Add COLLATE to one side."],
  1271: ["type_mismatch", "Texts of different collations are compared.", "Add COLLATE to one side."],
  1264: ["type_mismatch", "A value is out of the range of the column %.", typesDiffer],
  1265: ["type_mismatch", "A value does not fit the column %.", typesDiffer],
  1290: ["not_allowed", "An option of the server forbids this."],
  1292: ["type_mismatch", "A value does not fit the type it is used as.", typesDiffer],
  1305: ["function_not_found", "The function % does not exist."],
  1317: ["cancelled", "The statement was stopped by someone else."],
  1347: ["not_allowed", "% is not of the expected kind of object."],
  1356: ["server_error", "The view % refers to something that no longer exists, or that its definer may not read."],
  1364: ["constraint_violated", "The column % has no default and must be given.", rule],
  1365: ["server_error", "The statement divides by zero.", "Use NULLIF(divisor, 0)."],
  1366: ["type_mismatch", "A value does not fit the type it is used as.", typesDiffer],
  1370: ["permission_denied", "This user may not run that function.", denied],
  1406: ["type_mismatch", "A value is too long for the column %.", typesDiffer],
  1411: ["type_mismatch", "A value does not fit the function it is given to.", typesDiffer],
  1436: ["statement_too_complex", "The statement is nested too deeply.", splitIt],
  1451: ["constraint_violated", "Other rows refer to the row by the foreign key %.", rule],
  1452: ["constraint_violated", "There is no row that the foreign key % could refer to.", rule],
  1473: ["statement_too_complex", "The statement is nested too deeply.", splitIt],
  1525: ["type_mismatch", "A literal is not a value of its type.", typesDiffer],
  1582: ["syntax_error", "The function % is called with a wrong number of arguments."],
  1583: ["syntax_error", "The function % is called with wrong arguments."],
  1630: ["function_not_found", "The function % does not exist."],
  1690: ["type_mismatch", "A number is out of the range of its type.", "CAST to a wider type, such as DECIMAL(65,0)."],
  1792: ["read_only", "This server only reads.", "Use SELECT."],
  1878: ["server_error", "The server could not write temporary data.", "Narrow the statement."],
  3819: ["constraint_violated", "The check % does not hold.", rule],
  4025: ["constraint_violated", "The check % does not hold.", rule],
  3141: ["type_mismatch", "A text is not valid JSON."],
  3143: ["syntax_error", "A JSON path is not valid."],
  4037: ["type_mismatch", "A text is not valid JSON."],
  4042: ["syntax_error", "A JSON path is not valid."],
};

/** The session, or the server, is going away: left by its Galera cluster, shutdown, killed, aborted, idle too long. */
const lostErrnos = new Set([1047, 1053, 1080, 1152, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 4031]);
const retryableErrnos = new Set([1205, 1213, 1317]);

/** An error of a statement. A {@link CodedError} passes as it is. */
export function toStatementError(thrown: unknown, sent: SentStatement): CodedError {
  if (thrown instanceof CodedError) return thrown;
  const error = toServerError(thrown);
  if (error === undefined || lostErrnos.has(error.errno)) return connectionLost(error?.errno);
  const { errno, sqlstate } = error;
  const [code, template, hint] = statementTexts[errno] ?? unknownError(error);
  const missing = missingName(code, error);
  const name = missing?.name ?? reportedName(error);
  const position = code === "syntax_error" ? syntaxPosition(error, sent) : namePosition(name, sent.callerSql);
  const refusal = sent.hiding?.refusalOf(missing, position);
  if (refusal !== undefined) return refusal;
  const message = template.replace("%", () => (name === undefined ? "it names" : `\`${name}\``));
  const details = { hint, errno, sqlstate, missing, position, retryable: retryableErrnos.has(errno), cause: thrown };
  return new StatementError(code, message, details);
}

function unknownError({ errno, sqlstate }: ServerError): StatementText {
  if (sqlstate === "42000") return ["syntax_error", `The server does not accept the statement (error ${errno}).`];
  if (sqlstate === "22007" || sqlstate === "22003")
    return ["type_mismatch", "A value does not fit its type.", typesDiffer];
  return ["server_error", `The server reported error ${errno}.`];
}

const missingKinds: Readonly<Record<string, MissingName["kind"]>> = {
  table_not_found: "table",
  column_not_found: "column",
  function_not_found: "function",
  schema_not_found: "schema",
};

function missingName(code: string, error: ServerError): MissingName | undefined {
  const kind = missingKinds[code];
  const reported = kind && reportedName(error);
  if (kind === undefined || reported === undefined) return undefined;
  const dot = reported.lastIndexOf(".");
  const name = reported.slice(dot + 1);
  if (kind === "schema" || kind === "column" || dot === -1) return { kind, name };
  return { kind, name, schema: reported.slice(0, dot) };
}

/** Errors whose first quoted word is a value or a piece of the statement, never a name. */
const quotesValues = new Set([1064, 1149, 1292, 1366, 1411, 1525, 1690]);

function reportedName({ errno, message }: ServerError): string | undefined {
  if (quotesValues.has(errno)) return undefined;
  // FUNCTION db.name does not exist has no quotes.
  if (errno === 1305 || errno === 1630) return /(?:FUNCTION|PROCEDURE) (\S+)/.exec(message)?.[1]?.replaceAll("`", "");
  // The value that is there already comes first.
  if (errno === 1062) return /for key '([^']{1,200})'$/.exec(message)?.[1];
  if (errno === 1451 || errno === 1452) return /CONSTRAINT `([^`]{1,128})`/.exec(message)?.[1];
  const quoted = [...message.matchAll(/[`']((?:[^`']){1,128})[`']/g)].map(([, name]) => name);
  // `SELECT command denied to user 'u'@'h' for table 'db'.'t'` names the user first.
  const named = errno === 1142 || errno === 1143 ? quoted.slice(2) : quoted.slice(0, 1);
  return errno === 1143 ? named[0] : named.join(".") || undefined;
}

/** The server quotes what follows the error, up to 80 bytes, and gives its line. */
function syntaxPosition(
  { message }: ServerError,
  { sql, callerSql, toCallerOffset }: SentStatement,
): number | undefined {
  const found = /near '([\s\S]*)' at line (\d+)$/.exec(message);
  if (found === null) return undefined;
  const [, near = "", line] = found;
  let at = near.length < 78 && sql.endsWith(near) ? sql.length - near.length : sql.indexOf(near);
  while (at !== -1 && near.length >= 78 && sql.slice(0, at).split("\n").length < Number(line)) {
    at = sql.indexOf(near, at + 1);
  }
  return at === -1 ? undefined : toPosition(callerSql, toCallerOffset(at));
}

/** Where the name stands, when it stands in one place only. */
function namePosition(name: string | undefined, sql: string): number | undefined {
  const last = name?.split(".").at(-1)?.toLowerCase();
  if (last === undefined) return undefined;
  const places = tokenize(sql).filter(({ kind, text }) => /word|name/.test(kind) && text.toLowerCase() === last);
  const [place] = places;
  return place === undefined ? undefined : toPosition(sql, place.start);
}

/** Code points from 1, as {@link StatementError} counts. */
const toPosition = (sql: string, offset: number): number => Array.from(sql.slice(0, Math.max(0, offset))).length + 1;

function toServerError(thrown: unknown): ServerError | undefined {
  if (!(thrown instanceof Error) || !("errno" in thrown) || thrown instanceof CodedError) return undefined;
  const { errno } = thrown;
  // The driver's own numbers begin at 45,000; Node's are negative.
  if (typeof errno !== "number" || errno < 1_000 || errno >= 45_000) return undefined;
  const sqlstate = "sqlState" in thrown && typeof thrown.sqlState === "string" ? thrown.sqlState : undefined;
  const text = "sqlMessage" in thrown && typeof thrown.sqlMessage === "string" ? thrown.sqlMessage : "";
  return { errno, sqlstate, message: text };
}
