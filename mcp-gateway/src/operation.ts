/**
 * An operation of `/v1` as a value: its route, its checks and its part of the OpenAPI all derive from it. Whoever adds
 * to the REST face writes one with {@link defineOperation} and puts it into the gateway's list of operations.
 *
 * Nothing of what a client sent is ever repeated in an answer, and an answer holds what its schema names and no more.
 */
import {
  CodedError,
  matchPath,
  problem,
  type Role,
  type Route,
  type RouteContext,
  toErrorReport,
} from "@database-interface/mcp-core/host";
import * as v from "valibot";
import type { Recorder } from "./audit/recorder.js";
import type { Gate } from "./drain.js";
import { codeOf } from "./errors.js";
import { type Fields, isFields } from "./message.js";
import { sessionStatuses } from "./sessions/statuses.js";

/** What an operation's handler gets. */
export interface OperationCall<Body, Parameters, Query> extends RouteContext {
  readonly body: Body;
  readonly parameters: Parameters;
  readonly query: Query;
}

/** A schema of an object whose fields are read from a path or a query: all text. */
type TextsSchema = v.StrictObjectSchema<v.ObjectEntries, v.ErrorMessage<v.StrictObjectIssue> | undefined>;

interface Definition<
  Body extends v.GenericSchema,
  Answer extends v.GenericSchema,
  Parameters extends TextsSchema,
  Query extends TextsSchema,
> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Under `/v1`, named parts in braces: `/v1/sessions/{session}`. */
  readonly path: string;
  /** The operation's name in the OpenAPI, in camelCase. */
  readonly id: string;
  /** A sentence. */
  readonly summary: string;
  /** The role whoever asks must have; `public` for pages that have a secret of their own. */
  readonly role: Role | "public";
  /** A strict object; without it a body is not read. */
  readonly body?: Body;
  /** One text for each named part of the path; what does not fit is not found. */
  readonly parameters?: Parameters;
  readonly query?: Query;
  /** The answer; without it there is none and the status is 204. */
  readonly response?: Answer;
  /** Default 200, or 204. */
  readonly status?: number;
  /** @throws CodedError with one of the codes in {@link statusOf} */
  handle(
    call: OperationCall<v.InferOutput<Body>, v.InferOutput<Parameters>, v.InferOutput<Query>>,
  ): Promise<v.InferInput<Answer>>;
}

/** An operation of any body and answer. */
export interface Operation
  extends Omit<Definition<v.GenericSchema, v.GenericSchema, TextsSchema, TextsSchema>, "handle"> {
  answer(request: Request, context: RouteContext): Promise<Response>;
}

/** An operation whose body, path and query are parsed by its own schemas before it runs. */
export function defineOperation<
  Body extends v.GenericSchema = v.UndefinedSchema<undefined>,
  Answer extends v.GenericSchema = v.VoidSchema<undefined>,
  Parameters extends TextsSchema = v.StrictObjectSchema<Record<never, never>, undefined>,
  Query extends TextsSchema = v.StrictObjectSchema<Record<never, never>, undefined>,
>(definition: Definition<Body, Answer, Parameters, Query>): Operation {
  const { handle, ...described } = definition;
  const { body, parameters, query, response, path } = described;
  const nothing = v.strictObject({});
  return {
    ...described,
    async answer(request, context) {
      const url = new URL(request.url);
      const named = v.safeParse(parameters ?? nothing, matchPath(path, url.pathname) ?? {});
      if (!named.success) throw new CodedError("not_found", "There is nothing here.");
      const asked = parse(query ?? nothing, Object.fromEntries(url.searchParams), "The query");
      const given = body === undefined ? undefined : parse(body, await jsonOf(request), "The body");
      const call = { ...context, body: given, parameters: named.output, query: asked };
      const result = await handle(call as CallOf<typeof handle>); // each part was parsed by its own schema just now
      if (response === undefined) return new Response(null, { status: described.status ?? 204, headers: noStore });
      return Response.json(v.parse(response, result), { status: described.status ?? 200, headers: noStore });
    },
  };
}

type CallOf<Handle> = Handle extends (call: infer Call) => unknown ? Call : never;

