/**
 * The tools of sessions: what a model may do with them. A password is never among their arguments or results: the user
 * enters it on a page of the gateway's.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import type { ClientRequest } from "../client-request.js";
import type { Fields } from "../message.js";
import type { Template } from "../template.js";
import { draftEntries } from "./draft.js";
import { type Invitations, toResult } from "./invitations.js";
import type { Sessions } from "./sessions.js";

/** What the tools are made from. */
export interface SessionToolOptions {
  readonly sessions: Sessions;
  readonly invitations: Invitations;
  templates(): ReadonlyMap<string, Template>;
}

interface ToolCall {
  readonly request: ClientRequest;
  readonly options: SessionToolOptions;
}

/** A tool of the gateway's own. */
export interface SessionTool {
  readonly name: string;
  /** As `tools/list` has it. */
  describe(templates: ReadonlyMap<string, Template>): Fields;
  /** @throws CodedError `parameter_invalid`, and what the sessions throw */
  run(given: Fields, call: ToolCall): Promise<Fields>;
}

const reference = v.pipe(v.string("must be text"), v.maxLength(200, "must be a session's reference"));
const inSession = { session: reference };

function defineTool<Entries extends v.ObjectEntries>(definition: {
  readonly name: string;
  readonly description: string;
  readonly isReading?: boolean;
  readonly isDestructive?: boolean;
  readonly input: v.StrictObjectSchema<Entries, undefined>;
  /** What the schema cannot say because it is up to the config. */
  properties?(templates: ReadonlyMap<string, Template>): Fields;
  run(input: v.InferOutput<v.StrictObjectSchema<Entries, undefined>>, call: ToolCall): Promise<Fields>;
}): SessionTool {
  const { name, description, input, isReading = false, isDestructive = false } = definition;
  const { $schema: _dialect, ...schema } = toJsonSchema(input, { typeMode: "input", errorMode: "ignore" });
  return {
    name,
    describe(templates) {
      const all: Fields = { ...schema.properties, ...definition.properties?.(templates) };
      const properties = withoutBounds(all);
      const required = schema.required ?? [];
      return {
        name,
        description,
        inputSchema: { type: "object", properties, ...(required.length > 0 ? { required } : {}) },
        annotations: isReading
          ? { readOnlyHint: true, openWorldHint: false }
          : { readOnlyHint: false, destructiveHint: isDestructive, openWorldHint: false },
      };
    },
    async run(given, call) {
      const parsed = v.safeParse(input, given, { abortEarly: true });
      if (!parsed.success) throw toParameterError(parsed.issues[0], Object.keys(input.entries));
      return definition.run(parsed.output, call);
    },
  };
}

/** What every template has fixed is no longer an argument. */
function leftOut(templates: ReadonlyMap<string, Template>): Fields {
  const all = [...templates.values()];
  const hasHost = all.every(({ onlyHost }) => onlyHost !== undefined);
  return {
    ...(hasHost ? { host: undefined, port: undefined } : {}),
    ...(all.every(({ database }) => database !== undefined) ? { database: undefined } : {}),
    ...(all.every(({ user }) => user !== undefined) ? { user: undefined } : {}),
  };
}

/** Lengths and patterns cost tokens and help no model; they hold all the same. */
const withoutBounds = (properties: Fields): Fields =>
  Object.fromEntries(
    Object.entries(properties).flatMap(([name, property]) => {
      if (property === undefined) return [];
      const { maxLength: _, minLength: __, pattern: ___, minimum: ____, maximum: _____, ...kept } = property as Fields; // a schema
      return [[name, kept] as const];
    }),
  );

function toParameterError(issue: v.BaseIssue<unknown>, known: readonly string[]): CodedError {
  const path = v.getDotPath(issue);
  const name = path !== null && known.includes(path) ? `\`${path}\`` : "An argument";
  if (issue.expected === "never")
    return new CodedError("parameter_invalid", "There is an argument that this tool does not know.", {
      hint: `It takes ${known.join(", ")}. A password is never an argument: the user enters it on a page.`,
    });
  const what = issue.message.startsWith("must ") ? issue.message : "is missing or not of the right type";
  return new CodedError("parameter_invalid", `${name} ${what}.`, { hint: `It takes ${known.join(", ")}.` });
}

export const sessionTools: readonly SessionTool[] = [
  defineTool({
    name: "open_session",
    description: "Open a session for databases of the user's own. Pass its reference as session from then on.",
    input: v.strictObject({
      label: v.optional(v.pipe(v.string("must be text"), v.maxLength(80, "must be at most 80 characters"))),
    }),
    async run({ label }, { request, options }) {
      const { reference: session, session: opened } = await options.sessions.open(request.principal.id, label);
      const { id, idle_timeout_s } = opened;
      return toResult({ session, id, idle_timeout_s, templates: [...options.templates().keys()] });
    },
  }),
  defineTool({
    name: "connect_database",
    description: "Add a database to a session. The user enters the password on a page; never ask for it.",
    input: v.strictObject({ ...inSession, ...draftEntries }),
    properties: (templates) => ({
      template: { enum: [...templates.keys()], ...describeTemplates(templates) },
      ...leftOut(templates),
    }),
    async run({ session, ...input }, { request, options }) {
      return options.invitations.invite({ principal: request.principal.id, reference: session }, input, request);
    },
  }),
  defineTool({
    name: "list_connections",
    description: "List a session's databases.",
    isReading: true,
    input: v.strictObject(inSession),
    async run({ session }, { request, options }) {
      const { connections, id } = await options.sessions.show(request.principal.id, session);
      return toResult({ id, connections: connections.map(({ added_at: _, ...one }) => one) });
    },
  }),
  defineTool({
    name: "disconnect_database",
    description: "Remove a database from a session.",
    isDestructive: true,
    input: v.strictObject({ ...inSession, name: v.string("must be text") }),
    async run({ session, name }, { request, options }) {
      await options.sessions.disconnect({ principal: request.principal.id, reference: session }, name);
      return toResult({ disconnected: true });
    },
  }),
  defineTool({
    name: "close_session",
    description: "Close a session and forget its passwords.",
    isDestructive: true,
    input: v.strictObject(inSession),
    async run({ session }, { request, options }) {
      await options.sessions.close(request.principal.id, session);
      return toResult({ closed: true });
    },
  }),
];

/** What each template leaves to say, in a few words. */
function describeTemplates(templates: ReadonlyMap<string, Template>): Fields {
  const words = [...templates.values()].map((template) => {
    const open = (["database", "user"] as const).filter((field) => template[field] === undefined);
    const needs = [...(template.onlyHost === undefined ? ["host"] : []), ...open];
    const told = template.description ?? template.kind.title;
    return `${template.name}: ${told}${needs.length > 0 ? `; needs ${needs.join(", ")}` : ""}`;
  });
  return { description: words.join(". ") };
}
