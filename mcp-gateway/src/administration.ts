/** The part of `/v1` that administrators use: everybody's sessions, and draining. */
import * as v from "valibot";
import { drainReport, type Gate } from "./drain.js";
import { defineOperation, type Operation } from "./operation.js";
import { adminSessionView, type SessionAdmin } from "./sessions/session-admin.js";

export function administrationOperations({
  gate,
  sessions,
}: {
  readonly gate: Gate;
  readonly sessions: SessionAdmin;
}): readonly Operation[] {
  return [
    defineOperation({
      method: "GET",
      path: "/v1/admin/sessions",
      id: "listAllSessions",
      summary: "Lists everybody's sessions, by the ids that are no references.",
      role: "admin",
      response: v.object({ sessions: v.array(adminSessionView), unreadable: v.number() }),
      handle: () => sessions.list(),
    }),
    defineOperation({
      method: "DELETE",
      path: "/v1/admin/sessions/{id}",
      id: "closeAnySession",
      summary: "Closes anybody's session, by its id, and forgets its passwords.",
      role: "admin",
      parameters: v.strictObject({ id: v.pipe(v.string(), v.regex(/^s-[0-9a-f]{10}$/)) }),
      handle: ({ parameters, principal }) => sessions.close(parameters.id, principal.id),
    }),
    defineOperation({
      method: "GET",
      path: "/v1/admin/drain",
      id: "showDrain",
      summary: "Whether the gateway is being drained, and what is at work.",
      role: "admin",
      response: drainReport,
      handle: async () => gate.report(),
    }),
    defineOperation({
      method: "POST",
      path: "/v1/admin/drain",
      id: "drain",
      summary: "Begins nothing new from now on; what is at work ends as it would have. /readyz answers 503.",
      role: "admin",
      response: drainReport,
      handle: async () => gate.shut(),
    }),
    defineOperation({
      method: "DELETE",
      path: "/v1/admin/drain",
      id: "endDrain",
      summary: "Takes new work again.",
      role: "admin",
      response: drainReport,
      handle: async () => gate.reopen(),
    }),
  ];
}
