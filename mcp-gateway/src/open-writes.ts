/**
 * What a database server of ours has to remember of a write for a while: a question it asked, a code it told its
 * operator, the outcome under an idempotency key. It is in that process only, so the process must live as long.
 */
import { type Fields, isFields } from "./message.js";

/** Milliseconds that servers keep open approvals, and outcomes of writes with a key. */
export const approvalLifeMs = 300_000;
export const keyLifeMs = 3_600_000;

/** A write that is run under a key, or was. */
export const hasKey = ({ idempotency_key: key, dry_run: isDry }: Fields): boolean =>
  typeof key === "string" && isDry !== true;

/** A database server of ours has shown a code to its operator. */
export function needsApproval({ isError, content }: Fields): boolean {
  if (isError !== true || !Array.isArray(content)) return false;
  const [first] = content as readonly unknown[];
  const text = isFields(first) && typeof first.text === "string" ? first.text : "";
  return text.includes('"approval_required"');
}

/** Milliseconds for which a server remembers something of a call. `result`: what came back; undefined when nothing did. */
export function rememberedMs(given: Fields, result: Fields | undefined): number {
  const isOpen = result !== undefined && (result.resultType === "input_required" || needsApproval(result));
  if (isOpen) return approvalLifeMs;
  return hasKey(given) ? keyLifeMs : 0;
}
