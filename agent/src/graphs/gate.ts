/**
 * The gate every write passes, whatever asked for it: tried and rolled back, shown to a human, and only with their yes
 * handed on. The run stops here and goes on in whichever process brings the answer; a no to one call loses no other.
 */
import { randomUUID } from "node:crypto";
import { interrupt, Send } from "@langchain/langgraph";
import * as v from "valibot";
import { type Approval, type Decision, decisionSchema } from "../approval.js";
import { AgentError, toErrorReport } from "../errors.js";
import type { Toolbox } from "../tools.js";
import type { Decided, Outcome, PlannedCall } from "./conversation-state.js";
import { type Config, emit, invocationOf, type Ports, signalOf } from "./ports.js";
import type { SessionState, SessionUpdate } from "./session-state.js";

/** A call before the gate. */
export interface Gated {
  readonly call: PlannedCall;
  readonly expiresAt: string;
}

/** A call a human has allowed, about to run. */
export interface Allowed {
  readonly call: PlannedCall;
  readonly decided: Decided;
  readonly startedAt: string;
  /** The run of the graph that was about to run it. */
  readonly invocation: string;
}

/** What resumes the gate: which approval is answered, and how. */
export const gateAnswerSchema = v.object({ approval: v.string(), decision: decisionSchema });

/** Calls nothing has become of yet. */
export const openCalls = ({ calls, outcomes }: SessionState): readonly PlannedCall[] =>
  calls.filter(({ id }) => outcomes.every(({ call }) => call !== id));

/** A statement somebody wants to run themselves, as a call before the gate. */
export const propose = ({ text: sql, source, params }: SessionState): SessionUpdate => ({
  calls: [{ id: randomUUID(), tool: "execute", source: source ?? "", sql, ...(params === null ? {} : { params }) }],
});

/** Tries what can be tried. A statement that fails by itself needs no human to say so. */
export async function preview(state: SessionState, config: Config, ports: Ports): Promise<SessionUpdate> {
  const toolbox = await ports.loadTools();
  const tried = await Promise.all(
    openCalls(state).map(async (call): Promise<PlannedCall> => {
      try {
        return { ...call, dryRun: await dryRun(call, toolbox, config, ports) };
      } catch (thrown) {
        signalOf(config).signal?.throwIfAborted();
        return { ...call, dryRun: { error: toErrorReport(thrown) } };
      }
    }),
  );
  const failed = tried.filter(({ dryRun: { error } = {} }) => error !== undefined && error.code !== noDryRun);
  const outcomes = failed.map((call) => toOutcome(call, "failed", call.dryRun?.error));
  for (const { error } of outcomes) if (error !== undefined) emit(config, { type: "error", error, willRetry: false });
  return { calls: tried, ...(outcomes.length === 0 ? {} : { outcomes }) };
}

/** The server's word for a statement its database commits at once. */
const noDryRun = "dry_run_unavailable";

async function dryRun(
  call: PlannedCall,
  toolbox: Toolbox,
  config: Config,
  { policy }: Ports,
): Promise<NonNullable<PlannedCall["dryRun"]>> {
  if (policy.writes === "refuse") {
    throw new AgentError("not_allowed", "This agent writes nothing.", {
      hint: "Its policy says so: writes is refuse.",
    });
  }
  if (call.tool !== "execute") return {};
  if (!toolbox.tools.has("execute")) {
    throw new AgentError("read_only", "The gateway's databases are only read.", {
      hint: "Their servers write with mode approve or write; see docs/writes.md.",
    });
  }
  return { reply: await toolbox.call("execute", { ...statementOf(call), dry_run: true }, signalOf(config)) };
}

/** Calls a human has yet to be asked about: not at all, or for the code their server has asked for since. */
export const toAsk = (state: SessionState): readonly PlannedCall[] =>
  openCalls(state).filter((call) => {
    const decided = lastDecision(state, call);
    return decided === undefined || (call.needsCode === true && decided.code === undefined);
  });

