/**
 * One port, its routes and its limits: every request passes the door, then its route; slow and oversized clients are cut
 * off; closing drains for a bounded time and leaves no socket. What MCP is, it doesn't know.
 */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { RateLimiter } from "./access/rate-limiter.js";
import type { Door } from "./door.js";
import { CodedError } from "./errors.js";
import type { Log } from "./log.js";
import { readBody, sendEarly, sendJson, sendResponse, toRequest, toSignal, toUrl } from "./node-http.js";
import type { Caller, Principal, Role } from "./principal.js";
import { methodNotAllowed, notFound, problem, roleRequired, tooManyRequests, unavailable } from "./problem.js";
import { matchPath } from "./route-path.js";

/** What a route's handler knows besides the request. */
export interface RouteContext extends Caller {
  readonly remoteAddress: string;
}

/** An additional route, such as `/metrics` or `/v1/*`. */
export interface Route {
  /** One method; a `GET` route answers `HEAD` too. */
  readonly method: string;
  /** Exact, with parts in braces (`/v1/sessions/{id}`), or a prefix ending in `/*`. */
  readonly path: string;
  /** The role that is needed; nothing at all where it is public. Default `use`. */
  readonly access?: "public" | Role;
  /** Its request's body is readable and bounded. */
  handle(request: Request, context: RouteContext): Promise<Response>;
}

/** A route whose JSON body is parsed for it. */
export interface JsonRoute extends Omit<Route, "handle"> {
  /** `parsed` is undefined where there is no body. */
  handleJson(request: Request, parsed: unknown, context: RouteContext): Promise<Response>;
  /** Answers with JSON at once what needs no Request; undefined leaves it to `handleJson`. */
  shortcut?(headers: IncomingHttpHeaders, parsed: unknown, context: RouteContext): Promise<JsonAnswer> | undefined;
  /** True for an exchange that only its end ends, so that closing doesn't wait for it. */
  isEndless?(request: Request, parsed: unknown): boolean;
}

/** A status and a JSON value. */
export interface JsonAnswer {
  readonly status: number;
  readonly value: unknown;
}

/** A request that was turned away at the door, for its role or for its rate. */
export interface Denial {
  /** The problem's code, such as `unauthorized`. */
  readonly code: string;
  readonly status: number;
  readonly method: string;
  /** Of the route, as it is written there; absent where there is none. */
  readonly path?: string | undefined;
  /** Who it is, where that was proved. */
  readonly principal?: string | undefined;
  readonly address: string;
  /** Of a request that needs a token: whether one came. Never the token. */
  readonly token?: "missing" | "refused" | undefined;
}

/** What the server is made from. */
export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly door: Door;
  readonly routes: readonly (Route | JsonRoute)[];
  readonly log: Log;
  readonly maxBodyBytes: number;
  readonly rateLimiter?: RateLimiter | undefined;
  /** Told of requests that are turned away for who sends them, not for what they ask. */
  readonly onDenied?: ((denial: Denial) => void) | undefined;
  /** Milliseconds that requests in progress get when the server closes. */
  readonly drainMs: number;
  /** Called after the drain, to end what streams on, before sockets are closed. */
  onDrained(): Promise<void>;
}

/** A listening server; disposing it drains, then closes every socket. */
export interface HttpServer extends AsyncDisposable {
  /** Such as `http://127.0.0.1:8731`. */
  readonly url: string;
}

/**
 * Listens.
 * @throws CodedError `port_in_use`, `config_invalid` for an address that cannot be listened on
 */
