/**
 * What the gateway writes into its audit trail: calls, what becomes of sessions, what administrators do, whom the door
 * turned away. How records are chained and kept is the host room's business; without a trail nothing is recorded.
 */
import { type AuditBody, type AuditTrail, toRecordText } from "@database-interface/mcp-core/host";
import type { ClientRequest } from "../client-request.js";
import { isFields } from "../message.js";
import { type CallEntry, openCallEntry } from "./call-entry.js";

/** What is recorded besides calls. */
export type NoteEvent = "session" | "admin" | "denied" | "request";

/** Writes something down. @throws CodedError `audit_unavailable` when the trail is required and cannot be written */
export type Note = (event: NoteEvent, body: AuditBody) => Promise<void>;

/** The gateway's pen. */
export interface Recorder {
  readonly note: Note;
  /** Rejects where the trail is required and cannot be written. @throws CodedError `audit_unavailable` */
  ready(): Promise<void>;
  /** An entry for a client's request; undefined where nothing is recorded. */
  open(request: ClientRequest): CallEntry | undefined;
}

export function createRecorder(trail: AuditTrail | undefined): Recorder {
  return {
    async note(event, body) {
      await trail?.append({ event, ...bounded(body) });
    },
    async ready() {
      if (trail?.isRequired) await trail.ready();
    },
    open: ({ principal, caller: { info }, trace }) =>
      trail === undefined
        ? undefined
        : openCallEntry(trail, {
            ...bounded({ principal: principal.id }),
            ...(isFields(info) ? { client: bounded({ name: info.name, version: info.version }) } : {}),
            trace: trace.id,
          }),
  };
}

/** Texts from outside short enough for a record; what is absent stays so. */
const bounded = (body: AuditBody): AuditBody =>
  Object.fromEntries(
    Object.entries(body).flatMap(([key, value]) => {
      if (value === undefined) return [];
      return [[key, typeof value === "string" ? toRecordText(value) : value]];
    }),
  );
