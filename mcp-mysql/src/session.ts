/**
 * One connection and what is said on it: commands in a pipeline, text in and text out, cut on any fault. The socket is
 * ours, so that its bytes are counted and it can be cut at once; the driver's destroy() is never called, since it opens
 * connections of its own. A session never reconnects. Knows nothing of transactions or limits.
 */
import { connect as connectTcp, type Socket } from "node:net";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { CodedError } from "@database-interface/mcp-core/host";
import type { Cell } from "@database-interface/mcp-core/sql";
import { type Connection, createConnection, type FieldInfo, type UpsertResult } from "mariadb";
import type { Endpoint } from "./config.js";
import { readCell } from "./values.js";

/** A row as the server wrote it; bytes only in binary columns. */
export type Row = readonly Cell[];

/** A statement and who takes what comes. */
export interface Query {
  readonly sql: string;
  readonly onFields?: ((fields: readonly FieldInfo[]) => void) | undefined;
  readonly onRow?: ((row: Row) => void) | undefined;
  /** Takes what the server says of a statement without a result: rows changed, and whether there are warnings. */
  readonly onDone?: ((done: { readonly rowsAffected: number; readonly hasWarnings: boolean }) => void) | undefined;
  /** Hands over the tap of the result before anything is sent. */
  readonly onFlow?: ((flow: Flow) => void) | undefined;
}

/** Holds the rows back, down to the wire, and lets them come again. */
export interface Flow {
  pause(): void;
  resume(): void;
}

export interface Session extends AsyncDisposable {
  readonly endpoint: Endpoint;
  /** The server's number of this connection, for KILL. */
  readonly threadId: number;
  readonly isMariadb: boolean;
  readonly isOpen: boolean;
  /** Sends at once, behind what was sent before. Rejects with the driver's error or `connection_lost`. */
  send(query: Query): Promise<void>;
  /** {@link send}, resolving to the rows. */
  rows(sql: string): Promise<readonly Row[]>;
  /** COM_RESET_CONNECTION: everything of the session but its database goes back to the server's defaults. */
  reset(): Promise<void>;
  /** Cuts the connection once the answers from here on pass this many bytes. */
  limit(maxBytes: number): void;
  /** Cuts the connection now; everything pending rejects with the reason. */
  destroy(reason: Error): void;
  /** Runs once when the connection is gone. */
  onClose(listener: () => void): void;
}

/** What one attempt to connect needs. */
export interface SessionOptions {
  readonly endpoint: Endpoint;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Absent for a plain connection. */
  readonly tls: (TlsOptions & { rejectUnauthorized: boolean }) | undefined;
  readonly signal: AbortSignal;
}

const closeTimeoutMs = 500;

