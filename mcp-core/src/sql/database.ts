/**
 * The port: everything the tools ask of a database, and nothing of any product. Each database folder implements
 * {@link Database} once and describes itself by one {@link DatabaseKind}; tools, results, limits and transports never
 * learn which one they serve.
 */

import type { FoundObject, ObjectSearch, TableDescription, TableName } from "./catalog-objects.js";
import type { ColumnRule } from "./column-rules.js";
import type { GrantRequest } from "./grant-request.js";

/** One statement and its positional parameters, as the caller gave them. */
export interface Statement {
  /** Exactly one statement in the database's own dialect, at most 100 kB. */
  readonly sql: string;
  /** Values for `$1…` (PostgreSQL) or `?` (MySQL, MariaDB), in order. */
  readonly params: readonly Parameter[];
}

/** A parameter as JSON can carry it; objects and arrays are sent as JSON text unless the database has arrays. */
export type Parameter = string | number | boolean | null | readonly unknown[] | { readonly [key: string]: unknown };

/** Who calls, for the database's own rules on rows: values of settings, by their names. */
export type SessionContext = ReadonlyMap<string, string>;

/** What every call brings: when the signal fires, the statement stops on the server, and only ours. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** What every transaction of the call sets first, where the source was opened with a session context. */
  readonly context?: SessionContext | undefined;
}

/** Bounds of one read, enforced while it streams. */
export interface ReadOptions extends CallOptions {
  /** The sink's row limit. The database asks the server for one row more than this, so that truncation is proved. */
  readonly maxRows: number;
  /** Server-side statement timeout in milliseconds. */
  readonly timeoutMs: number;
  /** Bytes from the wire after which the connection is cut, whatever a single row holds. */
  readonly maxWireBytes: number;
  /** Told what a statement is as soon as that is understood, also when it is then refused: for the audit and memory. */
  readonly observe?: ((facts: StatementFacts) => void) | undefined;
}

/** What a database understands of a statement. */
export interface StatementFacts {
  /** Such as `select` or `explain`, in the words of the product. */
  readonly statementClass?: string;
  /** Tables and views it names, with their schema where it is written. */
  readonly tables?: readonly string[];
  /** Asked again of the same data by the same user it answers the same. Told last, of what may run. */
  readonly isRepeatable?: boolean;
}

/**
 * How a column's text becomes JSON: `integer` is a number while JavaScript keeps it exact, else a string; `decimal`
 * stays a string; `float` is a number unless NaN or infinite; `boolean` arrives as `true` or `false`; `json` is embedded
 * as it is; `bytes` arrive as a Uint8Array and leave as base64 with their length; `text` is everything else, verbatim.
 */
export type CellForm = "integer" | "decimal" | "float" | "boolean" | "json" | "bytes" | "text";

/** A result column: its label and the database's own name of its type, such as `numeric(10,2)` or `bigint unsigned`. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly form: CellForm;
}

/** A value as the database wrote it; null is SQL NULL. Bytes only in columns of the form `bytes`. */
export type Cell = string | Uint8Array | null;

/** Where a read delivers. `columns` comes once, before any row, also for an empty result. */
export interface RowSink {
  columns(columns: readonly Column[]): void;
  /** Takes one row; false means enough: the database stops the statement on the server and resolves. */
  row(cells: readonly Cell[]): boolean;
}

/** A result held open on the server in one snapshot. */
export interface RowCursor extends AsyncDisposable {
  readonly columns: readonly Column[];
  /** The next rows, at most `count`; fewer only at the end. @throws CodedError `connection_lost`, `timeout`, `cancelled` */
  fetch(count: number, options: CallOptions): Promise<readonly (readonly Cell[])[]>;
}

/** What a connection looks like from here; the text of `check_connection`. */
export interface ConnectionReport {
  /** Round trip of `SELECT 1` on an open connection, in milliseconds. */
  readonly roundTripMs: number;
  /** The product as the server names it, such as `PostgreSQL` or `MariaDB`. */
  readonly server: string;
  readonly version: string;
  readonly database: string;
  readonly user: string;
  /** Protocol version such as `TLSv1.3`, or false for a plain connection. */
  readonly tls: string | false;
  /** What the self-audit found, a sentence each: superuser, FILE privilege, no TLS to a remote host, … */
  readonly warnings: readonly string[];
}

/** The catalogue: what exists and what it looks like. */
export interface Catalog {
  schemas(options: CallOptions): Promise<readonly string[]>;
  search(search: ObjectSearch, options: CallOptions): Promise<readonly FoundObject[]>;
  /** @throws CodedError `table_not_found` */
  describe(table: TableName, options: CallOptions): Promise<TableDescription>;
  /**
   * A text that changes whenever somebody has changed what the others answer, estimates and sizes aside; it costs a few
   * milliseconds. Absent where the database has no such thing.
   */
  fingerprint?(options: CallOptions): Promise<string>;
}

/** A plan: the database's own text and what stands out in it. */
export interface Explanation {
  readonly plan: string;
  /** A sentence each, such as `Sequential scan over orders (about 5,000,000 rows); an index on customer_id would help.` */
  readonly findings: readonly string[];
}

/** What a statement would do, as far as it can be told without running it. */
export interface WritePlan {
  /** Its class in lower case, such as `update` or `alter table`. */
  readonly kind: string;
  /** The tables and other objects it names as its targets. */
  readonly targets: readonly string[];
  /** A sentence each: no WHERE, several tables, triggers, CASCADE, committed at once, … */
  readonly warnings: readonly string[];
  /** Why it cannot be tried and rolled back, a sentence; absent when it can. */
  readonly noDryRun?: string | undefined;
}

