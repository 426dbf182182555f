/** Threads, states and assistants for LangGraph's clients: the sessions there are, by other names. */
import * as v from "valibot";
import { AgentError } from "../../errors.js";
import { type Call, defineOperation, type Operation } from "./operation.js";
import { referenceSchema } from "./schemas.js";
import { assistants, stateSchema, threadSchema, toAssistant, toState, toThread } from "./thread-shapes.js";

/** A path with a thread. */
export const threadParameters = v.strictObject({ thread: referenceSchema });

/** The session behind a thread. @throws AgentError `session_unknown` */
export const threadOf = ({ agent, owner, parameters }: Call<{ thread: string }, unknown, unknown>) =>
  agent.session(parameters.thread, { owner });

const tag = "langgraph";
const nothing = v.object({});
const count = (least: number) =>
  v.optional(v.nullish(v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(1_000))));
const assistantSchema = v.looseObject({ assistant_id: v.string(), graph_id: v.string() });

export const threadOperations: readonly Operation[] = [
  defineOperation({
    method: "post",
    path: "/threads",
    id: "createThread",
    tag,
    summary: "Opens a session as a thread. Its id is made here: a reference id that somebody chose could be guessed.",
    body: v.object({
      thread_id: v.nullish(referenceSchema),
      if_exists: v.nullish(v.picklist(["raise", "do_nothing"])),
    }),
    bodyIsOptional: true,
    answer: threadSchema,
    async handle({ agent, owner, body, runs }) {
      const given = body.thread_id ?? undefined;
      if (given === undefined) return toThread(await (await agent.session(undefined, { owner })).show(), []);
      const session = await agent.session(given, { owner });
      if (body.if_exists === "do_nothing") return toThread(await session.show(), runs.list(given));
      throw new AgentError("conflict", "There is a thread of this id.");
    },
  }),
  defineOperation({
    method: "post",
    path: "/threads/search",
    id: "searchThreads",
    tag,
    summary: "The threads there are, latest first.",
    body: v.object({ limit: count(1), offset: count(0), status: v.nullish(v.string()) }),
    bodyIsOptional: true,
    answer: v.array(threadSchema),
    async handle({ agent, owner, body, runs }) {
      const entries = await agent.sessions({ owner });
      const from = body.offset ?? 0;
      const wanted = entries.slice(from, from + (body.limit ?? 10));
      const threads = await Promise.all(
        wanted.map(async ({ session }) =>
          toThread(await (await agent.session(session, { owner })).show(), runs.list(session)),
        ),
      );
      return threads.filter(({ status }) => (body.status ?? status) === status);
    },
  }),
  defineOperation({
    method: "get",
    path: "/threads/:thread",
    id: "getThread",
    tag,
    summary: "A thread.",
    parameters: threadParameters,
    query: v.strictObject({ include: v.optional(v.string()) }),
    answer: threadSchema,
    handle: async (call) => toThread(await (await threadOf(call)).show(), call.runs.list(call.parameters.thread)),
  }),
  defineOperation({
    method: "delete",
    path: "/threads/:thread",
    id: "deleteThread",
    tag,
    summary: "Forgets a thread.",
    parameters: threadParameters,
    handle: async ({ agent, owner, parameters }) => agent.deleteSession(parameters.thread, { owner }),
  }),
  defineOperation({
    method: "get",
    path: "/threads/:thread/state",
    id: "getThreadState",
    tag,
    summary: "A thread's latest state: messages, report, and the interrupts that wait for a human.",
    parameters: threadParameters,
    query: v.strictObject({ subgraphs: v.optional(v.string()), select: v.optional(v.string()) }),
    answer: stateSchema,
    handle: async (call) => toState(await (await threadOf(call)).show()),
  }),
  defineOperation({
    method: "post",
    path: "/threads/:thread/history",
    id: "getThreadHistory",
    tag,
    summary: "A thread's states, of which the latest is kept.",
    parameters: threadParameters,
    body: nothing,
    bodyIsOptional: true,
    answer: v.array(stateSchema),
    handle: async (call) => [toState(await (await threadOf(call)).show())],
  }),
  defineOperation({
    method: "post",
    path: "/assistants/search",
    id: "searchAssistants",
    tag,
    summary: "The graphs there are.",
    body: nothing,
    bodyIsOptional: true,
    answer: v.array(assistantSchema),
    handle: async () => Object.keys(assistants).map(toAssistant),
  }),
  defineOperation({
    method: "get",
    path: "/assistants/:assistant",
    id: "getAssistant",
    tag,
    summary: "A graph.",
    parameters: v.strictObject({ assistant: v.picklist(Object.keys(assistants)) }),
    answer: assistantSchema,
    handle: async ({ parameters }) => toAssistant(parameters.assistant),
  }),
];
