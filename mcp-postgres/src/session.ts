/**
 * One connection and what is said on it: queries in a pipeline, text in and text out, cut on any fault. A session lives
 * on one `{max: 1}` instance of the driver and never reconnects: after an error it is thrown away, because a driver
 * that reconnects would run the rest of a pipeline on a fresh session.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { CodedError } from "@database-interface/mcp-core/host";
import postgres from "postgres";
import type { Endpoint, PostgresConfig } from "./config.js";
import { toParameterText, Wrapped } from "./parameters.js";
import { toPoolerError } from "./pooler-errors.js";
import { openSocket, type Protection } from "./socket.js";
import { type BackendKey, type FatalError, type Field, watchWire } from "./wire.js";

/** A row as the server wrote it. */
export type TextRow = readonly (string | null)[];

/** What to send, and who takes what comes. */
export interface Query {
  readonly sql: string;
  /** JSON values; the server infers their types. Absent for our own texts. */
  readonly params?: readonly unknown[] | undefined;
  /** True for our own constant texts of several commands; never for a caller's SQL. */
  readonly simple?: boolean | undefined;
  readonly onFields?: ((fields: readonly Field[]) => void) | undefined;
  readonly onRow?: ((row: TextRow) => void) | undefined;
  /** Takes the count in the command's tag: rows returned or changed. */
  readonly onCount?: ((count: number) => void) | undefined;
}

/** What the server session that answered first says of itself. */
export interface Greeting {
  /** The process that answers; behind a pooler not the one the cancel key names. */
  readonly processId: number;
  /** It starts transactions read-only by itself. */
  readonly isReadOnly: boolean;
  /** Such as 150004. */
  readonly version: number;
}

export interface Session extends AsyncDisposable {
  readonly greeting: Greeting;
  readonly endpoint: Endpoint;
  readonly protection: Protection;
  readonly tls: string | false;
  readonly key: BackendKey | undefined;
  /** Why the server hung up, once it did. */
  readonly fatal: FatalError | undefined;
  readonly isOpen: boolean;
  /** Sends at once, behind what was sent before; rejects with the driver's error or `connection_lost`. */
  send(query: Query): Promise<void>;
  /** {@link send}, resolving to the rows. */
  rows(sql: string, params?: readonly unknown[]): Promise<readonly TextRow[]>;
  /** Cuts the connection once the following answers pass this many bytes. */
  limit(maxBytes: number): void;
  /** Cuts the connection now; everything pending rejects with the reason. */
  destroy(reason: Error): void;
  /** Runs once when the connection is gone. */
  onClose(listener: () => void): void;
}

/** What one attempt to connect needs. */
export interface SessionOptions {
  readonly config: PostgresConfig;
  readonly endpoint: Endpoint;
  readonly protection: Protection;
  readonly password: string;
  /** Start-up parameters: the session's own defaults, which RESET and DISCARD return to. */
  readonly defaults: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Connects and authenticates. @throws CodedError or the driver's error, untranslated; the signal's reason */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { config, endpoint, protection, signal } = options;
  const socket = await openSocket(endpoint, config.tls, protection, signal);
  const wire = watchWire();
  const pending = new Set<(reason: Error) => void>();
  const closeListeners = new Set<() => void>();
  let isOpen = true;
  let reason: Error | undefined;

  // Before the driver's own listeners, so that fields are known before rows and its bookkeeping never decides first.
  socket.on("data", wire.take);
  socket.on("error", () => {});
  socket.once("close", () => {
    isOpen = false;
    const why = reason ?? (wire.fatal?.isPoolers === true ? toPoolerError(wire.fatal) : connectionLost());
    for (const reject of pending) reject(why);
    pending.clear();
    for (const listener of closeListeners) listener();
  });
  const sql = createDriver(options, socket);

  let greeting: Greeting = { processId: 0, isReadOnly: false, version: 0 };

  const session: Session = {
    get greeting() {
      return greeting;
    },
    endpoint,
    protection,
    tls: socket instanceof TLSSocket ? (socket.getProtocol() ?? "TLS") : false,
    get key() {
      return wire.key;
    },
    get fatal() {
      return wire.fatal;
    },
    get isOpen() {
      return isOpen;
    },
    send(query) {
      return new Promise((resolve, reject) => {
        if (!isOpen || socket.destroyed) return reject(reason ?? connectionLost());
        pending.add(reject);
        wire.expect(query.onFields ?? (() => {}));
        toDriverQuery(sql, query).then(
          (result) => {
            pending.delete(reject);
            query.onCount?.(countOf(result));
            resolve();
          },
          (thrown: unknown) => {
            pending.delete(reject);
            reject(thrown);
          },
        );
      });
    },
    async rows(text, params = []) {
      const rows: TextRow[] = [];
      await session.send({ sql: text, params, onRow: (row) => void rows.push(row) });
      return rows;
    },
    limit(maxBytes) {
      wire.limit(maxBytes, () => {
        session.destroy(
          new CodedError("result_too_large", "The result is larger than this server takes from the wire.", {
            hint: "Select fewer or shorter columns: substr() and octet_length() help with large values.",
          }),
        );
      });
    },
    destroy(why) {
      reason ??= why;
      socket.destroy(why);
    },
    onClose(listener) {
      if (isOpen) closeListeners.add(listener);
      else listener();
    },
    async [Symbol.asyncDispose]() {
      if (!isOpen) return;
      const closed = new Promise<void>((resolve) => session.onClose(resolve));
      const timer = setTimeout(() => socket.destroy(), 500);
      // Terminate, protocol 55.7.
      socket.end(Buffer.from([0x58, 0, 0, 0, 4]));
      await closed;
      clearTimeout(timer);
    },
  };

