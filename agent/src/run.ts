/**
 * Runs of a session's graph: LangGraph's stream as our typed events, one run at a time on a session, its checkpoints written
 * before anything follows from them.
 */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { Command } from "@langchain/langgraph";
import type { Answer, SessionView } from "./answer.js";
import type { Decision } from "./approval.js";
import { AgentError } from "./errors.js";
import type { AgentEvent } from "./events.js";
import type { Ports } from "./graphs/ports.js";
import { createSessionGraph } from "./graphs/session-graph.js";
import type { SessionState } from "./graphs/session-state.js";
import { recursionLimitOf } from "./graphs/workflow.js";
import type { Report } from "./report.js";
import { type ConverseRequest, toInput, toTurn } from "./run-inputs.js";
import { assertAnswerable, assertFree } from "./run-rules.js";
import type { Emit, Ended } from "./run-stream.js";
import { toAnswer, toApprovals, toView } from "./session-views.js";
import type { OpenedCheckpointer } from "./sessions.js";
import type { Task } from "./task.js";
import { type AskOne, askQuestions } from "./task-questions.js";

/** What a run needs besides what is asked. */
export interface RunSettings {
  readonly session: string;
  readonly signal: AbortSignal | undefined;
  readonly emit: Emit;
}

/** Runs things under a reference id, and remembers them. */
export interface Runner {
  runTask(task: Task, settings: RunSettings): Promise<Ended<Report>>;
  /** A question, a message to the model, or a statement that writes. */
  converse(request: ConverseRequest, settings: RunSettings): Promise<Ended<Answer>>;
  /** A human's answer: the run that waits for it goes on. */
  answer(approval: string, decision: Decision, settings: RunSettings): Promise<Ended<Answer>>;
  /** Goes on with a run that was cut off. */
  resume(settings: RunSettings): Promise<Ended<Answer>>;
  /** Keeps a new session, before anything has run in it. */
  create(session: string, owner: string | undefined): Promise<void>;
  /** A session as it is kept; undefined for an unknown one. */
  view(session: string): Promise<SessionView | undefined>;
}

/** Steps a turn may take: drafts, calls and gates, each of a few nodes. */
const turnSteps = 200;
/** What a run has, after it was told to stop, to keep what it knows. */
const graceMs = 10_000;

