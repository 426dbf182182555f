/**
 * The graph of a session: the workflow, a question, a chat and a write, by which way what is asked goes through them. One
 * graph, one thread: a session has one state, and what waits in it is found by whoever opens it.
 */
import { type BaseCheckpointSaver, END, type Send, START, StateGraph } from "@langchain/langgraph";
import { answerable, clarify, draft, examine, link, word } from "./ask.js";
import { dueReads, introduce, type Reading, read, think } from "./chat.js";
import { conclude } from "./conclude.js";
import {
  type Allowed,
  type Gated,
  gate,
  openCalls,
  preview,
  propose,
  settle,
  toAsk,
  toGates,
  toWrites,
} from "./gate.js";
import type { Config, Ports } from "./ports.js";
import { type SessionState, sessionState } from "./session-state.js";
import {
  afterVerify,
  connect,
  type Due,
  fail,
  fanOut,
  inspect,
  nextStatements,
  query,
  retryPolicy,
  verify,
} from "./workflow.js";
import { write } from "./write.js";

/** Builds it; its events come by the stream mode `custom`, its state by the checkpointer. */
export function createSessionGraph(ports: Ports, checkpointer: BaseCheckpointSaver) {
  const { loadTools } = ports;
  const withPorts =
    <Input, Output>(node: (input: Input, config: Config, ports: Ports) => Output) =>
    (input: Input, config: Config): Output =>
      node(input, config, ports);

  return (
    new StateGraph(sessionState)
      // the workflow
      .addNode("connect", (state: SessionState, config: Config) => connect(state, config, loadTools), { retryPolicy })
      .addNode("verify", (state: SessionState, config: Config) => verify(state, config, loadTools), { retryPolicy })
      .addNode("assess", () => ({}))
      .addNode("inspect", (state: SessionState, config: Config) => inspect(state, config, loadTools))
      .addNode("query", (due: Due, config: Config) => query(due, config, loadTools), { retryPolicy })
      .addNode("gather", () => ({}))
      .addNode("fail", fail)
      .addNode("report", () => ({ finishedAt: new Date().toISOString() }))
      // a question
      .addNode("link", withPorts(link))
      .addNode("clarify", clarify)
      .addNode("drafting", withPorts(draft))
      .addNode("examine", withPorts(examine))
      .addNode("find", withPorts(answerable))
      .addNode("word", withPorts(word))
      // a chat
      .addNode("introduce", withPorts(introduce))
      .addNode("think", withPorts(think))
      .addNode("read", withPorts<Reading, ReturnType<typeof read>>(read))
      // the gate
      .addNode("propose", propose)
      .addNode("preview", withPorts(preview))
      .addNode("gate", (gated: Gated) => gate(gated))
      .addNode("settle", withPorts(settle))
      .addNode("write", withPorts<Allowed, ReturnType<typeof write>>(write))
      .addNode("conclude", conclude)

      .addConditionalEdges(START, byJob, ["connect", "link", "introduce", "propose"])
      .addConditionalEdges("connect", fanOut, ["verify", "fail"])
      .addEdge("verify", "assess")
      .addConditionalEdges("assess", afterVerify, ["inspect", "query", "fail", "report"])
      .addConditionalEdges("inspect", nextStatements, ["query", "report"])
      .addEdge("query", "gather")
      .addConditionalEdges("gather", nextStatements, ["query", "report"])
      .addEdge("fail", "report")
      .addEdge("report", END)

      .addConditionalEdges("link", unlessAsking("drafting"), ["clarify", "drafting"])
      .addConditionalEdges("clarify", afterClarify, ["link", "drafting", "conclude"])
      .addConditionalEdges("drafting", afterDraft, ["clarify", "examine", "drafting", "conclude"])
      .addConditionalEdges("examine", afterExamine, ["find", "preview", "drafting", "conclude"])
      .addConditionalEdges("find", afterFind, ["word", "drafting", "conclude"])
      .addEdge("word", "conclude")

      .addEdge("introduce", "think")
      .addConditionalEdges("think", afterThink, ["read", "preview", "settle", "conclude"])
      .addEdge("read", "settle")

      .addEdge("propose", "preview")
      .addConditionalEdges("preview", (state: SessionState) => afterPreview(state, ports), ["read", "gate", "settle"])
      .addEdge("gate", "settle")
      .addConditionalEdges("settle", (state: SessionState, config: Config) => afterSettle(state, config, ports), [
        "gate",
        "write",
        "think",
        "conclude",
      ])
      .addEdge("write", "settle")
      .addEdge("conclude", END)
      .compile({ checkpointer })
  );
}

function byJob({ job }: SessionState): "connect" | "link" | "introduce" | "propose" {
  return ({ run: "connect", ask: "link", chat: "introduce", execute: "propose" } as const)[job];
}

const unlessAsking =
  <Next extends string>(next: Next) =>
  ({ question }: SessionState): Next | "clarify" =>
    question === null ? next : "clarify";

function afterClarify({ answer, instructions }: SessionState): "link" | "drafting" | "conclude" {
  if (answer !== null) return "conclude";
  return instructions === "" ? "link" : "drafting";
}

function afterDraft(state: SessionState): "clarify" | "examine" | "drafting" | "conclude" {
  if (state.question !== null) return "clarify";
  if (state.answer !== null || state.broken !== null) return "conclude";
  return state.draft === null ? "drafting" : "examine";
}

function afterExamine(state: SessionState): "find" | "preview" | "drafting" | "conclude" {
  if (state.broken !== null) return "conclude";
  if (openCalls(state).length > 0) return "preview";
  return state.draft === null ? "drafting" : "find";
}

function afterFind({ broken, reply }: SessionState): "word" | "drafting" | "conclude" {
  if (broken !== null) return "conclude";
  return reply === null ? "drafting" : "word";
}

function afterThink(state: SessionState): Send[] | "preview" | "settle" | "conclude" {
  if (state.answer !== null) return "conclude";
  if (openCalls(state).length > 0) return "preview";
  const reads = dueReads(state);
  return reads.length === 0 ? "settle" : reads;
}

/** Reads need no yes, and wait for none. */
function afterPreview(state: SessionState, ports: Ports): Send[] | "settle" {
  const next = [...dueReads(state), ...toGates(state, ports)];
  return next.length === 0 ? "settle" : next;
}

function afterSettle(state: SessionState, config: Config, ports: Ports): Send[] | "think" | "conclude" {
  if (toAsk(state).length > 0) return toGates(state, ports);
  const writes = toWrites(state, config);
  if (writes.length > 0) return writes;
  return state.job === "chat" ? "think" : "conclude";
}
