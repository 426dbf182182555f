/**
 * An operation as a value: its route, the checks of what is sent, its answer and its part of the OpenAPI all come from
 * one definition. Reads and writes HTTP; what an operation does stands with each.
 */
import * as v from "valibot";
import type { Agent } from "../../agent.js";
import { AgentError } from "../../errors.js";
import type { Run } from "../../run-stream.js";
import type { LiveRuns } from "./live-runs.js";
import { sseResponse } from "./sse.js";

/** What operations work on. */
export interface Core {
  readonly agent: Agent;
  readonly runs: LiveRuns;
  /** Aborted when streams that have no end of their own must end. */
  readonly ending: AbortSignal;
}

/** What a handler gets: each part parsed by the operation's own schema. */
export interface Call<Parameters, Query, Body> extends Core {
  readonly parameters: Parameters;
  readonly query: Query;
  readonly body: Body;
  readonly headers: Headers;
  /** Whose sessions are seen. */
  readonly owner: string | undefined;
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal;
}

type Texts = v.StrictObjectSchema<v.ObjectEntries, v.ErrorMessage<v.StrictObjectIssue> | undefined>;
type Nothing = v.StrictObjectSchema<Record<never, never>, undefined>;

interface Definition<Parameters extends Texts, Query extends Texts, Body extends v.GenericSchema, Answer> {
  readonly method: "get" | "post" | "delete" | "patch";
  /** With named parts as `:session`. */
  readonly path: string;
  /** Its name in the OpenAPI. */
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly parameters?: Parameters;
  readonly query?: Query;
  /** A strict object; without it no body is read. */
  readonly body?: Body;
  /** True where the body may be left out. */
  readonly bodyIsOptional?: boolean;
  /** The answer's schema; without it there is none. */
  readonly answer?: v.GenericSchema<unknown, Answer>;
  /** Default 200, or 204 without an answer. */
  readonly status?: number;
  /** Needs no token. */
  readonly isPublic?: boolean;
  /** Answers with server-sent events: always, or for who accepts them. */
  readonly streams?: "always" | "accepted";
}

/** A request, its body read. */
export interface Incoming {
  readonly url: string;
  readonly headers: Headers;
  readonly text: string;
}

/** An operation of any shape. */
export interface Operation extends Definition<Texts, Texts, v.GenericSchema, unknown> {
  respond(
    request: Incoming,
    named: Readonly<Record<string, string>>,
    context: Core & { readonly owner: string | undefined; readonly signal: AbortSignal },
  ): Promise<Response>;
}

/** An operation that answers a value. */
export function defineOperation<
  const Parameters extends Texts = Nothing,
  const Query extends Texts = Nothing,
  const Body extends v.GenericSchema = v.UndefinedSchema<undefined>,
  Answer = undefined,
>({
  handle,
  ...definition
}: Definition<Parameters, Query, Body, Answer> & {
  handle(call: Call<v.InferOutput<Parameters>, v.InferOutput<Query>, v.InferOutput<Body>>): Promise<Answer | Response>;
}): Operation {
  return {
    ...definition,
    async respond(request, named, context) {
      const call = { ...context, ...parseRequest(definition, request, named), headers: request.headers };
      const answer = await handle(call as Parameters_<typeof handle>); // each part was parsed by its own schema just now
      if (answer instanceof Response) return answer;
      return definition.answer === undefined
        ? new Response(null, { status: definition.status ?? 204, headers: noStore })
        : Response.json(answer, { status: definition.status ?? 200, headers: noStore });
    },
  };
}

type Parameters_<Handle> = Handle extends (call: infer Given) => unknown ? Given : never;

/** An operation that starts a run: its result as JSON, or its events as they come for who accepts `text/event-stream`. */
export function defineRun<
  const Parameters extends Texts = Nothing,
  const Body extends v.GenericSchema = v.UndefinedSchema<undefined>,
  Answer = undefined,
>({
  start,
  ...definition
}: Definition<Parameters, Nothing, Body, Answer> & {
  start(call: Call<v.InferOutput<Parameters>, Record<never, never>, v.InferOutput<Body>>): Promise<Run<Answer>>;
}): Operation {
  return defineOperation<Parameters, Nothing, Body, Answer>({
    ...definition,
    streams: "accepted",
    async handle(call) {
      const live = await call.runs.start({ job: definition.id, begin: (signal) => start({ ...call, signal }) });
      if (call.signal.aborted) live.abort();
      call.signal.addEventListener("abort", live.abort, { once: true });
      if (!acceptsEvents(call.headers)) return live.result;
      const gone = new AbortController();
      const stop = (): void => {
        gone.abort();
        live.abort();
      };
      return sseResponse(messages(live.events(gone.signal)), stop, { "x-run-id": live.id });
    },
  });
}

async function* messages(frames: AsyncGenerator<{ id: number; event: { type: string } }, void, undefined>) {
  for await (const { id, event } of frames) yield { id, event: event.type, data: JSON.stringify(event) };
}

const acceptsEvents = (headers: Headers): boolean => /\btext\/event-stream\b/i.test(headers.get("accept") ?? "");
const noStore = { "cache-control": "no-store" };

function parseRequest(
  { parameters, query, body, bodyIsOptional = false }: Definition<Texts, Texts, v.GenericSchema, unknown>,
  request: Incoming,
  named: Readonly<Record<string, string>>,
): { parameters: unknown; query: unknown; body: unknown } {
  const nothing = v.strictObject({});
  const found = v.safeParse(parameters ?? nothing, named);
  if (!found.success) throw new AgentError("not_found", "There is nothing of this name.");
  const asked = Object.fromEntries(new URL(request.url).searchParams);
  return {
    parameters: found.output,
    query: parse(query ?? nothing, asked, "query_invalid", "The query"),
    body: body === undefined ? undefined : parse(body, jsonOf(request, bodyIsOptional), "body_invalid", "The body"),
  };
}

function jsonOf({ headers, text }: Incoming, isOptional: boolean): unknown {
  if (text === "" && isOptional) return {};
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(headers.get("content-type") ?? "")) {
    throw new AgentError("media_type_unsupported", "The body must be application/json.");
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new AgentError("body_invalid", "The body is not JSON.");
  }
}

function parse(schema: v.GenericSchema, value: unknown, code: string, what: string): unknown {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const isMissing = issue.received === "undefined";
  throw new AgentError(code, `${what} ${isMissing ? "lacks something" : "does not fit"}${placeOf(issue)}.`, {
    hint: `${isMissing || issue.expected === null ? "" : `Expected ${issue.expected}. `}See /openapi.json.`,
  });
}

/** Where it does not fit, in names of our own; a key nobody knows is the client's and is not repeated. */
function placeOf(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === "never") return ": it has a key that is not known here";
  const path = (issue.path ?? []).map(({ key, type }) => (type === "object" ? String(key) : "*"));
  return path.length === 0 ? "" : ` at ${path.join(".")}`;
}
