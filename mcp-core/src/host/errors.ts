/**
 * The one error every part of the suite raises on purpose: a stable code for programs, a sentence for people, the next
 * step as a hint. It knows nothing of MCP, SQL or HTTP; those rooms translate it at their border.
 */

/** What a {@link CodedError} carries besides its code and message. */
export interface ErrorDetails {
  /** The next step for whoever reads it. Never built from row values. */
  readonly hint?: string | undefined;
  /** True when the same call may succeed later without any change. Default false. */
  readonly retryable?: boolean | undefined;
  /** The five-character SQLSTATE, where a database gave one. */
  readonly sqlstate?: string | undefined;
  /** The server's own error number (MySQL, MariaDB). */
  readonly errno?: number | undefined;
  /** What it was caused by, for logs on our side only: never sent to a client. */
  readonly cause?: unknown;
}

/** An error as a client sees it. */
export interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly sqlstate?: string;
  readonly errno?: number;
  readonly retryable: boolean;
}

/** An expected failure: stable `code`, a `message` without secrets or row values, and a `hint` that says what to do. */
export class CodedError extends Error {
  override readonly name = "CodedError";
  readonly code: string;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly sqlstate: string | undefined;
  readonly errno: number | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.retryable = details.retryable ?? false;
    this.sqlstate = details.sqlstate;
    this.errno = details.errno;
  }
}

/** The report of any thrown value; what is not a {@link CodedError} becomes `internal`, its own message withheld. */
export function toErrorReport(thrown: unknown): ErrorReport {
  if (!(thrown instanceof CodedError)) {
    return {
      code: "internal",
      message: "Something went wrong inside the server.",
      hint: "The server's log has the details under this call's id.",
      retryable: false,
    };
  }
  return {
    code: thrown.code,
    message: thrown.message,
    ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
    ...(thrown.sqlstate === undefined ? {} : { sqlstate: thrown.sqlstate }),
    ...(thrown.errno === undefined ? {} : { errno: thrown.errno }),
    retryable: thrown.retryable,
  };
}