/** What the routes of operations share. */
export interface OperationRoom {
  readonly recorder: Recorder;
  readonly gate: Gate;
}

/** The operation's route: what changes something and what is refused stands in the audit trail. */
export function toRoute(operation: Operation, room: OperationRoom): Route {
  const { method, path, role } = operation;
  return {
    method,
    path,
    access: role,
    async handle(request, context) {
      try {
        return await answerRecorded(operation, room, request, context);
      } catch (error) {
        if (!(error instanceof CodedError) || !(error.code in statusOf)) throw error;
        const { code, message, hint, retryable } = toErrorReport(error);
        const headers: Record<string, string> = retryable ? { "retry-after": "1" } : {};
        return problem(statusOf[code] ?? 500, code, [message, hint].filter(Boolean).join(" "), headers);
      }
    },
  };
}

async function answerRecorded(
  { method, id, role, answer }: Operation,
  { recorder, gate }: OperationRoom,
  request: Request,
  context: RouteContext,
): Promise<Response> {
  const isChange = method !== "GET";
  const principal = context.principal.id;
  const record = (outcome: string): Promise<void> =>
    recorder.note(role === "admin" ? "admin" : "request", { operation: id, principal, outcome });
  // what begins something must not while the gateway drains; what ends something, and administration, may
  using _inside = role !== "admin" && method === "POST" ? gate.enter(id, principal) : undefined;
  if (isChange) await recorder.ready();
  let response: Response;
  try {
    response = await answer(request, context);
  } catch (error) {
    await record(context.signal.aborted ? "cancelled" : codeOf(error));
    throw error;
  }
  if (isChange) await record("ok").catch(() => {}); // it has happened; the trail was writable when it began
  return response;
}

/** The HTTP status of an error's code; one that stands here nowhere is a fault of ours and answered with 500. */
export const statusOf: Readonly<Record<string, number>> = {
  body_invalid: 400,
  query_invalid: 400,
  not_found: 404,
  conflict: 409,
  unsupported_media_type: 415,
  busy: 429,
  ...sessionStatuses,
  audit_unavailable: 503,
  draining: 503,
};

const noStore = { "cache-control": "no-store" };

async function jsonOf(request: Request): Promise<Fields> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers.get("content-type") ?? "")) {
    throw new CodedError("unsupported_media_type", "Send application/json.");
  }
  const value: unknown = await request.json().catch(() => undefined);
  if (!isFields(value)) throw new CodedError("body_invalid", "The body is not a JSON object.");
  return value;
}

function parse<Schema extends v.GenericSchema>(schema: Schema, value: unknown, what: string): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const code = what === "The query" ? "query_invalid" : "body_invalid";
  throw new CodedError(code, `${what}${placeOf(issue, schema)} ${reasonOf(issue)}.`, {
    hint: "See /openapi.json for what it may hold.",
  });
}

/** Names of our own schemas only: other keys, and values, are the client's. */
function placeOf(issue: v.BaseIssue<unknown>, schema: v.GenericSchema): string {
  if (issue.expected === "never") return "";
  const known = namesIn(schema);
  const path = (issue.path ?? []).map(({ key }) => (typeof key === "string" && known.has(key) ? key : "*"));
  return path.length === 0 ? "" : `'s ${path.join(".")}`;
}

function reasonOf({ message, expected }: v.BaseIssue<unknown>): string {
  if (expected === "never") return "holds a key that is not known";
  return message.startsWith("must ") || message.startsWith("is ") ? message : "is missing or not of the right form";
}

function namesIn(schema: unknown, names = new Set<string>(), seen = new Set<unknown>()): Set<string> {
  if (typeof schema !== "object" || schema === null || seen.has(schema)) return names;
  seen.add(schema);
  if ("entries" in schema && isFields(schema.entries)) {
    for (const [name, inner] of Object.entries(schema.entries)) namesIn(inner, names.add(name), seen);
  }
  for (const inner of Object.values(schema)) {
    if (Array.isArray(inner)) for (const one of inner) namesIn(one, names, seen);
    else namesIn(inner, names, seen);
  }
  return names;
}
