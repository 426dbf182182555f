/** Tools as a chatting model gets them: which, with which arguments, and what of their answers it is shown. */
import { DynamicStructuredTool } from "@langchain/core/tools";
import { AgentError, nearest } from "../errors.js";
import type { AgentEvent } from "../events.js";
import type { ToolCall } from "../message.js";
import { parseArguments } from "../model/to-langchain.js";
import type { Policy } from "../policy.js";
import { parseQueryReply, type QueryResult } from "../result.js";
import { toPromptRows, toRows } from "../rows.js";
import type { Toolbox } from "../tools.js";
import type { PlannedCall } from "./conversation-state.js";

/** Arguments of `execute` that are the gate's business: a model neither sees nor sets them. */
const gateArguments = ["dry_run", "approval", "idempotency_key"];
const charactersPerToken = 3;

/** The gateway's tools, without what is the gate's. */
export function toolsFor({ tools }: Toolbox): readonly DynamicStructuredTool[] {
  return [...tools.values()].map((tool) => (tool.name === "execute" ? withoutGateArguments(tool) : tool));
}

function withoutGateArguments({ name, description, schema }: DynamicStructuredTool): DynamicStructuredTool {
  const { properties = {}, ...rest } = schema as { properties?: Record<string, unknown> }; // a JSON Schema, by the adapters
  const shown = Object.fromEntries(Object.entries(properties).filter(([key]) => !gateArguments.includes(key)));
  const what = description.replace(/ Use dry_run first\..*$/s, " A human is asked to allow it.");
  return new DynamicStructuredTool({
    name,
    description: what,
    schema: { type: "object", ...rest, properties: shown },
    func: async () => "", // only its description is sent
  });
}

/**
 * A call as the gate takes it, checked: there is such a tool, and its arguments are whole.
 * @throws AgentError `tool_unknown`, `parameter_invalid`
 */
export function toPlannedCall(
  { id, name, args: text }: ToolCall,
  { toolbox, isCut, source }: { readonly toolbox: Toolbox; readonly isCut: boolean; readonly source: string | null },
): PlannedCall {
  const names = [...toolbox.tools.keys()];
  if (!names.includes(name)) {
    const near = nearest(name, names);
    throw new AgentError("tool_unknown", "There is no such tool.", {
      hint: near === undefined ? `The tools are ${names.join(", ")}.` : `Did you mean ${near}?`,
    });
  }
  const args = parseArguments(text);
  if (args === undefined || isCut) {
    throw new AgentError("parameter_invalid", "The call's arguments are no whole JSON object.", {
      hint: isCut ? "They were cut off by your own limit: be shorter." : "Send an object.",
    });
  }
  const database = typeof args.source === "string" ? args.source : (source ?? "");
  if (name !== "execute")
    return { id, tool: name, source: database, sql: `${name} ${text}`, params: JSON.stringify(args) };
  if (typeof args.sql !== "string") {
    throw new AgentError("parameter_invalid", "execute needs one statement in sql.");
  }
  const params = Array.isArray(args.params) ? { params: JSON.stringify(args.params) } : {};
  return { id, tool: name, source: database, sql: args.sql, ...params };
}

/** What a call is told as, before and after it: statements with their rows, looks into the catalogue as a status. */
export function eventsBefore({ name }: ToolCall, args: Readonly<Record<string, unknown>>): readonly AgentEvent[] {
  const connection = sourceOf(args);
  if (typeof args.sql === "string") return [{ type: "sql", statement: name, connection, sql: args.sql }];
  return [{ type: "status", connection, state: "inspecting", message: name }];
}

/** The rows of a query. */
export function eventsAfter(
  { name }: ToolCall,
  args: Readonly<Record<string, unknown>>,
  text: string,
  ms: number,
): readonly AgentEvent[] {
  const connection = sourceOf(args);
  if (typeof args.sql !== "string") return [{ type: "status", connection, state: "inspected", message: name }];
  const result = name === "query" ? resultIn(text) : undefined;
  if (result === undefined) return [];
  return [{ ...toRows(result), type: "rows", statement: name, connection, ms: Math.round(ms) }];
}

/** What a model is shown of an answer: rows as many as fit, or none where its policy says so; other texts from their start. */
export function toToolText(name: string, text: string, { resultTokens, rows }: Policy): string {
  const budget = resultTokens * charactersPerToken;
  const result = name === "query" || name === "search_objects" ? resultIn(text) : undefined;
  if (result === undefined) return text.length <= budget ? text : `${text.slice(0, budget)}\n(cut here)`;
  if (name === "query" && rows === "private") {
    const { columns, rowCount } = result;
    return JSON.stringify({ columns, row_count: rowCount, note: "The rows are shown to the person, not to you." });
  }
  return toPromptRows(result, budget);
}

const sourceOf = ({ source }: Readonly<Record<string, unknown>>): string => (typeof source === "string" ? source : "");

/** The rows in a reply; undefined in one that is something else, such as another server's of the same tool name. */
function resultIn(text: string): QueryResult | undefined {
  try {
    return parseQueryReply(text);
  } catch {
    return undefined;
  }
}
