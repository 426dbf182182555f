/** The shape of an error, for what checks it; apart from the error itself, which is needed where nothing is checked. */
import * as v from "valibot";

/** An error as events, reports and `--output json` carry it. */
export const errorReportSchema = v.object({
  code: v.string(),
  message: v.string(),
  hint: v.optional(v.string()),
  /** The five-character SQLSTATE, where the database gave one. */
  sqlstate: v.optional(v.string()),
  /** The server's own error number (MySQL, MariaDB). */
  errno: v.optional(v.number()),
  /** True when the same call may succeed later without any change. */
  retryable: v.optional(v.boolean(), false),
});

/** An error as events, reports and `--output json` carry it. */
export type ErrorReport = v.InferOutput<typeof errorReportSchema>;
