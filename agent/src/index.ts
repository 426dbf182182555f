/** The public face of the agent: anything added here becomes public. */
export { type Agent, type AgentOptions, createAgent, type QueryRequest, type SearchRequest } from "./agent.js";
export { AgentError, type ErrorReport, errorReportSchema } from "./errors.js";
export { type AgentEvent, eventSchema } from "./events.js";
export type { CallOptions, GatewayConnection, Progress } from "./gateway/connection.js";
export type { GatewaySpec, LaunchSpec } from "./gateway/launch.js";
export type { SourceCheck } from "./graphs/verify.js";
export { createModel } from "./model/create-model.js";
export type { ConnectionReport, InspectionReport, Report, StatementReport } from "./report.js";
export type { Cell, QueryResult } from "./result.js";
export type { Run } from "./run.js";
export { type Format, type TaskInput, taskSchema } from "./task.js";
