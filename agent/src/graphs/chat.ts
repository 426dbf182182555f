/**
 * A conversation with a model that calls tools: it thinks, its reading calls run at the same time, its writing ones pass
 * the gate, and what came of them goes back to it, until it answers or has had its share of calls.
 */
import { randomUUID } from "node:crypto";
import { Send } from "@langchain/langgraph";
import { AgentError, toErrorReport } from "../errors.js";
import type { Message, ToolCall } from "../message.js";
import type { ModelReply } from "../model/model-caller.js";
import type { Toolbox } from "../tools.js";
import { chatInstructions, cutOf, sinceSummary, summaryInstructions, toTranscript } from "./chat-prompts.js";
import { eventsAfter, eventsBefore, toolsFor, toPlannedCall, toToolText } from "./chat-tools.js";
import type { Outcome, PlannedCall } from "./conversation-state.js";
import { type Config, emit, type Ports, signalOf, used } from "./ports.js";
import type { SessionState, SessionUpdate } from "./session-state.js";

/** Databases whose schema stands in the prompt; others are found by tools. */
const maxIntroduced = 3;

/** Gathers what the model is to know about the databases. */
export async function introduce(state: SessionState, config: Config, ports: Ports): Promise<SessionUpdate> {
  const { databases, knowledge } = ports;
  const { signal } = signalOf(config);
  const names = state.source === null ? await databases.sources({ signal }) : [state.source];
  const introduced = await Promise.all(
    (names.length === 0 ? [""] : names.slice(0, maxIntroduced)).map(async (source) => {
      try {
        const at = source === "" ? undefined : source;
        const check = await databases.check(at, { signal });
        const server = `${check.server ?? "SQL"} ${check.version ?? ""}, ${check.mode ?? "read-only"}`;
        return [{ source, server, briefing: await knowledge.brief(source, state.text, signal) }];
      } catch (thrown) {
        signal?.throwIfAborted();
        emit(config, { type: "error", connection: source, error: toErrorReport(thrown), willRetry: false });
        return []; // the others can be talked about
      }
    }),
  );
  return { instructions: chatInstructions(introduced.flat(), new Date().toISOString().slice(0, 10)) };
}

/** One turn of the model. Out of turns, it has to answer with what it has. */
export async function think(state: SessionState, config: Config, ports: Ports): Promise<SessionUpdate> {
  const { models, policy } = ports;
  const toolbox = await ports.loadTools();
  const told = state.outcomes.filter(({ call }) => !isAnswered(state.messages, call)).map(toldOf);
  const whole = { ...state, messages: [...state.messages, ...told] };
  const summed = await sumUp(whole, config, ports);
  const isLast = state.modelCalls + 1 >= policy.maxModelCalls || state.toolCalls >= policy.maxToolCalls;
  const summary = summed.summary ?? state.summary;
  const reply = await models.ask({
    system: [
      state.instructions,
      ...(summary === null ? [] : [`The conversation before, in short: ${summary.text}`]),
      ...(isLast ? ["You have no calls left: answer now with what you have found."] : []),
    ].join("\n\n"),
    messages: sinceSummary({ messages: whole.messages, summary }),
    tools: isLast ? [] : toolsFor(toolbox),
    signal: signalOf(config).signal,
    emit: (event) => emit(config, event),
    isSpoken: true,
  });
  const spent = {
    modelCalls: state.modelCalls + 1,
    ...used(summed.reply === undefined ? reply : both(summed.reply, reply)),
  };
  const kept = summed.summary === undefined ? {} : { summary: summed.summary };
  const calls = isLast ? [] : reply.calls.map((call): ToolCall => ({ ...call, id: `call_${randomUUID()}` }));
  const said = message({ from: "model", text: reply.text, ...(calls.length === 0 ? {} : { calls }) });
  if (calls.length === 0) {
    const answer = reply.text === "" ? "The model said nothing." : reply.text;
    const caveats = isLast ? { caveats: [`Stopped after ${spent.modelCalls} calls of the model.`] } : {};
    return { ...spent, ...kept, ...caveats, messages: [...told, said], answer };
  }
  const sorted = sortCalls(calls, reply, state, toolbox, ports);
  return {
    ...spent,
    ...kept,
    messages: [...told, said, ...sorted.refused],
    toolCalls: state.toolCalls + calls.length,
    ...(sorted.writes.length === 0 ? {} : { calls: sorted.writes }),
  };
}

/** Reading calls nothing has come back from; those that write are before the gate. */
export function dueReads({ messages, calls: planned }: SessionState): Send[] {
  const asked = messages.findLast(({ from }) => from === "model")?.calls ?? [];
  const due = asked.filter(({ id }) => !isAnswered(messages, id) && planned.every((call) => call.id !== id));
  return due.map((call) => new Send("read", { call } satisfies Reading));
}

