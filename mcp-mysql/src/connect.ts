/**
 * From a source's settings to a session that is safe by itself: endpoints and protections are tried in order, then the
 * session is made read-only, its lexical settings normalised and its time limited. Knows which variables each flavour has.
 */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { rootCertificates } from "node:tls";
import { anySignal, CodedError } from "@database-interface/mcp-core/host";
import { createHostOrder, type DatabaseOptions } from "@database-interface/mcp-core/sql";
import type { Endpoint, MysqlConfig, TlsConfig } from "./config.js";
import { assertContextHolds } from "./context.js";
import { driverCodeOf, errnoOf, toConnectError } from "./errors.js";
import { openSession, type Session } from "./session.js";

/** Limits that a call sets on its session. */
export interface SessionLimits {
  readonly timeoutMs: number;
  /** Rows a SELECT gives at most; undefined for any number. */
  readonly maxRows: number | undefined;
}

/** A session and what is known of it. */
export interface Connected {
  readonly session: Session;
  /** The server and our own address as it sees it: what KILL makes sure of. */
  readonly origin: string;
  readonly isTls: boolean;
  /** The limits in force on the session now. */
  limits: SessionLimits;
  /** The session's variable that makes it read-only by itself. */
  readonly readOnlyVariable: string;
  /** Statements that make the session safe again after a reset, with these limits. */
  setUp(limits: SessionLimits): readonly string[];
  /** Opens a second, bare connection to the same server. */
  reach(signal: AbortSignal): Promise<Session>;
  /** How the same server is reached from another process: a secret, for the watchdog's pipe alone. */
  address(): Address;
}

/** Everything a bare connection to one server is made from. */
export interface Address {
  readonly endpoint: Endpoint;
  readonly isTls: boolean;
  readonly tls: TlsConfig;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** What a session starts with, and catalogue queries run under. */
export const ownLimits: SessionLimits = { timeoutMs: 60_000, maxRows: undefined };

/** Modes that change how SQL is read: without them a text means the same to us and to the server. Others stay. */
const lexicalModes = new Set(
  "ANSI ANSI_QUOTES NO_BACKSLASH_ESCAPES IGNORE_SPACE ORACLE DB2 MAXDB MSSQL MYSQL323 MYSQL40 POSTGRESQL".split(" "),
);

/** Memory of one MariaDB session at most, in bytes; its default is without limit. */
const sessionMemoryBytes = 256 * 1024 * 1024;
const lockTimeoutS = 5;

/** Opens sessions of one source. */
export function createConnector(config: MysqlConfig, options: DatabaseOptions) {
  const hosts = createHostOrder(config.endpoints, { isRandom: config.isBalanced });
  const timeoutMs = config.connectTimeoutMs ?? options.connectTimeoutMs;

  async function addressOf(endpoint: Endpoint, isTls: boolean): Promise<Address> {
    const password = options.password === undefined ? (config.password?.() ?? "") : await options.password();
    const { tls, user, database } = config;
    return { endpoint, isTls, tls, user, password, database };
  }

  async function connectTo(endpoint: Endpoint, outer: AbortSignal): Promise<Connected> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = anySignal([outer, deadline]);
    for (const isTls of protectionsOf(config.tls, endpoint)) {
      try {
        const address = await addressOf(endpoint, isTls);
        const session = await openBare(address, signal);
        const reach = async (reachSignal: AbortSignal) => openBare(await addressOf(endpoint, isTls), reachSignal);
        const connected = await settle(session, { isTls, reach, address: () => address }, config.database);
        if ((options.sessionContext ?? []).length > 0) await holdContext(session);
        return connected;
      } catch (thrown) {
        if (deadline.aborted && !outer.aborted) throw connectTimeout(timeoutMs);
        const mayBePlain = config.tls.mode === "PREFERRED" && driverCodeOf(thrown) === "ER_SERVER_SSL_DISABLED";
        if (!isTls || !mayBePlain) throw thrown;
      }
    }
    throw new CodedError("tls_failed", "No protection of the connection is left to try.");
  }

  /** @throws CodedError `connection_failed`, `authentication_failed`, `database_not_found`, `tls_failed` and the like */
  return async function connect(signal: AbortSignal): Promise<Connected> {
    let failure: unknown;
    for (const endpoint of hosts.next()) {
      try {
        const connected = await connectTo(endpoint, signal);
        hosts.answered(endpoint);
        return connected;
      } catch (thrown) {
        if (signal.aborted) throw signal.reason;
        hosts.failed(endpoint);
        failure = thrown;
        if (isPasswordWrong(thrown)) break;
      }
    }
    throw toConnectError(failure, config);
  };
}

/** A connection on which nothing is set yet. @throws the driver's error, untranslated; CodedError `tls_failed` */
export async function openBare({ endpoint, isTls, tls, ...login }: Address, signal: AbortSignal): Promise<Session> {
  return await openSession({ ...login, endpoint, tls: isTls ? await tlsOptions(tls, endpoint) : undefined, signal });
}

