/**
 * The one question every tool asks before it touches a database: may this run, and under what caps? It knows modes and
 * limits, nothing of statements: what a statement may do is its database's business.
 */
import { CodedError } from "../host/errors.js";
import { type CallLimits, type Caps, capsOf, type LimitSettings } from "./limits.js";

/** What a server allows: no write at all, each write after a human's yes, or writes as they come. */
export const modes = ["read-only", "approve", "write"] as const;
export type Mode = (typeof modes)[number];

/** What a tool does to a database. */
export type Access = "read" | "write";

/** What decides: the operator's mode and limits. */
export interface PolicySettings extends LimitSettings {
  readonly mode: Mode;
}

/** Whether a mode lets a tool of this kind exist at all. */
export function isAvailable(access: Access, mode: Mode): boolean {
  switch (mode) {
    case "read-only":
      return access === "read";
    case "approve":
    case "write":
      return true;
  }
}

/**
 * The caps under which a call may run.
 * @throws CodedError `not_allowed`
 */
export function permit(settings: PolicySettings, access: Access, limits: CallLimits = {}): Caps {
  if (!isAvailable(access, settings.mode)) {
    throw new CodedError("not_allowed", `This server is in mode ${settings.mode}; it changes nothing.`, {
      hint: "Only read with this server.",
    });
  }
  return capsOf(settings, limits);
}
