/**
 * What questions, chats and writes know and checkpoint. Texts and names only: replies of tools stay the strings they came
 * as, arguments are JSON text, and no credential is ever in it.
 */
import { ReducedValue } from "@langchain/langgraph";
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { errorReportSchema } from "../error-report.js";
import { messageSchema } from "../message.js";

const plannedCallSchema = v.object({
  id: v.string(),
  tool: v.string(),
  /** The database, where the tool has to do with one. */
  source: v.string(),
  /** The statement of `execute`; for another tool its name and arguments, for people. */
  sql: v.string(),
  /** The statement's parameters, or another tool's arguments, as JSON text. */
  params: v.optional(v.string()),
  /** What its dry run came to. */
  dryRun: v.optional(v.object({ reply: v.optional(v.string()), error: v.optional(errorReportSchema) })),
  /** True once the server has asked for its operator's code. */
  needsCode: v.optional(v.boolean()),
});
/** A call that writes, on its way to a human. */
export type PlannedCall = v.InferOutput<typeof plannedCallSchema>;

const decidedSchema = v.object({
  call: v.string(),
  approval: v.string(),
  type: v.picklist(["approve", "edit", "reject"]),
  sql: v.optional(v.string()),
  params: v.optional(v.string()),
  reason: v.optional(v.string()),
  /** The server's one-time code. */
  code: v.optional(v.string()),
});
/** What a human said of a call. */
export type Decided = v.InferOutput<typeof decidedSchema>;

const outcomeSchema = v.object({
  call: v.string(),
  source: v.string(),
  sql: v.string(),
  status: v.picklist(["done", "rejected", "failed", "unknown"]),
  reply: v.optional(v.string()),
  error: v.optional(errorReportSchema),
});
/** What became of a call that writes. */
export type Outcome = v.InferOutput<typeof outcomeSchema>;

/** A draft that did not do, and why. */
const problemSchema = v.object({ said: v.string(), error: errorReportSchema });

const draftSchema = v.object({ sql: v.string(), assumptions: v.array(v.string()) });

const usageSchema = v.object({ inputTokens: v.number(), outputTokens: v.number(), cost: v.optional(v.number()) });
type Used = v.InferOutput<typeof usageSchema>;

const keptMessages = 500;
const keptAnswers = 200;

/** A list that grows by what is added, and starts anew when nothing is added, as a new turn does. */
const listOf = <Schema extends v.GenericSchema>(item: Schema) =>
  new ReducedValue(toStandardJsonSchema(v.optional(v.array(item), [])), {
    inputSchema: toStandardJsonSchema(v.array(item)),
    reducer: (current: v.InferOutput<Schema>[], added: v.InferOutput<Schema>[]) =>
      added.length === 0 ? [] : [...current, ...added],
  });

/** A list over all turns, of the last ones. */
const lastOf = <Schema extends v.GenericSchema>(item: Schema, kept: number) =>
  new ReducedValue(toStandardJsonSchema(v.optional(v.array(item), [])), {
    inputSchema: toStandardJsonSchema(v.array(item)),
    reducer: (current: v.InferOutput<Schema>[], added: v.InferOutput<Schema>[]) => [...current, ...added].slice(-kept),
  });

const optional = <Schema extends v.GenericSchema>(schema: Schema) =>
  toStandardJsonSchema(v.optional(v.nullable(schema), null));

/** The fields of a conversation; those of the turn are set anew by each one. */
export const conversationFields = {
  /** What is going on: `run`, `ask`, `chat` or `execute`. */
  job: toStandardJsonSchema(v.optional(v.picklist(["run", "ask", "chat", "execute"]), "run")),
  /** Over all turns. */
  messages: lastOf(messageSchema, keptMessages),
  /** What was said before the message it names, in short. */
  summary: optional(v.object({ text: v.string(), before: v.string() })),
  /** Approvals that have been answered. */
  answered: lastOf(v.string(), keptAnswers),
  /** The turn's text: a question, a message, a statement. */
  text: toStandardJsonSchema(v.optional(v.string(), "")),
  source: optional(v.string()),
  /** Parameters of the turn's statement, as JSON text. */
  params: optional(v.string()),
  /** What the model is to know and do, the schema with it. */
  instructions: toStandardJsonSchema(v.optional(v.string(), "")),
  /** What a human added to the question when asked. */
  clarification: optional(v.object({ question: v.string(), reply: v.string() })),
  /** What is to be asked of a human. */
  question: optional(v.object({ text: v.string(), choices: v.array(v.string()) })),
  problems: listOf(problemSchema),
  draft: optional(draftSchema),
  /** What was found when a statement gave nothing. */
  findings: optional(v.string()),
  reply: optional(v.string()),
  calls: new ReducedValue(toStandardJsonSchema(v.optional(v.array(plannedCallSchema), [])), {
    inputSchema: toStandardJsonSchema(v.array(plannedCallSchema)),
    reducer: (current: PlannedCall[], changed: PlannedCall[]) =>
      changed.length === 0 ? [] : [...current.filter(({ id }) => changed.every((one) => one.id !== id)), ...changed],
  }),
  decisions: listOf(decidedSchema),
  outcomes: listOf(outcomeSchema),
  modelCalls: toStandardJsonSchema(v.optional(v.number(), 0)),
  toolCalls: toStandardJsonSchema(v.optional(v.number(), 0)),
  answer: optional(v.string()),
  caveats: listOf(v.string()),
  broken: optional(errorReportSchema),
  used: new ReducedValue(toStandardJsonSchema(v.optional(v.nullable(usageSchema), null)), {
    inputSchema: toStandardJsonSchema(v.nullable(usageSchema)),
    reducer: (current: Used | null, added: Used | null) =>
      added === null || current === null ? added : sum(current, added),
  }),
};

/** A turn before anything has come of it. */
export const newTurn = {
  instructions: "",
  clarification: null,
  question: null,
  problems: [],
  draft: null,
  findings: null,
  reply: null,
  calls: [],
  decisions: [],
  outcomes: [],
  modelCalls: 0,
  toolCalls: 0,
  answer: null,
  caveats: [],
  broken: null,
  used: null,
};

function sum(a: Used, b: Used): Used {
  const cost = a.cost === undefined && b.cost === undefined ? {} : { cost: (a.cost ?? 0) + (b.cost ?? 0) };
  return { inputTokens: a.inputTokens + b.inputTokens, outputTokens: a.outputTokens + b.outputTokens, ...cost };
}
