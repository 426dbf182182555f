/** The public face of the agent: anything added here becomes public. */
export { type Agent, type AgentOptions, createAgent, type SessionOptions } from "./agent.js";
export type { Answer, SessionEntry, SessionView, WriteOutcome } from "./answer.js";
export { type Approval, approvalSchema, type Decision, decisionSchema } from "./approval.js";
export type { DatabaseCalls, ExplainRequest, QueryRequest, SearchRequest } from "./database-calls.js";
export { AgentError, type ErrorReport, errorReportSchema } from "./errors.js";
export { type AgentEvent, eventSchema, type Usage } from "./events.js";
export type { CallOptions, GatewayConnection, Progress } from "./gateway/connection.js";
export type { GatewaySpec, LaunchSpec } from "./gateway/launch.js";
export type { SourceCheck } from "./graphs/verify.js";
export type { InspectRequest } from "./look-ups.js";
export { type Message, messageSchema, type ToolCall } from "./message.js";
export { createModel } from "./model/create-model.js";
export type { ConnectionReport, InspectionReport, Report, StatementReport } from "./report.js";
export type { Cell, QueryResult } from "./result.js";
export type { Run } from "./run-stream.js";
export type { RunOptions, Session } from "./session.js";
export { type Format, type TaskInput, taskSchema } from "./task.js";
