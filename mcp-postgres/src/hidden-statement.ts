/** What the rules on columns make of a statement, for whoever sends it and reads its answer. */
import type { MissingName, StatementError } from "@database-interface/mcp-core/sql";
import type { Field } from "./wire.js";

/** A statement in which tables stand for what may be seen of them. */
export interface HidingStatement {
  readonly sql: string;
  /** The offset in the caller's SQL of an offset in this one, both in UTF-16 units from 0. */
  toCallerOffset(offset: number): number;
  /** The refusal, where what is missing is a hidden column. */
  refusalOf(missing: MissingName | undefined, position: number | undefined): StatementError | undefined;
  /** @throws CodedError `permission_denied` when the result's own description names a hidden column */
  assertFields(fields: readonly Field[]): void;
}
