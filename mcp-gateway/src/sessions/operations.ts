/** The sessions under `/v1`. A session is named by its reference, or by its id where it is only looked at or closed. */
import * as v from "valibot";
import { defineOperation, type Operation } from "../operation.js";
import type { Template } from "../template.js";
import { draftEntries, passwordSchema, toDraft } from "./draft.js";
import type { Invitations } from "./invitations.js";
import { connectionView, sessionView } from "./session.js";
import type { Sessions } from "./sessions.js";

/** What the operations work on. */
export interface SessionOperationOptions {
  readonly sessions: Sessions;
  readonly invitations: Invitations;
  templates(): ReadonlyMap<string, Template>;
}

const label = v.pipe(v.string("must be text"), v.maxLength(80, "must be at most 80 characters"));
const session = v.pipe(v.string(), v.maxLength(200));
const inSession = v.strictObject({ session });
const templateView = v.object({
  name: v.string(),
  server: v.string(),
  description: v.optional(v.string()),
  /** What a connection must bring. */
  needs: v.array(v.picklist(["host", "database", "user"])),
});

export function sessionOperations({ sessions, invitations, templates }: SessionOperationOptions): readonly Operation[] {
  return [
    defineOperation({
      method: "POST",
      path: "/v1/sessions",
      id: "openSession",
      summary: "Opens a session. Its reference is told once, here.",
      role: "use",
      body: v.strictObject({ label: v.optional(label) }),
      response: v.object({ ...sessionView.entries, session: v.string() }),
      status: 201,
      async handle({ body, principal }) {
        const opened = await sessions.open(principal.id, body.label);
        return { ...copy(opened.session), session: opened.reference };
      },
    }),
    defineOperation({
      method: "GET",
      path: "/v1/sessions",
      id: "listSessions",
      summary: "Lists your sessions.",
      role: "use",
      response: v.object({ sessions: v.array(sessionView) }),
      handle: async ({ principal }) => ({ sessions: (await sessions.list(principal.id)).map(copy) }),
    }),
    defineOperation({
      method: "GET",
      path: "/v1/sessions/{session}",
      id: "showSession",
      summary: "Shows one of your sessions, by its reference or id.",
      role: "use",
      parameters: inSession,
      response: sessionView,
      handle: async ({ principal, parameters }) => copy(await sessions.show(principal.id, parameters.session)),
    }),
    defineOperation({
      method: "DELETE",
      path: "/v1/sessions/{session}",
      id: "closeSession",
      summary: "Closes one of your sessions, by its reference or id, and forgets its passwords.",
      role: "use",
      parameters: inSession,
      handle: ({ principal, parameters }) => sessions.close(principal.id, parameters.session),
    }),
    defineOperation({
      method: "GET",
      path: "/v1/sessions/{session}/connections",
      id: "listConnections",
      summary: "Lists a session's connections.",
      role: "use",
      parameters: inSession,
      response: v.object({ connections: v.array(connectionView) }),
      async handle({ principal, parameters }) {
        const { connections } = await sessions.show(principal.id, parameters.session);
        return { connections: [...connections] };
      },
    }),
    defineOperation({
      method: "POST",
      path: "/v1/sessions/{session}/connections",
      id: "connectDatabase",
      summary: "Tries a database of a template and adds it to the session, by its reference.",
      role: "use",
      parameters: inSession,
      body: v.strictObject({ ...draftEntries, password: v.optional(passwordSchema, "") }),
      response: connectionView,
      status: 201,
      handle({ principal, parameters, body: { password, ...input }, signal }) {
        const key = { principal: principal.id, reference: parameters.session };
        return sessions.connect(key, toDraft(input, templates()), password, signal);
      },
    }),
    defineOperation({
      method: "POST",
      path: "/v1/sessions/{session}/invitations",
      id: "inviteToConnect",
      summary: "Makes a one-time page on which a person enters the password of a database.",
      role: "use",
      parameters: inSession,
      body: v.strictObject(draftEntries),
      response: v.object({ name: v.string(), url: v.string(), expires_at: v.string() }),
      status: 201,
      handle: ({ principal, parameters, body }) =>
        invitations.create({ principal: principal.id, reference: parameters.session }, body),
    }),
    defineOperation({
      method: "DELETE",
      path: "/v1/sessions/{session}/connections/{name}",
      id: "disconnectDatabase",
      summary: "Removes a connection from a session, by its reference, and forgets its password.",
      role: "use",
      parameters: v.strictObject({ session, name: v.pipe(v.string(), v.maxLength(63)) }),
      handle: ({ principal, parameters }) =>
        sessions.disconnect({ principal: principal.id, reference: parameters.session }, parameters.name),
    }),
    defineOperation({
      method: "GET",
      path: "/v1/templates",
      id: "listTemplates",
      summary: "Lists the templates that connections are made from.",
      role: "use",
      response: v.object({ templates: v.array(templateView) }),
      handle: async () => ({ templates: [...templates().values()].map(viewOfTemplate) }),
    }),
  ];
}

function viewOfTemplate(template: Template): v.InferInput<typeof templateView> {
  const { name, kind, description, onlyHost } = template;
  const open = (["database", "user"] as const).filter((field) => template[field] === undefined);
  return {
    name,
    server: kind.name,
    ...(description === undefined ? {} : { description }),
    needs: [...(onlyHost === undefined ? (["host"] as const) : []), ...open],
  };
}

type View = v.InferInput<typeof sessionView>;
const copy = (view: Awaited<ReturnType<Sessions["show"]>>): View => ({ ...view, connections: [...view.connections] });