/** A reading call on its way. */
export interface Reading {
  readonly call: ToolCall;
}

/** Calls a tool that only reads. Its error is an answer like any other. */
export async function read({ call }: Reading, config: Config, { loadTools, policy }: Ports): Promise<SessionUpdate> {
  const toolbox = await loadTools();
  const startedAt = performance.now();
  try {
    const args = JSON.parse(call.args || "{}") as Record<string, unknown>; // sorted out where it is no object
    for (const event of eventsBefore(call, args)) emit(config, event);
    const text = await toolbox.call(call.name, args, {
      ...signalOf(config),
      onProgress: (progress) => emit(config, { type: "progress", statement: call.name, ...progress }),
    });
    for (const event of eventsAfter(call, args, text, performance.now() - startedAt)) emit(config, event);
    return { messages: [answerTo(call.id, toToolText(call.name, text, policy))] };
  } catch (thrown) {
    signalOf(config).signal?.throwIfAborted();
    const error = toErrorReport(thrown);
    emit(config, { type: "error", statement: call.name, error, willRetry: true });
    return { messages: [answerTo(call.id, JSON.stringify({ error }))] };
  }
}

interface Sorted {
  readonly writes: PlannedCall[];
  readonly refused: Message[];
}

/** What cannot be called is answered at once; what writes is planned; the rest is for {@link dueReads}. */
function sortCalls(
  calls: readonly ToolCall[],
  reply: ModelReply,
  state: SessionState,
  toolbox: Toolbox,
  { policy }: Ports,
): Sorted {
  const writes: PlannedCall[] = [];
  const refused: Message[] = [];
  for (const [index, call] of calls.entries()) {
    try {
      const planned = toPlannedCall(call, { toolbox, isCut: reply.isCut, source: state.source });
      if (state.toolCalls + index >= policy.maxToolCalls) throw outOfCalls();
      if (isRepeated(state.messages, call)) throw repeated();
      if (!toolbox.isReadOnly(call.name)) writes.push(planned);
    } catch (thrown) {
      refused.push(answerTo(call.id, JSON.stringify({ error: toErrorReport(thrown) })));
    }
  }
  return { writes, refused };
}

/** The same call with the same arguments, answered twice already since the last human's message. */
function isRepeated(messages: readonly Message[], { name, args }: ToolCall): boolean {
  const since = messages.slice(messages.findLastIndex(({ from }) => from === "human"));
  const same = since.flatMap(({ calls = [] }) => calls).filter((call) => call.name === name && call.args === args);
  return same.length >= 2;
}

async function sumUp(
  state: SessionState,
  config: Config,
  { models, policy }: Ports,
): Promise<{ readonly summary?: NonNullable<SessionState["summary"]>; readonly reply?: ModelReply }> {
  const since = sinceSummary(state);
  const cut = cutOf(since, policy.contextTokens);
  const before = cut === undefined ? undefined : since[cut]?.id;
  if (cut === undefined || before === undefined) return {};
  const transcript = toTranscript(since.slice(0, cut), state.summary?.text);
  try {
    const reply = await models.ask({
      system: summaryInstructions,
      messages: [{ from: "human", text: transcript }],
      signal: signalOf(config).signal,
      emit: (event) => emit(config, event),
    });
    return { summary: { text: reply.text, before }, reply };
  } catch (thrown) {
    signalOf(config).signal?.throwIfAborted();
    emit(config, { type: "error", error: toErrorReport(thrown), willRetry: true });
    return { summary: { text: state.summary?.text ?? "It is not kept.", before } };
  }
}

/** A message of now. */
export const message = (said: Omit<Message, "id" | "at">): Message => ({
  id: randomUUID(),
  at: new Date().toISOString(),
  ...said,
});

const answerTo = (call: string, text: string): Message => message({ from: "tool", call, text });

const toldOf = ({ call, reply, error, status, sql }: Outcome): Message =>
  answerTo(call, reply ?? JSON.stringify({ status, statement: sql, error }));

const isAnswered = (messages: readonly Message[], id: string): boolean => messages.some(({ call }) => call === id);

const both = (a: ModelReply, b: ModelReply): ModelReply => {
  if (a.usage === undefined || b.usage === undefined) return b.usage === undefined ? a : b;
  const { inputTokens, outputTokens, cost } = a.usage;
  const usage = {
    inputTokens: inputTokens + b.usage.inputTokens,
    outputTokens: outputTokens + b.usage.outputTokens,
    ...(cost === undefined && b.usage.cost === undefined ? {} : { cost: (cost ?? 0) + (b.usage.cost ?? 0) }),
  };
  return { ...b, usage };
};

const outOfCalls = (): AgentError => new AgentError("limit_reached", "There are no calls left for this message.");
const repeated = (): AgentError =>
  new AgentError("call_repeated", "This call has been answered twice already.", {
    hint: "Use its answer, or call something else.",
  });