/** A runner of the graph over these ports. */
export function createRunner(ports: Ports, { checkpointer, claim }: OpenedCheckpointer): Runner {
  const graph = createSessionGraph(ports, checkpointer);
  type Input = Parameters<typeof graph.stream>[0];
  const at = (session: string) => ({ configurable: { thread_id: session } });
  const snapshotOf = (session: string) => graph.getState(at(session));

  /** One run at a time: what is checked before it starts holds until it ends. */
  async function exclusively<T>(session: string, work: () => Promise<T>): Promise<T> {
    await using claimed = await claim(session);
    if (claimed === undefined) throw busy();
    return await work();
  }

  /** A question of a task, in a new session of the same owner. */
  const askIn =
    ({ signal }: RunSettings, owner: string | undefined): AskOne =>
    async ({ text, source }, session, emit) => {
      await create(session, owner);
      return (await turn(toTurn({ job: "ask", text, source }), { session, signal, emit })).result;
    };

  async function create(session: string, owner: string | undefined): Promise<void> {
    const createdAt = new Date().toISOString();
    await graph.updateState(at(session), { createdAt, ...(owner === undefined ? {} : { owner }) }, "report");
  }

  async function stream(input: Input, settings: RunSettings, steps: number, parallel = 1): Promise<void> {
    const { session, signal, emit } = settings;
    if (signal !== undefined) setMaxListeners(0, signal); // each of a step's many calls listens to it
    using ending = endAfter(signal, graceMs);
    const events = await graph.stream(input, {
      configurable: { thread_id: session, invocation: randomUUID(), signal },
      streamMode: "custom",
      durability: "sync", // a write must not begin before it is on record that it will
      recursionLimit: steps,
      ...(parallel > 1 ? { maxConcurrency: parallel } : {}),
      signal: ending.signal,
    });
    for await (const event of events) emit(event as AgentEvent); // the nodes write nothing else
    signal?.throwIfAborted();
  }

  async function turn(input: Input, settings: RunSettings): Promise<Ended<Answer>> {
    await stream(input, settings, turnSteps);
    const answer = toAnswer(settings.session, await snapshotOf(settings.session));
    for (const approval of answer.approvals) settings.emit({ type: "approval_required", ...approval });
    return {
      result: answer,
      ok: answer.status !== "failed",
      waiting: answer.status === "waiting",
      ...(answer.text === "" ? {} : { answer: answer.text }),
      ...(answer.usage === undefined ? {} : { usage: answer.usage }),
    };
  }

  return {
    runTask: (task, settings) =>
      exclusively(settings.session, async () => {
        const { session } = settings;
        if (task.questions.length > 0) ports.models.assertSet();
        assertFree(session, await snapshotOf(session));
        await stream(toInput(task), settings, recursionLimitOf(task.statements.length), task.parallel);
        const state = (await snapshotOf(session)).values as SessionState; // what the graph keeps
        const answers = await askQuestions(task, state, askIn(settings, state.owner), settings);
        if (answers.length > 0) await graph.updateState(at(session), { answers }, "report");
        const { report } = toView(session, await snapshotOf(session)) ?? {};
        if (report === undefined) throw new AgentError("internal", "The run left no state.");
        const waiting = report.questions.some(({ status }) => status === "waiting");
        return { result: report, ok: report.ok, waiting, ...toCounts(report) };
      }),
    converse: (request, settings) =>
      exclusively(settings.session, async () => {
        if (request.job !== "execute") ports.models.assertSet();
        assertFree(settings.session, await snapshotOf(settings.session));
        return turn(toTurn(request), settings);
      }),
    answer: (approval, decision, settings) =>
      exclusively(settings.session, async () => {
        assertAnswerable(approval, decision, settings.session, await snapshotOf(settings.session));
        // it resumes, and names no node
        return turn(new Command({ resume: { [approval]: { approval, decision } } }) as Input, settings);
      }),
    resume: (settings) =>
      exclusively(settings.session, async () => {
        const { next, ...snapshot } = await snapshotOf(settings.session);
        const waits = toApprovals(settings.session, { next, ...snapshot }).length > 0;
        if (next.length === 0 || waits) throw nothingToResume(waits);
        return turn(null, settings);
      }),
    create,
    view: async (session) => toView(session, await snapshotOf(session)),
  };
}

function toCounts(report: Report) {
  const count = (status: string) => report.statements.filter((statement) => statement.status === status).length;
  const up = report.connections.filter(({ state }) => state === "up").length;
  return {
    connections: { up, down: report.connections.length - up },
    statements: { ok: count("ok"), failed: count("failed"), skipped: count("skipped") },
    ...(report.questions.length === 0 ? {} : { questions: countAnswers(report) }),
  };
}

function countAnswers({ questions }: Report) {
  const count = (status: string) => questions.filter((question) => question.status === status).length;
  return { answered: count("answered"), waiting: count("waiting"), failed: count("failed"), skipped: count("skipped") };
}

/** A signal that fires a while after another one; dispose it when the work is over. */
function endAfter(signal: AbortSignal | undefined, ms: number): Disposable & { readonly signal: AbortSignal } {
  const ending = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(() => ending.abort(), ms);
  };
  signal?.addEventListener("abort", begin, { once: true });
  return {
    signal: ending.signal,
    [Symbol.dispose]() {
      signal?.removeEventListener("abort", begin);
      clearTimeout(timer);
    },
  };
}

const busy = (): AgentError =>
  new AgentError("session_busy", "This session has a run going on.", {
    hint: "Wait for it, or use another.",
    retryable: true,
  });

const nothingToResume = (waits: boolean): AgentError =>
  new AgentError("nothing_to_resume", waits ? "The session waits for a human's answer." : "Nothing was cut off here.", {
    hint: waits ? "Answer what it asks." : "Ask anew.",
  });
