/**
 * A connection that somebody asks for, before it is tried: each field is a name within the bounds of its template. None
 * of them can become a command, an argument, an environment variable's name or a path.
 */
import { CodedError, nearestNames } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import type { Template } from "../template.js";
import { isHost, toPlainHost } from "./host-rules.js";
import { assertListed } from "./target.js";

/** Text for a name: no control characters, none of the invisible ones that make two names look alike. */
const nameText = v.pipe(
  v.string("must be text"),
  v.minLength(1, "must not be empty"),
  v.maxLength(128, "must be at most 128 characters"),
  v.regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]+$/u, "must hold no control or invisible characters"),
);

/** What a client may say of a connection; which of it is needed is up to the template. */
export const draftEntries = {
  template: v.pipe(v.string("must be text"), v.maxLength(63, "must be the name of a template")),
  /** What it is called in the session. Default: the template's name. */
  name: v.optional(
    v.pipe(
      v.string("must be text"),
      v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, "must be a name of letters, digits, _ . and -, at most 63"),
    ),
  ),
  host: v.optional(v.pipe(v.string("must be text"), v.maxLength(255, "must be a host"))),
  port: v.optional(
    v.pipe(
      v.number("must be a port"),
      v.integer("must be a port"),
      v.minValue(1, "must be a port"),
      v.maxValue(65_535, "must be a port"),
    ),
  ),
  database: v.optional(nameText),
  user: v.optional(nameText),
};

export const draftSchema = v.strictObject(draftEntries);
export type DraftInput = v.InferOutput<typeof draftSchema>;

/** Bounded, and without NUL, which no database takes in a password. */
export const passwordSchema = v.pipe(
  v.string("must be text"),
  v.maxLength(1_024, "must be at most 1024 characters"),
  v.regex(/^[^\0]*$/, "must not hold NUL"),
);

/** A connection to try: everything it needs but the password. */
export interface Draft {
  readonly name: string;
  readonly template: Template;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/**
 * Fills a client's words in from the template.
 * @throws CodedError `template_unknown`, `parameter_invalid`, `target_forbidden`
 */
export function toDraft(input: DraftInput, templates: ReadonlyMap<string, Template>): Draft {
  const template = templates.get(input.template);
  if (template === undefined) throw templateUnknown(input.template, [...templates.keys()]);
  const host = toPlainHost(input.host ?? template.onlyHost?.host ?? "");
  if (host === "") throw missing("host", "The template may reach several: say which.");
  if (!isHost(host)) throw new CodedError("parameter_invalid", "`host` must be a host name or an IP address.");
  const draft = {
    name: input.name ?? template.name,
    template,
    host,
    port: input.port ?? template.onlyHost?.port ?? template.kind.defaultPort,
    database: choose("database", input.database, template.database),
    user: choose("user", input.user, template.user),
  };
  assertListed(draft, template);
  return draft;
}

/** A template's own value counts; a client that asks for another is told so. */
function choose(field: "database" | "user", given: string | undefined, fixed: string | undefined): string {
  if (fixed !== undefined && given !== undefined && given !== fixed) {
    throw new CodedError("parameter_invalid", `\`${field}\` is fixed by the template.`, { hint: "Leave it out." });
  }
  const value = fixed ?? given;
  if (value === undefined) throw missing(field, "The template leaves it open: say which.");
  return value;
}

const missing = (field: string, hint: string): CodedError =>
  new CodedError("parameter_invalid", `\`${field}\` is missing.`, { hint });

function templateUnknown(given: string, known: readonly string[]): CodedError {
  const near = nearestNames(given, known);
  return new CodedError("template_unknown", "There is no template of this name.", {
    hint:
      near.length > 0 ? `Did you mean ${near.join(" or ")}?` : `The templates are ${known.slice(0, 20).join(", ")}.`,
  });
}
