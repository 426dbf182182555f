/**
 * What goes wrong with a statement. Databases translate their drivers' errors into these, once; the tools add what only
 * the catalogue knows (nearest names) and what only the statement knows (line and column of a position).
 */
import { CodedError, type ErrorDetails } from "../host/errors.js";

/** A name that does not exist, as the server named it. */
export interface MissingName {
  readonly kind: "table" | "column" | "function" | "schema";
  readonly name: string;
  readonly schema?: string | undefined;
}

/** Details of a {@link StatementError}. */
export interface StatementErrorDetails extends ErrorDetails {
  /** Where in the caller's own SQL, counted in characters from 1. */
  readonly position?: number | undefined;
  /** The name that was not found, when that is the error. */
  readonly missing?: MissingName | undefined;
}

/** An error about the caller's SQL; `position` and `missing` let the tools write a hint a model can act on. */
export class StatementError extends CodedError {
  readonly position: number | undefined;
  readonly missing: MissingName | undefined;

  constructor(code: string, message: string, details: StatementErrorDetails = {}) {
    super(code, message, details);
    this.position = details.position;
    this.missing = details.missing;
  }
}
