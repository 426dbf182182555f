/**
 * A question in words, answered in steps: what of the schema it needs, a draft, a look at its names and its plan, the rows,
 * and the answer. What goes wrong on the way goes back to the draft with the database's own words, a few times.
 */
import { randomUUID } from "node:crypto";
import { interrupt } from "@langchain/langgraph";
import * as v from "valibot";
import type { ErrorReport } from "../error-report.js";
import { AgentError, toErrorReport } from "../errors.js";
import { parseQueryReply } from "../result.js";
import { toPromptRows, toRows } from "../rows.js";
import { answerInstructions, answerMessages, draftInstructions, draftMessages, fenced } from "./ask-prompts.js";
import { isWrite, parseDraft } from "./draft.js";
import { gateAnswerSchema } from "./gate.js";
import { checkNames } from "./name-check.js";
import { type Config, emit, type Ports, signalOf, used } from "./ports.js";
import { isEmpty, probe } from "./probe.js";
import type { SessionState, SessionUpdate } from "./session-state.js";

/** How much nearer the nearest database has to be than the next one, to be taken without asking. */
const clearlyNearer = 1.5;
const charactersPerToken = 3;

/** Chooses the database where none was named, and gathers what is known for the question. */
export async function link(state: SessionState, config: Config, ports: Ports): Promise<SessionUpdate> {
  const { databases, knowledge } = ports;
  const { signal } = signalOf(config);
  const chosen = state.source ?? (await chooseSource(state, signal, ports));
  if (typeof chosen !== "string") return { question: chosen };
  const source = chosen === "" ? undefined : chosen;
  const [check, briefing, toolbox] = await Promise.all([
    databases.check(source, { signal }),
    knowledge.brief(chosen, state.text, signal),
    ports.loadTools(),
  ]);
  if (briefing.index.tables.length === 0) {
    throw new AgentError("schema_empty", "The database has no table that can be seen.", {
      hint: "Has its user any grant, and --schemas the right names?",
    });
  }
  const instructions = draftInstructions(briefing, {
    server: `${check.server ?? "a SQL database"} ${check.version ?? ""}`.trim(),
    database: check.database ?? chosen,
    canWrite: toolbox.tools.has("execute") && check.mode !== "read-only",
    today: new Date().toISOString().slice(0, 10),
  });
  return { source: chosen, instructions };
}

/** The database a question is about, or what to ask when that is not clear. */
async function chooseSource({ text, clarification }: SessionState, signal: AbortSignal | undefined, ports: Ports) {
  const names = await ports.databases.sources({ signal });
  const [first = "", second] = names;
  if (second === undefined) return first;
  const replied = names.find((name) => name.toLowerCase() === clarification?.reply.trim().toLowerCase());
  if (replied !== undefined) return replied;
  const scored = await Promise.all(
    names.map(async (name) => ({ name, score: await ports.knowledge.nearness(name, text, signal).catch(() => 0) })),
  );
  scored.sort((a, b) => b.score - a.score);
  const [best, next] = scored;
  if (best !== undefined && best.score > (next?.score ?? 0) * clearlyNearer) return best.name;
  return { text: "Which database is this about?", choices: [...names] };
}

/** Asks a human what was meant, and waits. */
export function clarify({ question }: SessionState): SessionUpdate {
  const { text = "", choices = [] } = question ?? {};
  const { approval, decision } = v.parse(gateAnswerSchema, interrupt({ kind: "question", message: text, choices }));
  const answered = { answered: [approval], question: null };
  if (decision.type === "reply") return { ...answered, clarification: { question: text, reply: decision.text } };
  const reason = decision.type === "reject" ? decision.reason : undefined;
  return { ...answered, answer: reason ?? "The question was taken back.", caveats: ["Nothing was run."] };
}

/** Has a statement drafted. What the model says besides ends the turn, or asks a human. */
export async function draft(state: SessionState, config: Config, { models, policy }: Ports): Promise<SessionUpdate> {
  const reply = await models.ask({
    system: state.instructions,
    messages: draftMessages(state),
    signal: signalOf(config).signal,
    emit: (event) => emit(config, event),
  });
  const counted = { ...used(reply), modelCalls: state.modelCalls + 1 };
  try {
    if (reply.isCut) throw cut();
    const drafted = parseDraft(reply.text);
    switch (drafted.kind) {
      case "statement":
        return { ...counted, draft: { sql: drafted.sql, assumptions: [...drafted.assumptions] } };
      case "cannot":
        return { ...counted, draft: null, answer: drafted.reason };
      case "clarify":
        if (state.clarification === null) {
          return { ...counted, draft: null, question: { text: drafted.question, choices: [...drafted.choices] } };
        }
        throw new AgentError("model_invalid", "That was asked already.", {
          hint: `They said: ${state.clarification.reply} Choose the likeliest reading, and say so by ASSUMPTION:.`,
        });
    }
  } catch (thrown) {
    return { ...counted, draft: null, ...problem(state, reply.text, toErrorReport(thrown), policy.maxDrafts, config) };
  }
}

