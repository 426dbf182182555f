/**
 * Runs what a human has allowed: once, under an idempotency key. Begun by a run whose process died, it is never run again:
 * its outcome is looked up by that key, or said to be unknown.
 */
import { createHash } from "node:crypto";
import { AgentError, toErrorReport } from "../errors.js";
import { parseWriteReply } from "../result.js";
import { toRows } from "../rows.js";
import type { Toolbox } from "../tools.js";
import type { Outcome, PlannedCall } from "./conversation-state.js";
import { type Allowed, statementOf, toOutcome } from "./gate.js";
import { type Config, emit, invocationOf, type Ports, sessionOf, signalOf } from "./ports.js";
import type { SessionUpdate } from "./session-state.js";

/** Servers keep outcomes for an hour; a key that may be forgotten any moment is not asked for. */
const lookUpWithinMs = 50 * 60_000;

/** Failures after which nobody here knows whether it ran. */
const unsure = new Set(["connection_lost", "outcome_unknown", "timeout", "gateway_unreachable", "internal"]);

/** Runs the call, or finds out what became of it. */
export async function write(allowed: Allowed, config: Config, { loadTools, knowledge }: Ports): Promise<SessionUpdate> {
  const { decided } = allowed;
  const edit = decided.type === "edit" ? { sql: decided.sql ?? "", params: decided.params } : {};
  const call: PlannedCall = { ...allowed.call, ...edit };
  const statement = "write";
  const key = keyOf(sessionOf(config), call.id, decided.approval);
  const isContinued = allowed.invocation !== invocationOf(config);
  const toolbox = await loadTools();
  if (!isContinued) emit(config, { type: "sql", statement, connection: call.source, sql: call.sql });
  const startedAt = performance.now();
  const outcome = isContinued
    ? await lookUp({ ...allowed, call }, key, toolbox, config)
    : await run(call, key, decided.code, toolbox, config);
  if (outcome === "needs_code") return { calls: [{ ...call, needsCode: true }] };
  if (outcome.error !== undefined) {
    emit(config, { type: "error", statement, connection: call.source, error: outcome.error, willRetry: false });
  }
  if (outcome.reply !== undefined) {
    knowledge.forget(call.source);
    const ms = Math.round(performance.now() - startedAt);
    emit(config, { ...toRows(parseWriteReply(outcome.reply)), type: "rows", statement, connection: call.source, ms });
  }
  return { outcomes: [outcome] };
}

async function run(
  call: PlannedCall,
  key: string,
  code: string | undefined,
  toolbox: Toolbox,
  config: Config,
): Promise<Outcome | "needs_code"> {
  const isOurs = call.tool === "execute";
  const args = isOurs
    ? { ...statementOf(call), idempotency_key: key, approval: code }
    : (JSON.parse(call.params ?? "{}") as Record<string, unknown>); // written by JSON.stringify of an object
  try {
    const reply = await toolbox.call(call.tool, args, { ...signalOf(config), allows: isOurs ? call.sql : undefined });
    return { ...toOutcome(call, "done"), reply };
  } catch (thrown) {
    const error = toErrorReport(thrown);
    if (isOurs && error.code === "approval_required") return "needs_code";
    if (!unsure.has(error.code)) return toOutcome(call, "failed", error);
    return isOurs ? await lookUpByKey(call, key, toolbox) : toOutcome(call, "unknown", unknown(error.message));
  }
}

async function lookUp({ call, startedAt }: Allowed, key: string, toolbox: Toolbox, config: Config): Promise<Outcome> {
  signalOf(config).signal?.throwIfAborted();
  if (call.tool !== "execute") return toOutcome(call, "unknown", unknown("Its tool keeps no outcomes."));
  if (Date.now() - Date.parse(startedAt) > lookUpWithinMs) {
    return toOutcome(call, "unknown", unknown("It was begun too long ago for its server to remember."));
  }
  return lookUpByKey(call, key, toolbox);
}

/**
 * Another statement under a key that is known is refused for its key, one under a key that is not for being no write: so
 * asking runs nothing. The same statement under a known key brings the outcome, and runs nothing either.
 */
async function lookUpByKey(call: PlannedCall, key: string, toolbox: Toolbox): Promise<Outcome> {
  const { source } = statementOf(call);
  try {
    await toolbox.call("execute", { sql: "SELECT 1", source, idempotency_key: key });
  } catch (thrown) {
    if (toErrorReport(thrown).code !== "idempotency_conflict") {
      return toOutcome(call, "unknown", unknown("Its server keeps no outcome of it."));
    }
    try {
      const reply = await toolbox.call("execute", { ...statementOf(call), idempotency_key: key });
      return { ...toOutcome(call, "done"), reply };
    } catch (kept) {
      return toOutcome(call, "unknown", unknown(toErrorReport(kept).message));
    }
  }
  return toOutcome(call, "unknown", unknown("Its server keeps no outcomes."));
}

const keyOf = (session: string, call: string, approval: string): string =>
  `db-agent-${createHash("sha256")
    .update(JSON.stringify([session, call, approval]))
    .digest("base64url")}`;

const unknown = (why: string) =>
  new AgentError("outcome_unknown", `Whether this write happened is unknown, and it is not repeated. ${why}`, {
    hint: "Look with a query before writing again.",
  }).report;
