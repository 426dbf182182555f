/** The face of the SQL room: what a database folder needs to become a server. */
export type { ServerLog, ServerSettings, Source } from "./call.js";
export type {
  ColumnDescription,
  ForeignKey,
  FoundObject,
  ObjectSearch,
  ObjectType,
  TableDescription,
  TableName,
} from "./catalog-objects.js";
export {
  type ColumnName,
  type ColumnRule,
  type MaskKind,
  parseColumnRules,
  ruleFor,
  toShownColumn,
} from "./column-rules.js";
export { databaseCommand, runDatabaseCommand } from "./command.js";
export type {
  CallOptions,
  Catalog,
  Cell,
  CellForm,
  Column,
  ConnectionReport,
  Database,
  DatabaseKind,
  DatabaseLog,
  DatabaseOptions,
  DryRun,
  Explanation,
  Parameter,
  ReadOptions,
  RowCursor,
  RowSample,
  RowSink,
  SessionContext,
  SourceConfig,
  Statement,
  StatementFacts,
  WritePlan,
  Writing,
} from "./database.js";
export { type ErrorEntry, type SqlErrorCode, sqlErrors } from "./error-catalogue.js";
export { type MissingName, StatementError, type StatementErrorDetails } from "./errors.js";
export { type GrantRequest, inComment, passwordPlaceholder, toViewNames } from "./grant-request.js";
export { createHostOrder, type HostOrder } from "./host-order.js";
export { insist } from "./insist.js";
export { defaultLimits, type LimitSettings } from "./limits.js";
export { createDatabaseServer, type DatabaseServer, type DatabaseServerOptions } from "./server.js";
export { assertContext } from "./session-context.js";
export { databaseSettings } from "./settings.js";
export { certificateHint, type TlsWords } from "./tls-hint.js";
export { restrictDatabase, type Visibility } from "./visible-database.js";
export { assertWhole, isBroken } from "./well-formed.js";
export {
  hidesColumns,
  onlyRows,
  outcomeUnknown,
  remoteTarget,
  systemTarget,
  unseenTarget,
  writeWarnings,
} from "./write-words.js";