  const stop = () => session.destroy(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
  signal.addEventListener("abort", stop, { once: true });
  try {
    // The driver starts up with its first query.
    const onRow = (row: TextRow) => {
      greeting = toGreeting(row);
    };
    await session.send({ sql: greetingSql, simple: true, onRow });
    return session;
  } catch (thrown) {
    session.destroy(thrown instanceof Error ? thrown : new Error("connect"));
    throw thrown;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The error of a call whose connection went away under it. */
export function connectionLost(fatal?: Pick<FatalError, "code">): CodedError {
  return new CodedError("connection_lost", "The connection to the database was lost during the call.", {
    hint: "Nothing was changed; call again and a new connection is made.",
    retryable: true,
    sqlstate: fatal?.code,
  });
}

const greetingSql = `SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('default_transaction_read_only'),
  pg_catalog.current_setting('server_version_num')`;

const toGreeting = ([processId, isReadOnly, version]: TextRow): Greeting => ({
  processId: Number(processId),
  isReadOnly: isReadOnly === "on",
  version: Number(version),
});

type Driver = ReturnType<typeof postgres>;

/**
 * An instance of the driver that speaks only over `socket`. The options are the already parsed form (the driver returns
 * an object with `shared` as it is), since its own parsing fills every gap from PG* variables of the process.
 */
function createDriver({ config, password, defaults }: SessionOptions, socket: Socket): Driver {
  let isUsed = false;
  const parsed = {
    host: ["socket"],
    port: [0],
    path: undefined,
    database: config.database,
    user: config.user,
    pass: password,
    max: 1,
    ssl: false,
    sslnegotiation: null,
    idle_timeout: null,
    connect_timeout: 0,
    max_lifetime: null,
    max_pipeline: 100,
    backoff: () => 0,
    keep_alive: 0,
    prepare: false,
    debug: false,
    fetch_types: false,
    publications: "",
    target_session_attrs: null,
    connection: { application_name: config.applicationName, ...defaults },
    types: {},
    onnotice: () => {},
    onnotify: () => {},
    onclose: () => {},
    onparameter: () => {},
    // One connection, ever: a second call would be a reconnect with half a pipeline in hand.
    socket: () => {
      if (isUsed) throw connectionLost();
      isUsed = true;
      return socket;
    },
    transform: { undefined: undefined, column: {}, value: {}, row: {} },
    parameters: {},
    shared: { retries: 0, typeArrayMap: {} },
    // Nothing is parsed; every type is written by our one rule.
    parsers: {},
    serializers: new Proxy(
      {},
      { has: () => true, get: (_, type) => (value: unknown) => toParameterText(value, Number(type)) },
    ),
    no_subscribe: true,
  };
  // The driver's types describe unparsed options only; the shape above is what its parseOptions returns in 3.4.9.
  return postgres(parsed as never);
}

/** The driver's result is an array with the tag's count beside. */
function countOf(result: unknown): number {
  return typeof result === "object" && result !== null && "count" in result ? Number(result.count ?? 0) : 0;
}

/** Hands a query to the driver. Its promise is always listened to, here. */
function toDriverQuery(sql: Driver, { sql: text, params = [], simple = false, onRow }: Query): PromiseLike<unknown> {
  const needsTypes = params.some((value) => typeof value === "object" && value !== null);
  const wrapped = needsTypes ? params.map((value) => (value === null ? null : new Wrapped(value))) : [];
  // Any object is an argument to the driver once every type has a serializer; its types cannot know that.
  // `simple: false` is what keeps two statements in one text from running; it is missing from the declared options.
  const query = sql.unsafe(text, wrapped as never[], { simple } as object);
  // Scalars mean the same text for every type, so they can be bound without asking first, which saves a round trip.
  // The driver uses `parameters` as it is when already set (connection.js, build); otherwise it would describe first.
  if (!needsTypes && params.length > 0) {
    Object.assign(query, { parameters: params.map((value) => (value === null ? null : String(value))) });
  }
  if (onRow === undefined) return query;
  query.values();
  // After values() a row is an array of texts, as no type has a parser.
  return query.forEach(onRow as unknown as (row: object) => void);
}
