/** Runs on threads for LangGraph's clients: streamed, waited for, or in the background; interrupted, and resumed. */
import * as v from "valibot";
import { type Decision, decisionSchema } from "../../approval.js";
import { AgentError, toErrorReport } from "../../errors.js";
import type { Run } from "../../run-stream.js";
import type { Session } from "../../session.js";
import type { LiveRun } from "./live-runs.js";
import { type Call, defineOperation, type Operation } from "./operation.js";
import { presentable } from "./problem.js";
import { remoteTaskSchema } from "./run-operations.js";
import { nameSchema, paramsSchema, sqlSchema, wordsSchema } from "./schemas.js";
import { sseResponse } from "./sse.js";
import { outcomeOf, toFrames } from "./thread-frames.js";
import { threadOf, threadParameters } from "./thread-operations.js";
import { assistants, runSchema, toRun } from "./thread-shapes.js";

const tag = "langgraph";

/** What starts a run; what else a client sends means nothing here. */
const startSchema = v.object({
  assistant_id: v.picklist(Object.keys(assistants)),
  input: v.nullish(v.record(v.string(), v.unknown())),
  command: v.nullish(v.object({ resume: v.optional(v.unknown()) })),
  stream_mode: v.nullish(v.union([v.string(), v.array(v.string())])),
  on_disconnect: v.nullish(v.picklist(["cancel", "continue"])),
});
type Started = v.InferOutput<typeof startSchema>;

const statementInput = v.object({ sql: sqlSchema, params: v.optional(paramsSchema), source: v.optional(nameSchema) });
const messageSchema = v.looseObject({ content: wordsSchema });
const wordsInput = v.union([
  v.object({ text: wordsSchema, source: v.optional(nameSchema) }),
  v.object({ messages: v.pipe(v.array(messageSchema), v.minLength(1)), source: v.optional(nameSchema) }),
  v.object({ messages: messageSchema, source: v.optional(nameSchema) }),
]);

type ThreadCall = Call<{ thread: string }, unknown, Started>;

const start = {
  method: "post",
  tag,
  parameters: threadParameters,
  body: startSchema,
} as const;
const runParameters = v.strictObject({ ...threadParameters.entries, run: v.pipe(v.string(), v.uuid()) });

export const threadRunOperations: readonly Operation[] = [
  defineOperation({
    ...start,
    path: "/threads/:thread/runs/stream",
    id: "streamRun",
    summary: "A run's events as they come; command.resume answers what a human was asked.",
    streams: "always",
    async handle(call) {
      const { session, run } = await begin(call);
      const gone = new AbortController();
      const stop = (): void => {
        gone.abort();
        if (call.body.on_disconnect === "cancel") run.abort();
      };
      const modes = [call.body.stream_mode ?? "values"].flat();
      return sseResponse(toFrames(run, modes, session.show, gone.signal), stop, locationOf(run));
    },
  }),
  defineOperation({
    ...start,
    path: "/threads/:thread/runs/wait",
    id: "waitForRun",
    summary: "A run to its end, or to where it waits for a human; answers the thread's values.",
    answer: v.record(v.string(), v.unknown()),
    async handle(call) {
      const { session, run } = await begin(call);
      return Response.json(await valuesOf(run, session), { headers: locationOf(run) });
    },
  }),
  defineOperation({
    ...start,
    path: "/threads/:thread/runs",
    id: "createRun",
    summary: "A run in the background.",
    answer: runSchema,
    async handle(call) {
      const { run } = await begin(call);
      return Response.json(toRun(run), { headers: locationOf(run) });
    },
  }),
  defineOperation({
    method: "get",
    path: "/threads/:thread/runs",
    id: "listRuns",
    tag,
    summary: "The runs of a thread that are still remembered, latest first.",
    parameters: threadParameters,
    query: v.strictObject({
      limit: v.optional(v.string()),
      offset: v.optional(v.string()),
      status: v.optional(v.string()),
      select: v.optional(v.string()),
    }),
    answer: v.array(runSchema),
    handle: async (call) => call.runs.list((await threadOf(call)).id).map(toRun),
  }),
  defineOperation({
    method: "get",
    path: "/threads/:thread/runs/:run",
    id: "getRun",
    tag,
    summary: "A run.",
    parameters: runParameters,
    answer: runSchema,
    handle: async (call) => toRun(await runOf(call)),
  }),
  defineOperation({
    method: "get",
    path: "/threads/:thread/runs/:run/join",
    id: "joinRun",
    tag,
    summary: "Waits until a run is over; answers the thread's values.",
    parameters: runParameters,
    query: v.strictObject({ cancel_on_disconnect: v.optional(v.string()) }),
    answer: v.record(v.string(), v.unknown()),
    handle: async (call) => valuesOf(await runOf(call), await threadOf(call)),
  }),
  defineOperation({
    method: "post",
    path: "/threads/:thread/runs/:run/cancel",
    id: "cancelRun",
    tag,
    summary: "Aborts a run; its statement stops on the database's server.",
    parameters: runParameters,
    query: v.strictObject({
      wait: v.optional(v.string()),
      action: v.optional(v.string()),
      reason: v.optional(v.string()),
    }),
    async handle(call) {
      const run = await runOf(call);
      run.abort();
      if (call.query.wait === "1") await run.result.catch(() => {}); // that it was cancelled is what was wanted
    },
  }),
];