/** What a dry run saw before it was rolled back. */
export interface DryRun {
  readonly rowsAffected: number;
  /** A few of the rows as they were and as they would be, where the database can tell. */
  readonly before?: RowSample | undefined;
  readonly after?: RowSample | undefined;
}

/** A few rows. */
export interface RowSample {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Writing, for databases that offer it; reads never come this way. */
export interface Writing {
  /** Understands the statement without running it. @throws CodedError `not_allowed` for what is no data or schema write */
  plan(statement: Statement, options: CallOptions): Promise<WritePlan>;
  /** Runs it in a transaction that is rolled back. @throws CodedError `dry_run_unavailable` */
  dryRun(statement: Statement, options: ReadOptions): Promise<DryRun>;
  /**
   * Runs it once and commits; the sink gets the rows it returns, if any, and may let the rest go by.
   * @throws CodedError `outcome_unknown` when the connection broke while it may have been committed
   */
  run(statement: Statement, sink: RowSink, options: ReadOptions): Promise<{ readonly rowsAffected: number }>;
}

/** An open source: a pool of connections and what can be asked through it. Connects on first use. */
export interface Database extends AsyncDisposable {
  readonly catalog: Catalog;
  /** @throws CodedError `connection_failed`, `authentication_failed`, `database_not_found` and the like */
  check(options: CallOptions): Promise<ConnectionReport>;
  /**
   * Runs one read statement in a fresh read-only transaction on a session that is read-only by itself.
   * @throws CodedError with the catalogue's codes; `sqlstate` or `errno` where the server gave one
   */
  read(statement: Statement, sink: RowSink, options: ReadOptions): Promise<void>;
  /** Opens a result in one snapshot that stays on the server until it is disposed. The signal counts until it is open. */
  openCursor(statement: Statement, options: ReadOptions): Promise<RowCursor>;
  explain(statement: Statement, options: ReadOptions & { readonly analyze: boolean }): Promise<Explanation>;
  /** Absent where the database only reads. */
  readonly writing?: Writing | undefined;
  /** The lines of an SQL script that makes the role; runs nothing and holds no secret. */
  grants?(request: GrantRequest): Promise<readonly string[]>;
}

/** What a source needs to be opened, already parsed and checked; only its own database understands the rest. */
export interface SourceConfig {
  /** The database the URL names; the source's default name. */
  readonly database: string;
  /** `user@host:port/database`, for logs and errors: never a secret. */
  readonly label: string;
}

/** Settings of a source that are the same on every database. */
export interface DatabaseOptions {
  /** Connections at most, cursors included. */
  readonly poolSize: number;
  /** Milliseconds to wait for a connection to be made or to become free. */
  readonly connectTimeoutMs: number;
  /** Schemas the model may see, in the catalogue and in SQL; all when absent. */
  readonly schemas?: readonly string[] | undefined;
  /** Columns that no statement may read, or only masked; none when absent. */
  readonly columnRules?: readonly ColumnRule[] | undefined;
  /**
   * Settings that carry who calls, for the database's own rules on rows: a statement without a value for each of them is
   * refused, as is a user whom the rules do not hold. None when absent.
   */
  readonly sessionContext?: readonly string[] | undefined;
  /** Asked for the password at every new connection when set (`--password-command`, rotating tokens). */
  readonly password?: (() => Promise<string>) | undefined;
  /** For what happens outside any call: a connection lost while idle, a reconnect. */
  readonly log: DatabaseLog;
}

/** The part of the host's log a database needs. */
export interface DatabaseLog {
  debug(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** A database product as the suite sees it: how its sources are configured and opened. */
export interface DatabaseKind<Config extends SourceConfig = SourceConfig> {
  /** Short name, such as `postgres`. */
  readonly name: string;
  /** As people write it, such as `PostgreSQL`. */
  readonly title: string;
  /** What OpenTelemetry calls it (`db.system.name`). */
  readonly system: string;
  /** The command, such as `mcp-postgres`. */
  readonly command: string;
  readonly version: string;
  /** An example URL for help texts and error hints. */
  readonly exampleUrl: string;
  /** One line for the query tool's description: the dialect and its parameter marks, such as `PostgreSQL; $1, $2`. */
  readonly dialect: string;
  /** What names are quoted with in texts meant for SQL. Default `"`. */
  readonly identifierQuote?: '"' | "`";
  /** What a setting that carries who calls is named like; absent where the database knows no such thing. */
  readonly contextName?: { readonly form: RegExp; readonly example: string };
  /** How strings and comments are written: `backslash` as MySQL does. Default `standard`. */
  readonly lexis?: "standard" | "backslash";
  /**
   * A source from its URL, the environment filling what the URL leaves out. Unknown URL options are errors.
   * @throws CodedError `url_invalid` naming the part and the remedy, never echoing the URL
   */
  parseSource(url: string, environment: Readonly<Record<string, string | undefined>>): Config;
  /** A source from the environment alone (`DATABASE_URL`, `PG*`, `MYSQL_*`), undefined when it names none. */
  sourceFromEnvironment(environment: Readonly<Record<string, string | undefined>>): Config | undefined;
  /** A pool that connects on first use; never throws for an unreachable server. */
  open(config: Config, options: DatabaseOptions): Database;
  /** A private throw-away server with the sample shop, where the machine allows it; its URL until disposed. */
  startDemo?(options: CallOptions & { readonly log: DatabaseLog }): Promise<AsyncDisposable & { readonly url: string }>;
}
