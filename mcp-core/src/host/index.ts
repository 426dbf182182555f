/** The face of the host room: how any MCP server of the suite is configured, started, served and stopped. */
export { CodedError, type ErrorDetails, type ErrorReport, toErrorReport } from "./errors.js";