/** Makes a fresh session safe. Nothing of a caller runs before this has succeeded. */
async function settle(
  session: Session,
  ways: Pick<Connected, "isTls" | "reach" | "address">,
  database: string,
): Promise<Connected> {
  try {
    const [row] = await session.rows(
      `SELECT @@sql_mode, VERSION(), CONCAT(@@hostname, ':', @@port, ' ',
        (SELECT host FROM information_schema.processlist WHERE id = CONNECTION_ID()))`,
    );
    const [sqlMode, version, origin] = (row ?? []).map(String);
    const limits = ownLimits;
    const readOnlyVariable = readOnlyVariableOf(session, version ?? "");
    const setUp = (wanted: SessionLimits) =>
      setUpStatements(session, database, sqlMode ?? "", readOnlyVariable, wanted);
    // A Galera node out of its cluster lets one in and answers what it is asked of itself, but begins no transaction.
    const tried = ["BEGIN", "ROLLBACK"];
    await Promise.all([...setUp(limits), ...tried].map((sql) => session.send({ sql })));
    return { session, origin: origin ?? "", ...ways, readOnlyVariable, setUp, limits };
  } catch (thrown) {
    session.destroy(thrown instanceof Error ? thrown : new Error("set-up"));
    throw thrown;
  }
}

/** Calls that rely on the session context get no session on which it would not hold. */
async function holdContext(session: Session): Promise<void> {
  try {
    await assertContextHolds(session);
  } catch (thrown) {
    session.destroy(thrown instanceof Error ? thrown : new Error("context"));
    throw thrown;
  }
}

/** tx_read_only is MariaDB's name before 11.1; MySQL 8.0.3 dropped it (manual 5.1.8; MySQL's side was not run). */
function readOnlyVariableOf({ isMariadb }: Session, version: string): string {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return isMariadb && (major < 11 || (major === 11 && minor < 1)) ? "tx_read_only" : "transaction_read_only";
}

function setUpStatements(
  { isMariadb }: Session,
  database: string,
  sqlMode: string,
  readOnlyVariable: string,
  limits: SessionLimits,
): readonly string[] {
  const modes = sqlMode.split(",").filter((mode) => !lexicalModes.has(mode));
  const settings = [
    `SESSION ${readOnlyVariable} = 1`,
    "SESSION autocommit = 1",
    `SESSION sql_mode = '${modes.join(",")}'`,
    `SESSION lock_wait_timeout = ${lockTimeoutS}`,
    `SESSION innodb_lock_wait_timeout = ${lockTimeoutS}`,
    ...(isMariadb ? [`SESSION max_session_mem_used = ${sessionMemoryBytes}`] : []),
    ...limitSettings(isMariadb, limits),
  ];
  return [
    `SET ${settings.join(", ")}`,
    "SET NAMES utf8mb4",
    // A reset keeps the current database.
    ...(database === "" ? [] : [`USE \`${database.replaceAll("`", "``")}\``]),
  ];
}

/** The variables of a call's limits. MySQL's max_execution_time was not run; it takes milliseconds (manual 5.1.8). */
export function limitSettings(isMariadb: boolean, { timeoutMs, maxRows }: SessionLimits): readonly string[] {
  return [
    isMariadb ? `SESSION max_statement_time = ${timeoutMs / 1_000}` : `SESSION max_execution_time = ${timeoutMs}`,
    `SESSION sql_select_limit = ${maxRows ?? "DEFAULT"}`,
  ];
}

/** Whether to use TLS, in the order of trying. A Unix socket never leaves the machine. */
function protectionsOf({ mode }: TlsConfig, endpoint: Endpoint): readonly boolean[] {
  if (mode === "DISABLED" || "socketPath" in endpoint) return [false];
  return mode === "PREFERRED" ? [true, false] : [true];
}

async function tlsOptions({ mode, ca, certificate, key }: TlsConfig, endpoint: Endpoint) {
  const isVerified = mode === "VERIFY_CA" || mode === "VERIFY_IDENTITY";
  const [authority, cert, privateKey] = await Promise.all(
    [ca, certificate, key].map((path) => (path === undefined ? undefined : readPem(path))),
  );
  const host = "host" in endpoint ? endpoint.host : "localhost";
  return {
    host,
    // A name indication is for names only (RFC 6066, 3).
    ...(isIP(host) === 0 ? { servername: host } : {}),
    // Given explicitly: without a list the driver accepts any certificate that a password's hash vouches for.
    ...(isVerified ? { ca: authority ?? [...rootCertificates] } : {}),
    ...(cert === undefined || privateKey === undefined ? {} : { cert, key: privateKey }),
    rejectUnauthorized: isVerified,
    ...(mode === "VERIFY_IDENTITY" ? {} : { checkServerIdentity: () => undefined }),
    minVersion: "TLSv1.2" as const,
  };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const hint = "ssl-ca, ssl-cert and ssl-key must name files that this process may read.";
    throw new CodedError("tls_failed", "A certificate or key file cannot be read.", { hint, cause });
  }
}

/** A password that one host refuses is not tried on every other. */
const isPasswordWrong = (thrown: unknown): boolean => errnoOf(thrown) === 1045 || errnoOf(thrown) === 1698;

function connectTimeout(timeoutMs: number): CodedError {
  return new CodedError("connection_failed", `The server did not answer within ${timeoutMs} ms.`, {
    hint: "Check host, port and firewall, or allow more time with connect-timeout in the URL.",
    retryable: true,
  });
}
