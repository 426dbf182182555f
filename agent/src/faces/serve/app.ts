/**
 * The HTTP application: door, limits, operations, problems, one line of log a request. It names no port and knows no
 * signal of the process.
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import * as v from "valibot";
import { AgentError } from "../../errors.js";
import type { Door } from "./door.js";
import { createIdempotency } from "./idempotency.js";
import { toOpenApi } from "./openapi.js";
import { type Core, defineOperation, type Operation } from "./operation.js";
import { notFound, problemResponse, toProblem } from "./problem.js";
import { runOperations } from "./run-operations.js";
import { databaseOperations, sessionOperations } from "./session-operations.js";
import { threadOperations } from "./thread-operations.js";
import { threadRunOperations } from "./thread-runs.js";

/** What the application stands on. */
export interface AppOptions extends Core {
  readonly door: Door;
  readonly allowedOrigins: readonly string[];
  /** Whether new work is taken. */
  isReady(): boolean;
  /** Told of each request, without anything a client sent. */
  log(entry: RequestEntry): void;
}

/** A request, for the log. */
export interface RequestEntry {
  readonly method: string;
  /** The operation; undefined where the path leads nowhere. */
  readonly operation: string | undefined;
  readonly status: number;
  readonly ms: number;
  /** The code of what went wrong. */
  readonly code?: string;
}

const mostBodyBytes = 2 ** 20;

/** The application. */
export function createApp(options: AppOptions): Hono {
  const { door, log } = options;
  const operations: readonly Operation[] = [
    ...healthOperations(options),
    ...sessionOperations,
    ...databaseOperations,
    ...runOperations,
    ...threadOperations,
    ...threadRunOperations,
  ];
  const document = toOpenApi(operations);
  const idempotency = createIdempotency();
  const app = new Hono();

  app.use(async (context, next) => {
    door.checkPlace(context.req.raw.headers);
    await next();
  });
  if (options.allowedOrigins.length > 0)
    app.use(cors({ origin: [...options.allowedOrigins], exposeHeaders: ["content-location"] }));
  app.use(
    bodyLimit({
      maxSize: mostBodyBytes,
      onError: () =>
        problemResponse(new AgentError("body_too_large", "The body is larger than 1 MB."), {
          headers: { connection: "close" }, // what is left of the body is not read
        }),
    }),
  );

  async function respond(operation: Operation, context: Context, text: string): Promise<Response> {
    const { url, headers, signal } = context.req.raw;
    const { owner } = operation.isPublic === true ? { owner: undefined } : door.admit(headers);
    const given = { ...options, owner, signal };
    const run = () => operation.respond({ url, headers, text }, context.req.param(), given);
    const key = headers.get("idempotency-key");
    if (key === null || operation.method !== "post") return run();
    if (/text\/event-stream/i.test(headers.get("accept") ?? "") || operation.streams === "always") {
      throw new AgentError("query_invalid", "An Idempotency-Key goes with an answer in JSON, not with events.");
    }
    return idempotency.once({ key, scope: `${owner ?? ""} ${context.req.path}`, body: text }, run);
  }

  for (const operation of operations) {
    app.on(operation.method.toUpperCase(), operation.path, async (context) => {
      const startedAt = performance.now();
      const text = operation.body === undefined ? "" : await context.req.raw.text();
      const tell = (status: number, code?: string): void => {
        const ms = Math.round(performance.now() - startedAt);
        log({
          method: context.req.method,
          operation: operation.id,
          status,
          ms,
          ...(code === undefined ? {} : { code }),
        });
      };
      try {
        const response = await respond(operation, context, text);
        tell(response.status);
        return response;
      } catch (error) {
        const { status, code } = toProblem(error);
        tell(status, code);
        const headers = status === 401 ? { "www-authenticate": "Bearer" } : {};
        return problemResponse(error, { given: `${decoded(context.req.url)} ${text}`, headers });
      }
    });
  }
  app.get("/openapi.json", () => Response.json(document));
  app.notFound((context) => {
    const methods = operations.filter(({ path }) => leadsTo(path, context.req.path)).map(({ method }) => method);
    log({ method: context.req.method, operation: undefined, status: methods.length === 0 ? 404 : 405, ms: 0 });
    if (methods.length === 0) return problemResponse(notFound());
    const allow = methods.map((method) => method.toUpperCase()).join(", ");
    const error = new AgentError("method_not_allowed", "Nothing here takes this method.");
    return problemResponse(error, { headers: { allow } });
  });
  app.onError((error) => problemResponse(error));
  return app;
}

/** A URL's path and query as the client meant them. */
function decoded(url: string): string {
  const { pathname, search } = new URL(url);
  try {
    return decodeURIComponent(pathname + search.replaceAll("+", " "));
  } catch {
    return pathname + search;
  }
}

const leadsTo = (pattern: string, path: string): boolean =>
  new RegExp(`^${pattern.replace(/:\w+/g, "[^/]+")}$`).test(path);

const healthOperations = ({ isReady }: AppOptions): readonly Operation[] => [
  defineOperation({
    method: "get",
    path: "/healthz",
    id: "health",
    tag: "health",
    summary: "Whether the process is alive.",
    isPublic: true,
    answer: v.object({ ok: v.boolean() }),
    handle: async () => ({ ok: true }),
  }),
  defineOperation({
    method: "get",
    path: "/readyz",
    id: "readiness",
    tag: "health",
    summary: "Whether new work is taken; 503 while it goes down.",
    isPublic: true,
    answer: v.object({ ok: v.boolean() }),
    handle: async () => Response.json({ ok: isReady() }, { status: isReady() ? 200 : 503 }),
  }),
];
