/** What is asked of databases: statements, plans, tasks, questions in words, and a human's answers to what they raise. */
import * as v from "valibot";
import { approvalSchema, decisionSchema } from "../../approval.js";
import { taskSchema } from "../../task.js";
import { defineOperation, defineRun, type Operation } from "./operation.js";
import {
  answerSchema,
  maxRowsSchema,
  nameSchema,
  paramsSchema,
  reportSchema,
  resultSchema,
  sessionParameters,
  sqlSchema,
  wordsSchema,
} from "./schemas.js";
import { sessionOf } from "./session-operations.js";

const statement = { sql: sqlSchema, params: v.optional(paramsSchema), source: v.optional(nameSchema) };
const words = { text: wordsSchema, source: v.optional(nameSchema) };
const { gateway: _, output: __, ...taskEntries } = taskSchema.entries;

/** A task as it may come from elsewhere: on the databases there are, its report as the answer. */
export const remoteTaskSchema = v.strictObject({
  ...taskEntries,
  connections: v.optional(v.array(v.strictObject({ name: nameSchema }))),
});

export const runOperations: readonly Operation[] = [
  defineRun({
    method: "post",
    path: "/v1/sessions/:session/query",
    id: "query",
    tag: "statements",
    summary: "One read statement's rows.",
    parameters: sessionParameters,
    body: v.strictObject({ ...statement, maxRows: v.optional(maxRowsSchema) }),
    answer: resultSchema,
    start: async (call) => {
      const { sql, ...request } = call.body;
      return (await sessionOf(call)).query(sql, { ...request, signal: call.signal });
    },
  }),
  defineOperation({
    method: "post",
    path: "/v1/sessions/:session/pages",
    id: "readPage",
    tag: "statements",
    summary: "A page of a result in one snapshot: the first one by its statement, each next one by its cursor.",
    parameters: sessionParameters,
    body: v.union([
      v.strictObject({ ...statement, maxRows: v.optional(maxRowsSchema) }),
      v.strictObject({ cursor: wordsSchema, source: v.optional(nameSchema) }),
    ]),
    answer: resultSchema,
    async handle(call) {
      await sessionOf(call);
      const { body, signal, agent } = call;
      if ("cursor" in body) return agent.nextPage(body.cursor, { source: body.source, signal });
      const { sql, ...request } = body;
      const { value } = await agent.pages(sql, { ...request, signal }).next();
      return value ?? { columns: [], types: [], rows: [], rowCount: 0, truncated: false };
    },
  }),
  defineOperation({
    method: "post",
    path: "/v1/sessions/:session/explain",
    id: "explain",
    tag: "statements",
    summary: "A statement's plan, and what is wrong with it in words. The statement does not run.",
    parameters: sessionParameters,
    body: v.strictObject(statement),
    answer: v.object({ plan: v.string() }),
    async handle(call) {
      await sessionOf(call);
      const { sql, ...request } = call.body;
      return { plan: await call.agent.explain(sql, { ...request, signal: call.signal }) };
    },
  }),
  defineRun({
    method: "post",
    path: "/v1/sessions/:session/execute",
    id: "execute",
    tag: "statements",
    summary: "One write: tried, rolled back and shown to a human, who answers under /approvals.",
    parameters: sessionParameters,
    body: v.strictObject(statement),
    answer: answerSchema,
    start: async (call) => {
      const { sql, ...request } = call.body;
      return (await sessionOf(call)).execute(sql, { ...request, signal: call.signal });
    },
  }),
  defineRun({
    method: "post",
    path: "/v1/sessions/:session/run",
    id: "runTask",
    tag: "statements",
    summary: "A task through the workflow: verify, inspect, run its statements, report.",
    parameters: sessionParameters,
    body: remoteTaskSchema,
    answer: reportSchema,
    start: async (call) => (await sessionOf(call)).run(call.body, { signal: call.signal }),
  }),
  defineRun({
    method: "post",
    path: "/v1/sessions/:session/ask",
    id: "ask",
    tag: "questions",
    summary: "A question in words, answered with rows and the statement that gave them. Needs a model.",
    parameters: sessionParameters,
    body: v.strictObject(words),
    answer: answerSchema,
    start: async (call) => {
      const { text, source } = call.body;
      return (await sessionOf(call)).ask(text, { source, signal: call.signal });
    },
  }),
  defineRun({
    method: "post",
    path: "/v1/sessions/:session/chat",
    id: "chat",
    tag: "questions",
    summary: "A message to a model that uses the databases' tools as it sees fit. Needs a model.",
    parameters: sessionParameters,
    body: v.strictObject(words),
    answer: answerSchema,
    start: async (call) => {
      const { text, source } = call.body;
      return (await sessionOf(call)).chat(text, { source, signal: call.signal });
    },
  }),
  defineOperation({
    method: "get",
    path: "/v1/sessions/:session/approvals",
    id: "listApprovals",
    tag: "approvals",
    summary: "What a human is asked.",
    parameters: sessionParameters,
    answer: v.array(approvalSchema),
    handle: async (call) => [...(await (await sessionOf(call)).pending())],
  }),
  defineRun({
    method: "post",
    path: "/v1/sessions/:session/approvals/:approval",
    id: "answerApproval",
    tag: "approvals",
    summary: "A human's answer: yes, yes to another statement, no, or words. The run goes on.",
    parameters: v.strictObject({ ...sessionParameters.entries, approval: v.pipe(v.string(), v.maxLength(200)) }),
    body: decisionSchema,
    answer: answerSchema,
    start: async (call) => (await sessionOf(call)).answer(call.parameters.approval, call.body, { signal: call.signal }),
  }),
  defineRun({
    method: "post",
    path: "/v1/sessions/:session/resume",
    id: "resume",
    tag: "approvals",
    summary: "Goes on with a run that was cut off; what may have been written is looked up, never written again.",
    parameters: sessionParameters,
    body: v.strictObject({}),
    bodyIsOptional: true,
    answer: answerSchema,
    start: async (call) => (await sessionOf(call)).resume({ signal: call.signal }),
  }),
];
