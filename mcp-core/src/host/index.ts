/** The face of the host room: how any MCP server of the suite is configured, started, served and stopped. */
export type { Admission, Authenticator } from "./access/authenticator.js";
export { burstOf, createRateLimiter, type RateLimiter, type RateLimiterOptions } from "./access/rate-limiter.js";
export { type Access, accessSettings, openAccess } from "./access/settings.js";
export { tokenCommand } from "./access/tokens-command.js";
export type { Notifier } from "./audience.js";
export { auditCommand } from "./audit/command.js";
export { type CallFacts, factsMetaKey, toldFacts } from "./audit/facts.js";
export { type Body as AuditBody, toRecordText } from "./audit/line.js";
export { auditSettings, openAudit } from "./audit/settings.js";
export { type AuditTrail, openAuditTrail, type TrailOptions, type TrailStatus } from "./audit/trail.js";
export { type Breach, type BreachKind, type ChainReport, type VerifyOptions, verifyAudit } from "./audit/verify.js";
export type { CommandLine, Positional } from "./command-tree.js";
export { type ConfigFile, readConfigFile } from "./config-file.js";
export { describeSettings, type SettingDescription, settingsJsonSchema } from "./describe-settings.js";
export { isLoopback } from "./door.js";
export { CodedError, type ErrorDetails, type ErrorReport, toErrorReport } from "./errors.js";
export { watchForChanges } from "./file-watch.js";
export { type HostConfigOptions, type HostName, hostConfig, hostConfigFile, hostNames } from "./host-config.js";
export type { HttpOptions } from "./http-options.js";
export type { Denial, HttpServer, Route, RouteContext } from "./http-server.js";
export type { OnListen } from "./listens.js";
export { createLog, type Log, type LogLevel, type LogOptions, logLevels } from "./log.js";
export { toMcpSchema } from "./mcp-schema.js";
export { nearestNames } from "./nearest.js";
export { outputSetting } from "./output-setting.js";
export type { PeerContext, PeerHandler, Peers } from "./peers.js";
export type { PlainAnswer, PlainCall, PlainCallHandler } from "./plain-call.js";
export {
  type Caller,
  cacheMetaKey,
  clientMetaKey,
  localPrincipal,
  ownMetaPrefix,
  type Principal,
  principalMetaKey,
  principalOf,
  type Role,
  roles,
  sharedPrincipals,
  toPrincipalMeta,
} from "./principal.js";
export { problem, problemSchema } from "./problem.js";
export { durationSchema, type QuantityBounds, sizeSchema, wholeSchema } from "./quantities.js";
export { redactText } from "./redact.js";
export { type Environment, resolveSettings, type SettingSources } from "./resolve-settings.js";
export { matchPath } from "./route-path.js";
export { openRouteServer } from "./route-server.js";
export {
  type CommandCall,
  type CommandIo,
  type CommandOptions,
  type CommandSpec,
  defineCommand,
  errorLine,
  runCommand,
} from "./run-command.js";
export { type Served, type ServeOptions, serve } from "./serve.js";
export { printConfigSetting, servingSettings, toHttpOptions, tokenSetting } from "./serving-settings.js";
export { type DirectoryEntry, type FoundEntry, parseEntry, type SessionDirectory } from "./session-directory.js";
export { type Setting, type SettingOptions, type Settings, type SettingValues, setting } from "./setting.js";
export { anySignal, withTimeout } from "./signals.js";
export {
  carrierOf,
  createTracing,
  mcpSpan,
  type Span,
  type SpanAttributes,
  type TraceCarrier,
  type Tracing,
} from "./tracing.js";
