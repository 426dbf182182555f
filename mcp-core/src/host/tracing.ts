/**
 * OpenTelemetry spans, where the user's SDK is there: it is found by what it registers in the process, and the API comes
 * from the user's folder. Without it nothing is loaded and work just runs. It knows no method and no database; what may
 * stand in an attribute is for whoever starts the span, and a message or a value never does.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Span as ApiSpan, Attributes, Context, Link, Tracer } from "@opentelemetry/api";

/** A span's facts; what is undefined is left out. */
export type SpanAttributes = Readonly<Record<string, string | number | undefined>>;

/** `traceparent` and what stands beside it, as it travels in a request's `_meta` and in HTTP headers. */
export type TraceCarrier = Readonly<Record<string, string>>;

/** How a span begins. */
export interface SpanStart {
  readonly name: string;
  readonly kind: "server" | "client";
  readonly attributes: SpanAttributes;
  /** Whose span is the parent, from a request; default: the span around, which is only linked where there is one. */
  readonly parent?: TraceCarrier | undefined;
}

/** A span while its work runs. */
export interface Span {
  /** The trace's id, 32 hexadecimal digits. */
  readonly traceId: string;
  /** For what is asked further on, as the user's propagators write it. */
  readonly carrier: TraceCarrier;
  rename(name: string): void;
  set(attributes: SpanAttributes): void;
  /** It has failed, by this code, without anything having been thrown. */
  fail(errorType: string): void;
}

/** Makes spans. */
export interface Tracing {
  /** Runs the work in a span, or just runs it where there is no SDK. What it throws is the span's error, by its code. */
  run<Result>(start: SpanStart, work: (span: Span | undefined) => Promise<Result>): Promise<Result>;
  /** The user's SDK is there. */
  readonly isOn: boolean;
}

type Api = typeof import("@opentelemetry/api");

/** What any copy of the API registers itself under. */
const registered = Symbol.for("opentelemetry.js.api.1");

/** Spans of this program. */
export function createTracing(program: { readonly name: string; readonly version: string }): Tracing {
  let found: { readonly api: Api; readonly tracer: Tracer } | undefined;

  /** Looked at anew each time: an SDK may be started after us. */
  function sdk(): typeof found {
    if (found !== undefined) return found;
    const global: unknown = Reflect.get(globalThis, registered);
    if (typeof global !== "object" || global === null || !("trace" in global)) return undefined;
    const api = loadApi();
    if (api !== undefined) found = { api, tracer: api.trace.getTracer(program.name, program.version) };
    return found;
  }

  return {
    get isOn() {
      return sdk() !== undefined;
    },
    async run(start, work) {
      const known = sdk();
      if (known === undefined) return await work(undefined);
      const { api, tracer } = known;
      const { context, links } = placeOf(api, start.parent);
      const kind = start.kind === "server" ? api.SpanKind.SERVER : api.SpanKind.CLIENT;
      let isFailed = false;
      const fail = (errorType: string): void => {
        if (isFailed) return;
        isFailed = true;
        // without a description: messages can hold what a caller wrote
        span.setAttribute("error.type", errorType);
        span.setStatus({ code: api.SpanStatusCode.ERROR });
      };
      const span = tracer.startSpan(start.name, { kind, links, attributes: defined(start.attributes) }, context);
      const around = api.trace.setSpan(context, span);
      try {
        return await api.context.with(around, () => work(toSpan(api, span, around, fail)));
      } catch (error) {
        fail(errorTypeOf(error));
        throw error;
      } finally {
        span.end();
      }
    },
  };
}

/** The user's own copy where there is one, of which the SDK is part; else whatever is at hand. */
function loadApi(): Api | undefined {
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      return createRequire(from)("@opentelemetry/api") as Api; // what the package of this name is
    } catch {
      // it is not there
    }
  }
  return undefined;
}

/** The context to begin in: the caller's, with a link to the span around, or that one itself. */
function placeOf(api: Api, parent: TraceCarrier | undefined): { readonly context: Context; readonly links: Link[] } {
  const around = api.context.active();
  const told = parent === undefined ? around : api.propagation.extract(api.ROOT_CONTEXT, parent);
  const meant = api.trace.getSpanContext(told);
  const ambient = api.trace.getSpanContext(around);
  if (meant === undefined || meant.spanId === ambient?.spanId) return { context: around, links: [] };
  return { context: told, links: ambient === undefined ? [] : [{ context: ambient }] };
}

function toSpan(api: Api, span: ApiSpan, context: Context, fail: Span["fail"]): Span {
  return {
    get traceId() {
      return span.spanContext().traceId;
    },
    get carrier() {
      const carrier: Record<string, string> = {};
      api.propagation.inject(context, carrier);
      return carrier;
    },
    rename: (name) => void span.updateName(name),
    set: (attributes) => void span.setAttributes(defined(attributes)),
    fail,
  };
}

const carried = ["traceparent", "tracestate", "baggage"];

/** What a request says of its trace: in its `_meta`, as the protocol has it, else in its HTTP headers. */
export function carrierOf(meta: unknown, headers?: Pick<Headers, "get">): TraceCarrier | undefined {
  const told = typeof meta === "object" && meta !== null ? Object.entries(meta) : [];
  const own = told.filter(([key, value]) => carried.includes(key) && typeof value === "string");
  const carrier: TraceCarrier = Object.fromEntries(own); // texts, as was just seen
  if (carrier.traceparent !== undefined) return carrier;
  if (headers === undefined) return undefined;
  const sent = carried.flatMap((key) => {
    const value = headers.get(key);
    return value === null ? [] : [[key, value] as const];
  });
  const fromHeaders: TraceCarrier = Object.fromEntries(sent);
  return fromHeaders.traceparent === undefined ? undefined : fromHeaders;
}

/** The names of MCP's conventions for a request. @see https://github.com/open-telemetry/semantic-conventions-genai */
export function mcpSpan(method: string, target: { readonly tool?: string; readonly prompt?: string } = {}) {
  const { tool, prompt } = target;
  const named = tool ?? prompt;
  return {
    name: named === undefined ? method : `${method} ${named}`,
    attributes: {
      "mcp.method.name": method,
      "gen_ai.tool.name": tool,
      "gen_ai.prompt.name": prompt,
      "gen_ai.operation.name": tool === undefined ? undefined : "execute_tool",
    } satisfies SpanAttributes,
  };
}

function errorTypeOf(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" || typeof code === "number" ? String(code) : "internal";
}

const defined = (attributes: SpanAttributes): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
