/**
 * The record of one client's request while it runs: who, what, where it went, what the server said it was, how it ended.
 * What a call does is known to the database's server alone, which is asked for it with the call.
 */
import { randomBytes } from "node:crypto";
import type { AuditBody, AuditTrail, CallFacts } from "@database-interface/mcp-core/host";
import type { ClientRequest } from "../client-request.js";
import { codeOf } from "../errors.js";
import type { Fields } from "../message.js";

/** What is asked for, and who answers it. */
export interface Destination {
  /** Its name outside. */
  readonly tool?: string | undefined;
  readonly method?: string | undefined;
  /** The gateway's name of the server. */
  readonly server?: string | undefined;
  readonly source?: string | undefined;
  /** The session's public id. */
  readonly session?: string | undefined;
  /** Nothing can change by it. */
  readonly isReading: boolean;
}

/** The record of a request. */
export interface CallEntry {
  /** Stands in the records of the server too. */
  readonly id: string;
  routed(to: Destination): void;
  told(facts: CallFacts): void;
  /** What may change something leaves a record before it runs. @throws CodedError `audit_unavailable` */
  begin(): Promise<void>;
  /** @throws CodedError `audit_unavailable` */
  end(outcome: string): Promise<void>;
  /** What a result says of itself. */
  outcomeOf(result: Fields): string;
}

export function openCallEntry(trail: AuditTrail, who: AuditBody): CallEntry {
  const began = performance.now();
  const call = randomBytes(8).toString("hex");
  let to: Destination = { isReading: true };
  let facts: CallFacts | undefined;
  let hasBegun = false;

  function what(): AuditBody {
    const { isReading: _, ...place } = to;
    const known = Object.entries(place).filter(([, value]) => value !== undefined);
    const { outcome: __, source, ...rest } = facts ?? {};
    // in a session its server knows the database under another name
    const own = to.source === undefined && source !== undefined ? { source } : {};
    return { call, ...who, ...Object.fromEntries(known), ...own, ...rest };
  }

  return {
    id: call,
    routed(destination) {
      to = destination;
    },
    told(told) {
      facts = told;
    },
    async begin() {
      if (trail.isRequired) await trail.ready();
      if (to.isReading) return;
      await trail.append({ event: "begin", ...what() });
      hasBegun = true;
    },
    async end(outcome) {
      const ms = Math.round((performance.now() - began) * 100) / 100;
      const written = trail.append({ event: "call", ...what(), ms, outcome });
      // what may have happened is answered all the same: its beginning is on record
      await (hasBegun ? written.catch(() => {}) : written);
    },
    outcomeOf({ isError, resultType }) {
      if (resultType === "input_required") return "asked";
      return isError === true ? (facts?.outcome ?? "tool_error") : "ok";
    },
  };
}

/** Answers a request and records how it ended; an answer that must be recorded and cannot be is withheld. */
export async function recorded(
  entry: CallEntry | undefined,
  { signal }: ClientRequest,
  answerIt: () => Promise<Fields>,
): Promise<Fields> {
  if (entry === undefined) return answerIt();
  let result: Fields;
  try {
    result = await answerIt();
  } catch (error) {
    await entry.end(signal.aborted ? "cancelled" : codeOf(error));
    throw error;
  }
  await entry.end(entry.outcomeOf(result));
  return result;
}
