/** Sessions, and looking around in the databases: create, list, show, delete, connect, verify, tables, events. */
import * as v from "valibot";
import { AgentError } from "../../errors.js";
import { type Call, defineOperation, defineRun, type Operation } from "./operation.js";
import {
  connectionsSchema,
  inspectionSchema,
  nameSchema,
  resultSchema,
  sessionEntriesSchema,
  sessionParameters,
  sessionViewSchema,
  tableSchema,
} from "./schemas.js";
import { sseResponse } from "./sse.js";

/** The session of a call. @throws AgentError `session_unknown` */
export const sessionOf = ({ agent, owner, parameters }: Call<{ session: string }, unknown, unknown>) =>
  agent.session(parameters.session, { owner });

const tag = "sessions";

export const sessionOperations: readonly Operation[] = [
  defineOperation({
    method: "post",
    path: "/v1/sessions",
    id: "createSession",
    tag,
    summary: "Opens a session. Its reference id is what every later call names.",
    body: v.strictObject({}),
    bodyIsOptional: true,
    answer: sessionViewSchema,
    status: 201,
    handle: async ({ agent, owner }) => (await agent.session(undefined, { owner })).show(),
  }),
  defineOperation({
    method: "get",
    path: "/v1/sessions",
    id: "listSessions",
    tag,
    summary: "The sessions that are kept, latest first.",
    answer: sessionEntriesSchema,
    handle: async ({ agent, owner }) => agent.sessions({ owner }),
  }),
  defineOperation({
    method: "get",
    path: "/v1/sessions/:session",
    id: "showSession",
    tag,
    summary: "Everything that is kept of a session.",
    parameters: sessionParameters,
    answer: sessionViewSchema,
    handle: async (call) => (await sessionOf(call)).show(),
  }),
  defineOperation({
    method: "delete",
    path: "/v1/sessions/:session",
    id: "deleteSession",
    tag,
    summary: "Forgets a session.",
    parameters: sessionParameters,
    handle: async ({ agent, owner, parameters }) => agent.deleteSession(parameters.session, { owner }),
  }),
  defineOperation({
    method: "get",
    path: "/v1/sessions/:session/events",
    id: "watchSession",
    tag,
    summary: "The events of a session's runs as they come; Last-Event-ID goes on where a connection broke.",
    parameters: sessionParameters,
    streams: "always",
    async handle(call) {
      const { id } = await sessionOf(call);
      const last = call.headers.get("last-event-id") ?? "0";
      if (!/^\d{1,15}$/.test(last)) throw new AgentError("query_invalid", "Last-Event-ID is no id of an event.");
      const gone = new AbortController();
      const stop = (): void => gone.abort();
      if (call.ending.aborted) stop();
      call.ending.addEventListener("abort", stop);
      const messages = (async function* () {
        try {
          for await (const { id: number, event } of call.runs.watch(id, Number(last), gone.signal)) {
            yield { id: number, event: event.type, data: JSON.stringify(event) };
          }
        } finally {
          call.ending.removeEventListener("abort", stop);
        }
      })();
      return sseResponse(messages, stop);
    },
  }),
];

export const databaseOperations: readonly Operation[] = [
  defineRun({
    method: "post",
    path: "/v1/sessions/:session/connect",
    id: "connectDatabase",
    tag: "databases",
    summary: "Adds a database, if it answers. Its URL stays in memory, and in no answer, log or checkpoint.",
    parameters: sessionParameters,
    body: v.strictObject({
      url: v.pipe(v.string(), v.nonEmpty(), v.maxLength(4_000), v.description("postgres://… or mysql://…")),
      name: v.optional(nameSchema),
    }),
    answer: connectionsSchema,
    start: async (call) => (await sessionOf(call)).connect(call.body, { signal: call.signal }),
  }),
  defineRun({
    method: "post",
    path: "/v1/sessions/:session/verify",
    id: "verifyDatabases",
    tag: "databases",
    summary: "Whether the databases answer, and what they are.",
    parameters: sessionParameters,
    body: v.strictObject({ source: v.optional(nameSchema) }),
    bodyIsOptional: true,
    answer: connectionsSchema,
    start: async (call) => (await sessionOf(call)).verify({ ...call.body, signal: call.signal }),
  }),
  defineOperation({
    method: "get",
    path: "/v1/sessions/:session/sources",
    id: "listSources",
    tag: "databases",
    summary: "The names of the databases.",
    parameters: sessionParameters,
    answer: v.array(v.string()),
    async handle(call) {
      await sessionOf(call);
      return [...(await call.agent.sources())];
    },
  }),
  defineOperation({
    method: "get",
    path: "/v1/sessions/:session/tables",
    id: "listTables",
    tag: "databases",
    summary: "Tables, or other objects, by their names.",
    parameters: sessionParameters,
    query: v.strictObject({
      source: v.optional(nameSchema),
      pattern: v.optional(tableSchema),
      kind: v.optional(v.picklist(["schema", "table", "view", "column", "index", "function"])),
      schema: v.optional(tableSchema),
      detail: v.optional(v.picklist(["names", "summary", "full"])),
    }),
    answer: resultSchema,
    async handle(call) {
      await sessionOf(call);
      return call.agent.search({ kind: "table", detail: "summary", ...call.query, signal: call.signal });
    },
  }),
  defineOperation({
    method: "get",
    path: "/v1/sessions/:session/tables/:table",
    id: "describeTable",
    tag: "databases",
    summary: "A table in full: columns, keys, indexes, close to its DDL.",
    parameters: v.strictObject({ ...sessionParameters.entries, table: tableSchema }),
    query: v.strictObject({ source: v.optional(nameSchema) }),
    answer: inspectionSchema,
    async handle(call) {
      await sessionOf(call);
      const { parameters, query, signal } = call;
      const description = await call.agent.describe(parameters.table, { source: query.source, signal });
      const connection = query.source ?? (await call.agent.sources())[0] ?? "";
      return { connection, subject: parameters.table, description };
    },
  }),
];
