/** What a check found, and what to do about it: for people and, as it is, for programs. */
import { toErrorReport, withoutSecrets } from "../../errors.js";

/** One finding. */
export interface Finding {
  /** What was looked at: `node`, `gateway`, `database shop`. */
  readonly check: string;
  /** `warning` works, and might better be otherwise; `skipped` was not asked for. */
  readonly status: "ok" | "warning" | "failed" | "skipped";
  readonly message: string;
  /** What to do. */
  readonly remedy?: string;
}

/** All is well. */
export const ok = (check: string, message: string): Finding => ({ check, status: "ok", message });

/** It works, and might better be otherwise. */
export const warning = (check: string, message: string, remedy: string): Finding => ({
  check,
  status: "warning",
  message,
  remedy,
});

/** It does not work. */
export const failed = (check: string, message: string, remedy: string): Finding => ({
  check,
  status: "failed",
  message,
  remedy,
});

/** It was not looked at. */
export const skipped = (check: string, message: string, remedy?: string): Finding => ({
  check,
  status: "skipped",
  message,
  ...(remedy === undefined ? {} : { remedy }),
});

/** What a check finds; a failure of its own is a finding as well. */
export async function find(
  check: string,
  look: () => Promise<Finding | readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return [await look()].flat();
  } catch (thrown) {
    const { message, hint, code } = toErrorReport(thrown);
    return [failed(check, withoutSecrets(`${message} [${code}]`), withoutSecrets(hint ?? "See the message."))];
  }
}
