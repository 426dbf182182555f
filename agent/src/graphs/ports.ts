/** What the graphs' nodes need from outside, and how they tell what they do. */
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { DatabaseCalls } from "../database-calls.js";
import type { AgentEvent } from "../events.js";
import type { Knowledge } from "../knowledge/knowledge.js";
import type { ModelCaller, ModelReply } from "../model/model-caller.js";
import type { Policy } from "../policy.js";
import type { Toolbox } from "../tools.js";

/** What nodes need from outside. */
export interface Ports {
  readonly databases: DatabaseCalls;
  readonly models: ModelCaller;
  readonly knowledge: Knowledge;
  readonly policy: Policy;
  /** The gateway's tools; connects where nothing is connected yet. */
  loadTools(): Promise<Toolbox>;
}

/** What a node is given besides the state. */
export type Config = LangGraphRunnableConfig;

/** Tells an event to whoever listens to the run. */
export function emit(config: Config, event: AgentEvent): void {
  config.writer?.(event);
}

/**
 * The signal of whoever started the run. It stops calls, not the graph: a node that has written something still keeps
 * what it knows.
 */
export function signalOf({ configurable }: Config): { readonly signal?: AbortSignal } {
  const signal: unknown = configurable?.signal;
  return signal instanceof AbortSignal ? { signal } : {};
}

/** Names this run of the graph: what a task carries from another one was begun before a process died. */
export const invocationOf = ({ configurable }: Config): string => String(configurable?.invocation ?? "");

/** The reference id. */
export const sessionOf = ({ configurable }: Config): string => String(configurable?.thread_id ?? "");

/** What a reply cost, as the state adds it up. */
export const used = ({ usage }: ModelReply) => (usage === undefined ? {} : { used: { ...usage } });
