/** Checks a part of the config by its schema, and says where it is wrong without ever showing a value. */
import { CodedError, nearestNames } from "@database-interface/mcp-core/host";
import * as v from "valibot";

/** Keys other hosts put there and that mean nothing here. */
export const foreignKeys = Object.fromEntries(
  ["autoApprove", "alwaysAllow", "gallery", "version", "description", "icon", "dev", "timeout", "trust", "note"].map(
    (key) => [key, v.optional(v.unknown())],
  ),
);

/** @throws CodedError `config_invalid` with the JSON path and the nearest known key */
export function check<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  path: string,
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const inner = v.getDotPath(issue);
  const at = [path, inner].filter(Boolean).join(".");
  if (issue.type === "strict_object" && issue.expected === "never") {
    const known =
      "entries" in schema && typeof schema.entries === "object" && schema.entries !== null
        ? Object.keys(schema.entries)
        : [];
    const [meant] = nearestNames(String(inner), known, 1);
    throw invalid(
      at,
      "is not a known key",
      meant === undefined
        ? `Known keys: ${known.filter((key) => !(key in foreignKeys)).join(", ")}.`
        : `Did you mean ${meant}?`,
    );
  }
  if (issue.type === "strict_object" && issue.received === "undefined") throw invalid(at, "is missing", "Add it.");
  throw invalid(
    at,
    issue.message.startsWith("must ") ? issue.message : "is not valid",
    "See the README for an example of each block.",
  );
}

/** An error at a path of the config. */
export function invalid(path: string, what: string, hint: string): CodedError {
  return new CodedError("config_invalid", `${path === "" ? "The config" : `\`${path}\` in the config`} ${what}.`, {
    hint,
  });
}