/** One gate for each of those. */
export function toGates(state: SessionState, { policy }: Ports): Send[] {
  const expiresAt = new Date(Date.now() + policy.approvalMs).toISOString();
  return toAsk(state).map((call) => new Send("gate", { call, expiresAt } satisfies Gated));
}

/** Stops until a human has answered. Nothing stands before the stop: all of it would run twice. */
export function gate({ call, expiresAt }: Gated): SessionUpdate {
  const { approval, decision } = v.parse(gateAnswerSchema, interrupt(toQuestion(call, expiresAt)));
  return { decisions: [toDecided(call, approval, decision)], answered: [approval] };
}

/**
 * All are answered: what was refused is over. What was allowed has its tools at hand before it is on record as begun: with
 * the gateway away nothing has begun, and `resume` runs it.
 */
export async function settle(state: SessionState, _config: Config, ports: Ports): Promise<SessionUpdate> {
  const decided = openCalls(state).flatMap((call) => {
    const decision = lastDecision(state, call);
    return decision === undefined ? [] : [{ ...decision, call }];
  });
  if (decided.some(({ type }) => type !== "reject")) await ports.loadTools();
  const rejected = decided
    .filter(({ type }) => type === "reject")
    .map(({ call, reason }) =>
      toOutcome(call, "rejected", declined(reason === undefined ? "" : ` They say: ${reason}`)),
    );
  return rejected.length === 0 ? {} : { outcomes: rejected };
}

/** One task for each call that was allowed. It carries the run it belongs to: see {@link Allowed}. */
export function toWrites(state: SessionState, config: Config): Send[] {
  const startedAt = new Date().toISOString();
  return openCalls(state).flatMap((call) => {
    const decided = lastDecision(state, call);
    if (decided === undefined) return [];
    return [new Send("write", { call, decided, startedAt, invocation: invocationOf(config) } satisfies Allowed)];
  });
}

/** The statement as `execute` takes it. */
export function statementOf({ sql, params, source }: Pick<PlannedCall, "sql" | "params" | "source">) {
  const given: unknown = params === undefined ? undefined : JSON.parse(params);
  return { sql, params: given, source: source === "" ? undefined : source };
}

/** What became of a call. */
export const toOutcome = (
  { id, source, sql }: PlannedCall,
  status: Outcome["status"],
  error?: Outcome["error"],
): Outcome => ({ call: id, source, sql, status, ...(error === undefined ? {} : { error }) });

const lastDecision = ({ decisions }: SessionState, { id }: PlannedCall): Decided | undefined =>
  decisions.findLast(({ call }) => call === id);

const declined = (because: string) =>
  new AgentError("approval_declined", `The human did not allow this write.${because}`, {
    hint: "Nothing was run. Ask what they want instead; do not try the same again.",
  }).report;

function toQuestion(
  { tool, source, sql, params, dryRun: tried, needsCode }: PlannedCall,
  expiresAt: string,
): Omit<Approval, "approval" | "session"> {
  const on = source === "" ? "" : ` on ${source}`;
  const message = needsCode
    ? "The database's server wants its operator's code as well: it stands in that server's log."
    : `May this ${tool === "execute" ? "statement" : `call of ${tool}`} run${on}?`;
  return {
    kind: "write",
    message,
    tool,
    connection: source,
    sql,
    ...(params === undefined ? {} : { params }),
    ...(tried === undefined ? {} : { dryRun: tried }),
    ...(needsCode ? { needsCode } : {}),
    expiresAt,
  };
}

function toDecided({ id: call }: PlannedCall, approval: string, decision: Decision): Decided {
  switch (decision.type) {
    case "approve":
      return { call, approval, type: "approve", ...(decision.code === undefined ? {} : { code: decision.code }) };
    case "edit":
      return {
        call,
        approval,
        type: "edit",
        sql: decision.sql,
        ...(decision.params === undefined ? {} : { params: JSON.stringify(decision.params) }),
        ...(decision.code === undefined ? {} : { code: decision.code }),
      };
    case "reject":
      return { call, approval, type: "reject", ...(decision.reason === undefined ? {} : { reason: decision.reason }) };
    case "reply":
      return { call, approval, type: "reject", reason: decision.text };
  }
}
