/**
 * Sessions, runs and what came of them as LangGraph's clients know them: threads, states, messages, runs. Only shapes; the
 * routes stand beside. @see the LangGraph platform's API reference: threads, thread runs
 */
import * as v from "valibot";
import type { SessionView } from "../../answer.js";
import type { Approval } from "../../approval.js";
import type { Message } from "../../message.js";
import type { LiveRun } from "./live-runs.js";

/** The graphs a client may name as its assistant, and what each takes as input. */
export const assistants: Readonly<Record<string, string>> = {
  query: "{ sql, params?, source? }: one read statement",
  execute: "{ sql, params?, source? }: one write, with a human's yes",
  workflow: "a task: verify, inspect, run its statements, report",
  ask: "{ text } or { messages }: a question in words",
  chat: "{ text } or { messages }: a conversation with tools",
};

/** An assistant for each graph. */
export const toAssistant = (name: string) => ({
  assistant_id: name,
  graph_id: name,
  name,
  description: assistants[name] ?? "",
  config: {},
  context: {},
  metadata: {},
  version: 1,
  created_at: epoch,
  updated_at: epoch,
});
const epoch = "1970-01-01T00:00:00Z";

/** A thread. */
export const threadSchema = v.looseObject({
  thread_id: v.string(),
  created_at: v.string(),
  updated_at: v.string(),
  status: v.picklist(["idle", "busy", "interrupted", "error"]),
});

/** A session as a thread; `runs` are those still remembered. */
export function toThread(view: SessionView, runs: readonly LiveRun[]) {
  const [latest] = runs;
  const isBusy = latest !== undefined && !latest.isOver;
  const hasFailed = latest?.done?.ok === false;
  return {
    thread_id: view.session,
    created_at: view.createdAt ?? view.updatedAt ?? epoch,
    updated_at: view.updatedAt ?? view.createdAt ?? epoch,
    state_updated_at: view.updatedAt ?? view.createdAt ?? epoch,
    metadata: {},
    config: {},
    status: statusOfThread(isBusy, view.approvals.length > 0, hasFailed),
    values: toValues(view),
    interrupts: Object.fromEntries(view.approvals.map((approval) => [approval.approval, [toInterrupt(approval)]])),
  };
}

const statusOfThread = (isBusy: boolean, isWaiting: boolean, hasFailed: boolean) =>
  isBusy
    ? ("busy" as const)
    : isWaiting
      ? ("interrupted" as const)
      : hasFailed
        ? ("error" as const)
        : ("idle" as const);

/** A thread's state. */
export const stateSchema = v.looseObject({
  values: v.record(v.string(), v.unknown()),
  next: v.array(v.string()),
  tasks: v.array(v.looseObject({ id: v.string(), interrupts: v.array(v.looseObject({ id: v.string() })) })),
});

/** What is kept of a session as a state; a human's answer is what comes next where one is asked. */
export function toState(view: SessionView) {
  return {
    values: toValues(view),
    next: view.approvals.length > 0 ? ["gate"] : view.isCutOff ? ["resume"] : [],
    tasks: view.approvals.map((approval) => ({
      id: approval.approval,
      name: "gate",
      error: null,
      checkpoint: null,
      state: null,
      interrupts: [toInterrupt(approval)],
    })),
    checkpoint: {
      thread_id: view.session,
      checkpoint_ns: "",
      checkpoint_id: view.updatedAt ?? epoch,
      checkpoint_map: {},
    },
    parent_checkpoint: null,
    metadata: {},
    created_at: view.updatedAt ?? view.createdAt ?? epoch,
  };
}

/** What a human is asked, as an interrupt. */
export const toInterrupt = (approval: Approval) => ({
  id: approval.approval,
  interrupt_id: approval.approval,
  value: approval,
  when: "during" as const,
  resumable: true,
  ns: [`gate:${approval.approval}`],
});

/** The values of a state: the conversation, and the last report. */
export function toValues(view: SessionView): Record<string, unknown> {
  return { messages: view.messages.map(toMessage), ...(view.report === undefined ? {} : { report: view.report }) };
}

const types = { human: "human", model: "ai", tool: "tool" } as const;

function toMessage({ id, from, text, calls, call }: Message) {
  return {
    id,
    type: types[from],
    content: text,
    ...(calls === undefined
      ? {}
      : { tool_calls: calls.map((one) => ({ ...one, type: "tool_call", args: fieldsOf(one.args) })) }),
    ...(call === undefined ? {} : { tool_call_id: call }),
  };
}

function fieldsOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return {};
  }
}

/** A run. */
export const runSchema = v.looseObject({ run_id: v.string(), thread_id: v.string(), status: v.string() });

/** A run as a client knows it. */
export const toRun = (run: LiveRun) => ({
  run_id: run.id,
  thread_id: run.session,
  assistant_id: run.job,
  created_at: run.startedAt,
  updated_at: run.startedAt,
  status: !run.isOver
    ? "running"
    : run.done?.waiting === true
      ? "interrupted"
      : run.done?.ok === true
        ? "success"
        : "error",
  metadata: {},
  kwargs: {},
  multitask_strategy: "reject",
});
