/**
 * One factory, served: over stdio to the one client that started us, or over HTTP to many, in both protocol eras. It
 * wires the legs together and ends them in order; it knows nothing of what the servers do.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Readable, Writable } from "node:stream";
import { InMemoryServerEventBus, type McpServerFactory } from "@modelcontextprotocol/server";
import { createAudience, type Notifier, serverOf } from "./audience.js";
import { createDoor, isLoopback } from "./door.js";
import { CodedError } from "./errors.js";
import type { HttpOptions } from "./http-options.js";
import {
  type Denial,
  type JsonAnswer,
  type JsonRoute,
  openHttpServer,
  type Route,
  type RouteContext,
} from "./http-server.js";
import { listenedUris, type OnListen } from "./listens.js";
import type { Log } from "./log.js";
import { createMcpEndpoint } from "./mcp-routes.js";
import { type PlainCallHandler, statusOf, toPlainCall } from "./plain-call.js";
import { logPrinted } from "./printed.js";
import { problem, unavailable } from "./problem.js";
import type { SessionDirectory } from "./session-directory.js";
import { createSessions } from "./sessions.js";
import { withTimeout } from "./signals.js";
import { createSseLeg } from "./sse.js";
import { openStdio } from "./stdio.js";

/** What is served, and how. */
export interface ServeOptions {
  readonly name: string;
  readonly version: string;
  /** Makes a fresh server for each request (modern HTTP) or connection (all else). */
  readonly factory: McpServerFactory;
  readonly transport: "stdio" | "http";
  /** Needed for `http`. */
  readonly http?: HttpOptions | undefined;
  /** Rejects while the server cannot do its work; what `/readyz` asks. */
  readonly ready?: ((options: { readonly signal: AbortSignal }) => Promise<void>) | undefined;
  readonly routes?: readonly Route[] | undefined;
  /** Where legacy sessions are known to several processes that serve together. Without it, they are this process's. */
  readonly directory?: SessionDirectory | undefined;
  /** Told which resources a modern client listens to; needed only by a server that must fetch their updates itself. */
  readonly onListen?: OnListen | undefined;
  /** Answers plain calls over HTTP without the SDK; needed only by a server that forwards them as they are. */
  readonly onPlainCall?: PlainCallHandler | undefined;
  /** Told whom the door turns away, over HTTP. */
  readonly onDenied?: ((denial: Denial) => void) | undefined;
  readonly log: Log;
  /** Ends everything. */
  readonly signal: AbortSignal;
  /** For `stdio`; default the process's own. */
  readonly stdin?: Readable | undefined;
  readonly stdout?: Writable | undefined;
}

/** A server at work, until disposed, its signal fires or its stdin ends. */
export interface Served extends AsyncDisposable {
  /** The base URL, over HTTP. */
  readonly url?: string;
  /** Resolves when everything is closed. */
  readonly closed: Promise<void>;
  readonly notify: Notifier;
}

/**
 * Serves.
 * @throws CodedError `config_invalid`, `port_in_use`
 */
export async function serve(options: ServeOptions): Promise<Served> {
  const { log } = options;
  const logged: ServeOptions = {
    ...options,
    async factory(context) {
      const product = await options.factory(context);
      serverOf(product).onerror ??= (error) => log.debug("protocol_error", { message: error.message });
      return product;
    },
  };
  return options.transport === "stdio" ? serveStdio(logged) : serveHttp(logged);
}

async function serveStdio(options: ServeOptions): Promise<Served> {
  const { factory, log, signal, stdin = process.stdin, stdout = process.stdout } = options;
  const audience = createAudience(log);
  const connection = openStdio({ factory, audience, log, stdin, stdout, onListen: options.onListen });
  const printed = stdout === process.stdout ? logPrinted(log) : undefined;
  const close = (): Promise<void> => Promise.resolve(connection[Symbol.asyncDispose]());
  onAbort(signal, close);
  const closed = connection.closed.then(() => {
    printed?.[Symbol.dispose]();
    signal.removeEventListener("abort", close);
    log.info("closed");
  });
  const isTerminal = "isTTY" in stdin && stdin.isTTY === true;
  const hint = isTerminal ? { hint: "An MCP host speaks to this on stdin; people want --help." } : {};
  log.info("serving", { transport: "stdio", version: options.version, ...hint });
  return {
    closed,
    notify: audience.notify,
    [Symbol.asyncDispose]: async () => {
      await close();
      await closed;
    },
  };
}

const minuteMs = 60_000;