/** Starts the run a body asks for. @throws AgentError `session_busy`, `body_invalid`, `approval_unknown` */
async function begin(call: ThreadCall): Promise<{ readonly session: Session; readonly run: LiveRun }> {
  const session = await threadOf(call);
  if (call.runs.list(session.id).some(({ isOver }) => !isOver)) {
    throw new AgentError("session_busy", "The thread has a run going on.", { retryable: true });
  }
  const { command, assistant_id: job } = call.body;
  const isResumed = command !== undefined && command !== null && command.resume !== undefined;
  const work = isResumed ? await resume(session, command.resume) : toWork(session, job, call.body.input ?? {});
  const run = await call.runs.start({ job, begin: work });
  return { session, run };
}

function toWork(
  session: Session,
  job: string,
  input: unknown,
): (signal: AbortSignal) => Run<unknown> | Promise<Run<unknown>> {
  if (job === "query" || job === "execute") {
    const { sql, ...rest } = parseInput(statementInput, input);
    return (signal) => session[job](sql, { ...rest, signal });
  }
  if (job === "workflow") {
    const task = parseInput(remoteTaskSchema, input);
    return (signal) => session.run(task, { signal });
  }
  const given = parseInput(wordsInput, input);
  const text = "text" in given ? given.text : ([given.messages].flat().at(-1)?.content ?? "");
  return (signal) => session[job === "ask" ? "ask" : "chat"](text, { source: given.source, signal });
}

/** `resume` is a decision, or one for each interrupt by its id; `true` and a text are a yes and a reply. */
async function resume(session: Session, given: unknown): Promise<(signal: AbortSignal) => Run<unknown>> {
  const pending = await session.pending();
  const byId = typeof given === "object" && given !== null ? Object.entries(given) : [];
  const named = byId.find(([id]) => pending.some(({ approval }) => approval === id));
  const asked = named === undefined ? pending[0] : pending.find(({ approval }) => approval === named[0]);
  if (asked === undefined) throw new AgentError("approval_unknown", "Nothing waits for a human here.");
  const decision = toDecision(named === undefined ? given : named[1], asked.kind);
  return (signal) => session.answer(asked.approval, decision, { signal });
}

function toDecision(given: unknown, kind: "write" | "question"): Decision {
  if (given === true) return { type: "approve" };
  if (given === false) return { type: "reject" };
  if (typeof given === "string" && given !== "") {
    if (kind === "question") return { type: "reply", text: given };
    if (given === "approve" || given === "reject") return { type: given };
  }
  return parseInput(decisionSchema, given);
}

function parseInput<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw new AgentError("body_invalid", "The input is not what this assistant takes.", {
    hint: Object.entries(assistants)
      .map(([name, takes]) => `${name} takes ${takes}.`)
      .join(" "),
  });
}

async function valuesOf(run: LiveRun, session: Session): Promise<Record<string, unknown>> {
  try {
    return (await outcomeOf(run, session.show)).values;
  } catch (error) {
    const { code: failed, message } = presentable(toErrorReport(error));
    return { __error__: { error: failed, message } };
  }
}

async function runOf(call: Call<{ thread: string; run: string }, unknown, unknown>): Promise<LiveRun> {
  const run = call.runs.find((await threadOf(call)).id, call.parameters.run);
  if (run === undefined) throw new AgentError("not_found", "There is no run of this id, or it is forgotten.");
  return run;
}

const locationOf = (run: LiveRun) => ({ "content-location": `/threads/${run.session}/runs/${run.id}` });