/** Looks at the draft's names, then has the database plan it; neither runs it. One that writes goes to the gate. */
export async function examine(state: SessionState, config: Config, ports: Ports): Promise<SessionUpdate> {
  const { draft: drafted, source } = state;
  const { databases, knowledge, policy } = ports;
  if (drafted === null) return {};
  const { signal } = signalOf(config);
  try {
    const toolbox = await ports.loadTools();
    if (isWrite(drafted.sql)) {
      if (!toolbox.tools.has("execute")) throw readOnly();
      return { calls: [{ id: randomUUID(), tool: "execute", source: source ?? "", sql: drafted.sql }] };
    }
    checkNames(drafted.sql, await knowledge.names(source ?? "", signal));
    if (toolbox.tools.has("explain")) await databases.explain(drafted.sql, { source: source || undefined, signal });
    return {};
  } catch (thrown) {
    signal?.throwIfAborted();
    return onFailure(state, thrown, policy.maxDrafts, config, ports);
  }
}

/** Runs the draft. Of one that gives nothing it is found out why, once. */
export async function answerable(state: SessionState, config: Config, ports: Ports): Promise<SessionUpdate> {
  const { draft: drafted, source } = state;
  const { databases, knowledge, policy } = ports;
  if (drafted === null) return {};
  const { signal } = signalOf(config);
  const [connection, statement] = [source ?? "", "answer"];
  emit(config, { type: "sql", statement, connection, sql: drafted.sql });
  const startedAt = performance.now();
  try {
    const toolbox = await ports.loadTools();
    const reply = await toolbox.call(
      "query",
      { sql: drafted.sql, source: source || undefined, max_rows: policy.maxRows },
      { ...signalOf(config), onProgress: (progress) => emit(config, { type: "progress", statement, ...progress }) },
    );
    const result = parseQueryReply(reply);
    if (isEmpty(result) && state.findings === null) {
      const { pack } = await knowledge.brief(connection, state.text, signal);
      const mayShow = policy.samples && policy.rows === "shown";
      const probed = { source: connection, sql: drafted.sql, tables: pack.tables, mayShow };
      const findings = await probe(databases, probed, signal);
      if (findings !== undefined) return { findings };
    }
    const ms = Math.round(performance.now() - startedAt);
    emit(config, { ...toRows(result), type: "rows", statement, connection, ms });
    return { reply };
  } catch (thrown) {
    signal?.throwIfAborted();
    return onFailure(state, thrown, policy.maxDrafts, config, ports);
  }
}

/** Words the answer; where no model can, the rows are the answer. */
export async function word(state: SessionState, config: Config, { models, policy }: Ports): Promise<SessionUpdate> {
  const { reply, draft: drafted } = state;
  if (reply === null || drafted === null) return {};
  const result = parseQueryReply(reply);
  const caveats = [
    ...drafted.assumptions,
    ...(result.truncated ? [`Only the first ${result.rowCount} rows were read.`] : []),
    ...(isEmpty(result) ? ["The statement found nothing.", ...(state.findings === null ? [] : [state.findings])] : []),
  ];
  const noted = caveats.length === 0 ? {} : { caveats };
  const count = `${result.rowCount} ${result.rowCount === 1 ? "row" : "rows"}.`;
  if (policy.rows === "private" || !policy.words) return { ...noted, answer: count };
  try {
    const worded = await models.ask({
      system: answerInstructions,
      messages: answerMessages(state, toPromptRows(result, policy.resultTokens * charactersPerToken)),
      signal: signalOf(config).signal,
      emit: (event) => emit(config, event),
      isSpoken: true,
    });
    return { ...noted, ...used(worded), answer: worded.text === "" ? count : worded.text };
  } catch (thrown) {
    signalOf(config).signal?.throwIfAborted();
    const { message } = toErrorReport(thrown);
    return { answer: count, caveats: [...caveats, `The answer is not put into words: ${message}`] };
  }
}

/** A failure the next draft may mend goes back to it; any other ends the turn. */
function onFailure(
  state: SessionState,
  thrown: unknown,
  maxDrafts: number,
  config: Config,
  ports: Ports,
): SessionUpdate {
  const error = toErrorReport(thrown);
  if (!mendable.has(error.code)) throw thrown;
  if (/not_found$/.test(error.code)) ports.knowledge.forget(state.source ?? ""); // it may have changed since it was read
  return problem(state, fenced(state.draft?.sql ?? ""), error, maxDrafts, config);
}

function problem(
  state: SessionState,
  said: string,
  error: ErrorReport,
  maxDrafts: number,
  config: Config,
): SessionUpdate {
  const isLast = state.problems.length + 1 >= maxDrafts;
  emit(config, { type: "error", statement: "answer", error, willRetry: !isLast });
  const problems = [{ said, error }];
  if (!isLast) return { problems, draft: null };
  const { message, hint } = error;
  const gaveUp = new AgentError("question_unanswered", `No statement of ${maxDrafts} did. The last one: ${message}`, {
    hint: hint ?? "Ask in other words, with the names of tables or columns.",
  });
  return { problems, broken: gaveUp.report };
}

/** What a better statement can do something about; the rest is about connections, permissions of ours, or time. */
const mendable = new Set([
  "sql_empty",
  "sql_too_long",
  "multiple_statements",
  "syntax_error",
  "table_not_found",
  "column_not_found",
  "schema_not_found",
  "function_not_found",
  "ambiguous_column",
  "type_mismatch",
  "parameter_invalid",
  "parameter_count",
  "read_only",
  "not_allowed",
  "permission_denied",
  "result_too_large",
  "timeout",
  "server_error",
  "model_invalid",
]);

const readOnly = (): AgentError =>
  new AgentError("read_only", "The database is only read.", { hint: "Use SELECT, or say CANNOT." });

const cut = (): AgentError =>
  new AgentError("model_invalid", "The answer was cut off by the model's own limit.", { hint: "Be shorter." });