/** Connects and authenticates. @throws the driver's error, untranslated; the signal's reason */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { endpoint, signal } = options;
  const pending = new Set<(reason: Error) => void>();
  const closeListeners = new Set<() => void>();
  let isOpen = true;
  let isConnected = false;
  let reason: Error | undefined;
  let budget = Number.POSITIVE_INFINITY;

  signal.throwIfAborted();
  const socket: Socket = connectTcp(
    "socketPath" in endpoint
      ? { path: endpoint.socketPath }
      : { host: endpoint.address ?? endpoint.host, port: endpoint.port },
  );
  socket.setNoDelay(true);
  const listeners = {
    error() {},
    data(chunk: Buffer) {
      budget -= chunk.length;
      if (budget < 0) destroy(tooMuch());
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      for (const reject of pending) reject(reason ?? connectionLost());
      pending.clear();
      for (const listener of closeListeners) listener();
    },
  };
  const listen = (only?: string | symbol) => {
    for (const [event, listener] of Object.entries(listeners)) {
      if (only === undefined || only === event) socket.on(event, listener);
    }
  };
  listen();
  // The driver strips all listeners from a socket it gives up, ours too; without them a slot would never come back.
  const strip = socket.removeAllListeners.bind(socket);
  socket.removeAllListeners = (event) => {
    strip(event);
    listen(event);
    return socket;
  };

  function destroy(why: Error): void {
    reason ??= why;
    // With an error the driver learns of it as well and gives up its own queue. With nothing in it there is nobody to tell,
    // and over TLS the error may find no listener left, as the driver takes them off: there `close` settles what is pending.
    socket.destroy(isConnected && (options.tls !== undefined || pending.size === 0) ? undefined : why);
  }

  /** Runs one command of the driver; a connection that goes away under it settles it, whatever the driver does. */
  function command<Result>(run: (connection: Connection) => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (!isOpen || socket.destroyed) return reject(reason ?? connectionLost());
      pending.add(reject);
      const settle = () => pending.delete(reject);
      run(connection).then(
        (result) => {
          settle();
          resolve(result);
        },
        (thrown: unknown) => {
          settle();
          reject(reason ?? thrown);
        },
      );
    });
  }

  const stop = () => destroy(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
  signal.addEventListener("abort", stop, { once: true });
  let connection: Connection;
  try {
    connection = await createConnection(driverOptions(options, socket));
  } catch (thrown) {
    destroy(thrown instanceof Error ? thrown : new Error("connect"));
    throw reason ?? thrown;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  connection.on("error", () => {});
  isConnected = true;
  // The driver's types leave threadId open for a connection that is not made yet.
  const threadId = connection.threadId ?? 0;
  const { info } = connection;

  return {
    endpoint,
    threadId,
    isMariadb: info?.isMariaDB() ?? false,
    get isOpen() {
      return isOpen && !socket.destroyed;
    },
    send: (query) => command(() => stream(connection, query)),
    rows: async (sql) => {
      const rows: Row[] = [];
      await command(() => stream(connection, { sql, onRow: (row) => void rows.push(row) }));
      return rows;
    },
    reset: () => command(() => connection.reset()),
    limit(maxBytes) {
      budget = maxBytes;
    },
    destroy,
    onClose(listener) {
      if (isOpen) closeListeners.add(listener);
      else listener();
    },
    async [Symbol.asyncDispose]() {
      if (!isOpen) return;
      const closed = new Promise<void>((resolve) => closeListeners.add(resolve));
      const timer = setTimeout(() => destroy(new Error("closed")), closeTimeoutMs);
      connection.end().then(
        () => void socket.end(),
        () => destroy(new Error("closed")),
      );
      await closed;
      clearTimeout(timer);
    },
  };
}

/** The error of a call whose connection went away under it. */
export function connectionLost(errno?: number): CodedError {
  return new CodedError("connection_lost", "The connection to the database was lost during the call.", {
    hint: "Nothing was changed; call again and a new connection is made.",
    retryable: true,
    errno,
  });
}

function tooMuch(): CodedError {
  return new CodedError("result_too_large", "The result has more bytes than this server takes from the wire.", {
    hint: "Select fewer or shorter columns; LEFT() and LENGTH() help with large values.",
  });
}

function driverOptions({ user, password, database, tls, endpoint }: SessionOptions, socket: Socket) {
  return {
    user,
    password,
    ...(database === "" ? {} : { database }),
    ...("host" in endpoint ? { host: endpoint.host, port: endpoint.port } : {}),
    ...(tls === undefined ? {} : { ssl: tls }),
    stream: () => socket,
    // Our own deadline cuts the socket; the driver's would start a second one.
    connectTimeout: 0,
    multipleStatements: false,
    permitLocalInfile: false,
    permitRedirect: false,
    pipelining: true,
    checkDuplicate: false,
    rowsAsArray: true,
    prepareCacheLength: 0,
    logParam: false,
    typeCast: readCell,
    // The driver's default for warnings is console.log, which is MCP's stdout.
    logger: { warning: () => {}, logParam: false },
    connectAttributes: { program_name: "mcp-mysql" },
  };
}

/** One result, streamed: the driver's promise API would hold all of it. */
function stream(connection: Connection, { sql, onFields, onRow, onDone, onFlow }: Query): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: unknown;
    const readable = connection.queryStream({ sql });
    onFlow?.(readable);
    readable.on("fields", (fields: readonly FieldInfo[]) => onFields?.(fields));
    // A statement without a result gives its OK packet in place of rows.
    readable.on("data", (row: Row | UpsertResult) => {
      if (Array.isArray(row)) onRow?.(row);
      else if ("affectedRows" in row) {
        onDone?.({ rowsAffected: row.affectedRows, hasWarnings: row.warningStatus > 0 });
      }
    });
    readable.on("error", (thrown) => {
      failure ??= thrown;
      reject(thrown);
    });
    readable.once("end", () => (failure === undefined ? resolve() : reject(failure)));
  });
}
