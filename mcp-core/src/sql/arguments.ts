/** A call's arguments through the tool's own schema; what does not fit becomes an error a model can repair. */
import * as v from "valibot";
import { CodedError } from "../host/errors.js";
import { nearestNames } from "../host/nearest.js";

/** The schemas tools and prompts use: an object that refuses unknown keys. */
export type ArgumentsSchema = v.StrictObjectSchema<v.ObjectEntries, undefined>;

/**
 * The arguments, parsed.
 * @throws CodedError `parameter_invalid` naming the argument and what it should be
 */
export function parseArguments<Schema extends ArgumentsSchema>(schema: Schema, given: unknown): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, given ?? {});
  if (parsed.success) return parsed.output;
  throw toArgumentError(schema, parsed.issues[0]);
}

function toArgumentError(schema: ArgumentsSchema, issue: v.BaseIssue<unknown>): CodedError {
  const path = v.getDotPath(issue) ?? "arguments";
  const known = Object.keys(schema.entries);
  if (issue.type === "strict_object" && issue.expected === "never") {
    const near = nearestNames(path, known);
    return new CodedError("parameter_invalid", `There is no argument \`${path}\`.`, {
      hint: near.length > 0 ? `Did you mean \`${near[0]}\`?` : `The arguments are ${known.join(", ")}.`,
    });
  }
  if (issue.received === "undefined") {
    return new CodedError("parameter_invalid", `The argument \`${path}\` is missing.`, {
      hint: `Call again with \`${path}\`.`,
    });
  }
  return new CodedError("parameter_invalid", `\`${path}\` is not valid.`, {
    hint: `Expected ${issue.expected ?? "another value"}, received ${issue.received}.`,
  });
}