async function serveHttp(options: ServeOptions): Promise<Served> {
  const { factory, log, signal, http, directory } = options;
  if (http === undefined) throw new TypeError("serve: `http` is needed for the transport `http`.");
  const door = createDoor(http);
  const audience = createAudience(log);
  const bus = new InMemoryServerEventBus((error) => log.debug("notify_failed", { error }));
  const maxSessions = http.maxSessions ?? 100;
  const idleMs = http.sessionIdleMs ?? 30 * minuteMs;
  const sessions = createSessions({ factory, audience, log, idleMs, maxSessions, directory });
  const sse = createSseLeg({ factory, audience, log, maxSessions, directory });
  const endpoint = createMcpEndpoint({ factory, sessions, bus, log });
  const listener = await openHttpServer({
    host: http.host,
    port: http.port,
    door,
    log,
    maxBodyBytes: http.maxBodyBytes ?? 4_194_304,
    rateLimiter: http.rateLimiter,
    onDenied: options.onDenied,
    drainMs: http.drainMs ?? 5_000,
    async onDrained() {
      await Promise.allSettled([
        endpoint[Symbol.asyncDispose](),
        sessions[Symbol.asyncDispose](),
        sse[Symbol.asyncDispose](),
      ]);
    },
    routes: [
      ...["POST", "GET", "DELETE"].map(
        (method): JsonRoute => ({
          method,
          path: "/mcp",
          isEndless: (_request, parsed) => method === "GET" || isSubscription(parsed),
          shortcut: (headers, parsed, context) => answerPlainCall(options, headers, parsed, context),
          async handleJson(request, parsed, context) {
            const uris = listenedUris(parsed);
            if (uris.length > 0) await options.onListen?.(uris, context.signal);
            return endpoint.handle(request, parsed, context).catch(unavailable);
          },
        }),
      ),
      {
        method: "GET",
        path: "/sse",
        isEndless: () => true,
        handleJson: (request, _parsed, context) => sse.open(request, context).catch(unavailable),
      },
      {
        method: "POST",
        path: "/messages",
        handleJson: (request, parsed, context) => sse.post(request, parsed, context).catch(unavailable),
      },
      ...healthRoutes(options),
      ...(options.routes ?? []),
    ],
  });
  const sweeper = setInterval(
    () => sessions.sweep().catch((error) => log.warn("sweep_failed", { error })),
    Math.min(minuteMs, Math.max(1_000, idleMs / 2)),
  );
  let closing: Promise<void> | undefined;
  let settle: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const close = (): Promise<void> => {
    closing ??= (async () => {
      signal.removeEventListener("abort", close);
      clearInterval(sweeper);
      await listener[Symbol.asyncDispose]();
      log.info("closed");
      settle();
    })();
    return closing;
  };
  onAbort(signal, close);
  const url = listener.url;
  if (!isLoopback(http.host)) {
    log.warn("plain_http", { hint: "Others can reach this port and read the token on its way: put TLS in front." });
  }
  log.info("listening", { transport: "http", url: `${url}/mcp`, version: options.version });
  return {
    url,
    closed,
    notify: alsoOnBus(audience.notify, bus),
    [Symbol.asyncDispose]: close,
  };
}

/** Modern HTTP clients listen on the bus, all others are in the audience. */
function alsoOnBus(notify: Notifier, bus: InMemoryServerEventBus): Notifier {
  return {
    toolsChanged() {
      bus.publish({ kind: "tools_list_changed" });
      notify.toolsChanged();
    },
    promptsChanged() {
      bus.publish({ kind: "prompts_list_changed" });
      notify.promptsChanged();
    },
    resourcesChanged() {
      bus.publish({ kind: "resources_list_changed" });
      notify.resourcesChanged();
    },
    resourceUpdated(uri) {
      bus.publish({ kind: "resource_updated", uri });
      notify.resourceUpdated(uri);
    },
  };
}

function onAbort(signal: AbortSignal, close: () => Promise<void>): void {
  if (signal.aborted) void close();
  else signal.addEventListener("abort", close, { once: true });
}

function answerPlainCall(
  { onPlainCall }: ServeOptions,
  headers: IncomingHttpHeaders,
  parsed: unknown,
  context: RouteContext,
): Promise<JsonAnswer> | undefined {
  const call = onPlainCall === undefined ? undefined : toPlainCall(headers, parsed);
  if (call === undefined) return undefined;
  return onPlainCall?.(call, context)?.then((answer) => ({
    status: statusOf(answer),
    value: { jsonrpc: "2.0", id: call.id, ...answer },
  }));
}

function isSubscription(parsed: unknown): boolean {
  return (
    typeof parsed === "object" && parsed !== null && "method" in parsed && parsed.method === "subscriptions/listen"
  );
}

/** Milliseconds that readiness may take. */
const readyTimeoutMs = 5_000;

function healthRoutes({ ready, log, signal }: ServeOptions): Route[] {
  const ok = (status: string) => Response.json({ status }, { headers: { "cache-control": "no-store" } });
  let asking: Promise<Response> | undefined;
  const ask = async (): Promise<Response> => {
    try {
      const limit = withTimeout(signal, readyTimeoutMs);
      const overdue = new Promise<never>((_resolve, reject) => {
        limit.addEventListener("abort", () => reject(limit.reason), { once: true });
      });
      await Promise.race([ready?.({ signal: limit }), overdue]);
      return ok("ready");
    } catch (error) {
      log.warn("not_ready", { error });
      const why = error instanceof CodedError ? ` (${error.code})` : ""; // the rest is for the log: anybody may ask here
      return problem(503, "not_ready", `The server cannot do its work yet${why}.`, { "retry-after": "5" });
    } finally {
      asking = undefined;
    }
  };
  return [
    { method: "GET", path: "/healthz", access: "public", handle: async () => ok("alive") },
    {
      method: "GET",
      path: "/readyz",
      access: "public",
      async handle() {
        asking ??= ask();
        return (await asking).clone();
      },
    },
  ];
}