export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, log, drainMs } = options;
  const active = new Set<{ readonly isEndless: boolean }>();
  let closing = false;
  let idle: (() => void) | undefined;

  const server = createServer(
    {
      maxHeaderSize: 16_384,
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 2_000,
    },
    (incoming, outgoing) => {
      const exchange = { isEndless: false };
      active.add(exchange);
      answer(incoming, outgoing, options, () => closing, exchange)
        .catch((error: unknown) => {
          if (incoming.socket.destroyed) return log.debug("client_gone");
          log.error("request_failed", { error });
          if (outgoing.headersSent) return void outgoing.destroy();
          return sendResponse(problem(500, "internal", "Something went wrong inside the server."), outgoing);
        })
        .finally(() => {
          active.delete(exchange);
          idle?.();
        });
    },
  );
  await listen(server, host, port);
  server.on("error", (error) => log.error("listener_failed", { error }));
  const address = server.address() as AddressInfo; // a TCP server that listens has one
  const url = `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;

  const drained = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, drainMs);
      idle = () => {
        if ([...active].some(({ isEndless }) => !isEndless)) return;
        clearTimeout(timer);
        resolve();
      };
      idle();
    });

  let closed: Promise<void> | undefined;
  return {
    url,
    [Symbol.asyncDispose]() {
      closed ??= (async () => {
        closing = true;
        const ended = once(server, "close");
        server.close();
        server.closeIdleConnections();
        await drained();
        await options.onDrained();
        server.closeAllConnections();
        await ended;
      })();
      return closed;
    },
  };
}

async function listen(server: ReturnType<typeof createServer>, host: string, port: number): Promise<void> {
  try {
    server.listen({ host: host.replace(/^\[|\]$/g, ""), port });
    await once(server, "listening");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code === "EADDRINUSE") {
      throw new CodedError("port_in_use", `Port ${port} on ${host} is already in use.`, {
        hint: "Stop what listens there, or choose another with --port (0 lets the system choose).",
        retryable: true,
        cause,
      });
    }
    if (code === "EACCES") {
      throw new CodedError("config_invalid", `This user may not listen on port ${port}.`, {
        hint: "Choose a port above 1023 with --port.",
        cause,
      });
    }
    throw new CodedError(
      "config_invalid",
      `Cannot listen on ${host}, port ${port}${code === "" ? "" : ` (${code})`}.`,
      {
        hint: "--host takes an address of this machine, such as 127.0.0.1, ::1 or 0.0.0.0.",
        cause,
      },
    );
  }
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  options: HttpServerOptions,
  isClosing: () => boolean,
  exchange: { isEndless: boolean },
): Promise<void> {
  const { host, origin, authorization } = incoming.headers;
  const refuse = (response: Response): Promise<void> => sendEarly(response, incoming, outgoing);
  const url = toUrl(incoming);
  const atPath =
    url === undefined ? [] : options.routes.filter((route) => matchPath(route.path, url.pathname) !== undefined);
  const method = incoming.method ?? "GET";
  const isPreflight = method === "OPTIONS" && origin !== undefined;
  const isPublic = isPreflight || (atPath.length > 0 && atPath.every(({ access }) => access === "public"));
  const admission = await options.door.admit({ host, origin, authorization }, isPublic ? "public" : "principal");
  const deny = async (response: Response, who?: Principal): Promise<void> => {
    options.onDenied?.({
      code: await codeOf(response),
      status: response.status,
      method,
      path: atPath[0]?.path,
      principal: who?.id,
      address: incoming.socket.remoteAddress ?? "",
      token: response.status !== 401 ? undefined : authorization === undefined ? "missing" : "refused",
    });
    return refuse(response);
  };
  if (admission instanceof Response) return deny(admission);
  const { principal, ended } = admission;
  for (const [name, value] of Object.entries(options.door.corsHeaders(origin))) outgoing.setHeader(name, value);
  if (isClosing()) return refuse(problem(503, "closing", "The server is stopping.", { connection: "close" }));
  if (url === undefined || atPath.length === 0) return refuse(notFound());
  const allow = [...new Set(atPath.map((one) => one.method))].join(", ");
  if (isPreflight) return refuse(preflight(allow));
  const route = atPath.find(
    (one) => one.method === method || (method === "HEAD" && one.method === "GET" && "handle" in one),
  );
  if (route === undefined) return refuse(methodNotAllowed(allow));
  const role = route.access ?? "use";
  if (role !== "public" && !principal.roles.has(role)) return deny(roleRequired(role), principal);
  const overdrawn = role === "public" ? undefined : await overdraft(options, principal);
  if (overdrawn !== undefined) return deny(overdrawn, principal);
  const hasBody = method !== "GET" && method !== "HEAD" && method !== "DELETE";
  if (hasBody && "handleJson" in route && !isJson(incoming.headers["content-type"])) {
    return refuse(problem(415, "unsupported_media_type", "Send application/json."));
  }
  const text = hasBody ? await readBody(incoming, options.maxBodyBytes) : "";
  if (text === undefined) {
    return refuse(problem(413, "body_too_large", `The body has more than ${options.maxBodyBytes} bytes.`));
  }
  if (ended !== undefined) cutOff(outgoing, ended);
  const signal = toSignal(outgoing);
  const context: RouteContext = { signal, remoteAddress: incoming.socket.remoteAddress ?? "", principal };
  if ("handle" in route) {
    const request = toRequest(incoming, url, signal);
    const whole = hasBody ? new Request(request, { body: text }) : request;
    return sendResponse(await route.handle(whole, context), outgoing);
  }
  const body = hasBody ? parseJson(text) : { value: undefined };
  if (body === undefined) return sendResponse(notJson(), outgoing);
  const quick = await route.shortcut?.(incoming.headers, body.value, context);
  if (quick !== undefined) return sendJson(quick.status, quick.value, outgoing);
  const request = toRequest(incoming, url, signal);
  exchange.isEndless = route.isEndless?.(request, body.value) ?? false;
  return sendResponse(await route.handleJson(request, body.value, context), outgoing);
}

/** The code in a problem. */
async function codeOf(response: Response): Promise<string> {
  const { code } = (await response.clone().json()) as { readonly code?: unknown }; // all of the door's are problems
  return String(code);
}

/** The refusal of one request too many. */
async function overdraft({ rateLimiter }: HttpServerOptions, { id }: Principal): Promise<Response | undefined> {
  try {
    const seconds = await rateLimiter?.take(id);
    return seconds === undefined ? undefined : tooManyRequests(seconds);
  } catch (error) {
    return unavailable(error);
  }
}

/** Whoever is let in no more gets no more. */
function cutOff(outgoing: ServerResponse, ended: AbortSignal): void {
  const cut = (): void => void outgoing.destroy();
  if (ended.aborted) cut();
  ended.addEventListener("abort", cut, { once: true });
  outgoing.once("close", () => ended.removeEventListener("abort", cut));
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

const isJson = (contentType: string | undefined): boolean => /^application\/json\s*(;|$)/i.test(contentType ?? "");

/** JSON-RPC's own answer to a body that is not JSON. */
const notJson = (): Response =>
  Response.json(
    { jsonrpc: "2.0", id: null, error: { code: -32700, message: "The body is not valid JSON." } },
    { status: 400 },
  );

function preflight(allow: string): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-methods": allow,
      "access-control-allow-headers":
        "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name",
      "access-control-max-age": "600",
    },
  });
}
