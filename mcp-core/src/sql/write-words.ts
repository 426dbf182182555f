/** What every database says of a write in the same words: warnings of plans, and refusals. It decides nothing. */
import { CodedError } from "../host/errors.js";

/** A sentence each, for {@link WritePlan.warnings}. */
export const writeWarnings = {
  withoutWhere: (verb: string, table: string) => `${verb.toUpperCase()} without WHERE: every row of ${table}.`,
  truncated: "TRUNCATE: every row.",
  severalTables: "It writes to several tables in one statement.",
  ignoring: "IGNORE turns errors into warnings: rows are left out, or values changed to fit.",
  schemaChange: "It changes the schema.",
  dropped: "It drops what it names.",
  droppedColumns: "Dropped columns lose their values.",
  cascade: "CASCADE takes with it whatever depends on it.",
  triggers: (table: string, triggers: string) => `${table} has triggers, which run too: ${triggers}.`,
  followers: (table: string, followers: string) =>
    `Rows of ${followers} follow changes of ${table} by their foreign keys.`,
} as const;

/** A write that nobody can tell the fate of. @see Writing.run */
export const outcomeUnknown = (cause: unknown): CodedError =>
  new CodedError("outcome_unknown", "The connection broke while the write was being committed.", {
    hint: "It may have happened or not. Look with query before writing again.",
    cause,
  });

/** The refusal of any write to a source that hides columns. */
export const hidesColumns = (): CodedError =>
  new CodedError("not_allowed", "This source hides columns, which a write could tell or change.", {
    hint: "It is only read.",
  });

/** The refusal of what rules on rows do not hold: a change of the schema, or of all rows at once. */
export const onlyRows = (): CodedError =>
  new CodedError("not_allowed", "This source shows each caller their own rows: only rows may be written.", {
    hint: "Insert, update or delete rows.",
  });

/** The refusal of a target that belongs to the database itself. */
export const systemTarget = (name: string): CodedError =>
  new CodedError("not_allowed", `${name} belongs to the system.`, { hint: "Write to tables of the database." });

/** The refusal of a target on another server. */
export const remoteTarget = (name: string): CodedError =>
  new CodedError("not_allowed", `${name} lies on another server, where a write cannot be rolled back.`, {
    hint: "Write to own tables.",
  });

/** The refusal of a target outside of what is shown. */
export const unseenTarget = (schemas: readonly string[]): CodedError =>
  new CodedError("permission_denied", "A target of the statement lies outside of the schemas shown here.", {
    hint: `Write the schema before each target: ${schemas.join(", ")}.`,
  });
