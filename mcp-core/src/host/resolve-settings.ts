/**
 * Precedence in one place: flag > environment > config file > default, each value checked by its setting's own schema.
 * It reads no command line and no config file; it is given what they held.
 */
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { CodedError } from "./errors.js";
import { nearestNames } from "./nearest.js";
import { redactText } from "./redact.js";
import { flagOf, formOf, type Setting, type Settings, type SettingValues } from "./setting.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where values come from; all by setting key but the environment. */
export interface SettingSources {
  /** As the command line gave them: text, lists of text, booleans. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
  readonly environment?: Environment | undefined;
  /** The config file's object. */
  readonly file?: unknown;
}

/**
 * Resolves every setting.
 * @throws CodedError `config_invalid` naming the flag, variable or key and the remedy; never a secret's value
 */
export function resolveSettings<S extends Settings>(settings: S, sources: SettingSources): SettingValues<S> {
  const file = toFileValues(settings, sources.file);
  const values: Record<string, unknown> = {};
  for (const [key, one] of Object.entries(settings)) {
    const found = findValue(key, one, sources.flags ?? {}, sources.environment ?? {}, file);
    values[key] = parse(one, found);
  }
  return Object.freeze(values) as SettingValues<S>; // each value was parsed by its own setting's schema
}

/** A raw value and where it was found, in words. */
interface Found {
  readonly value: unknown;
  readonly name: string;
}

function findValue(
  key: string,
  one: Setting,
  flags: Readonly<Record<string, unknown>>,
  environment: Environment,
  file: Readonly<Record<string, unknown>>,
): Found {
  const flag = flagOf(key, one);
  const name = flag === undefined ? `\`${key}\`` : `--${flag}`;
  if (flags[key] !== undefined) return { value: fromText(one, flags[key], "flag"), name };
  const variable = findVariable(one, environment);
  if (variable !== undefined) return { value: fromText(one, variable.value, "variable"), name: variable.name };
  if (file[key] !== undefined) return { value: file[key], name: `\`${key}\` in the config file` };
  return { value: typeof one.default === "string" ? fromText(one, one.default, "variable") : one.default, name };
}

function findVariable(one: Setting, environment: Environment): { name: string; value: string } | undefined {
  for (const name of one.env ?? []) {
    const value = environment[name] || undefined;
    const path = one.secret ? environment[`${name}_FILE`] || undefined : undefined;
    if (value !== undefined && path !== undefined) {
      throw new CodedError("config_invalid", `${name} and ${name}_FILE are both set.`, { hint: "Unset one of them." });
    }
    if (value !== undefined) return { name, value };
    if (path !== undefined) return { name: `${name}_FILE`, value: readSecretFile(`${name}_FILE`, path) };
  }
  return undefined;
}

function readSecretFile(name: string, path: string): string {
  try {
    return readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch (cause) {
    throw new CodedError("config_unreadable", `The file that ${name} names cannot be read.`, {
      hint: `Check that ${path} exists and that this user may read it.`,
      cause,
    });
  }
}

/** Text as the form of its schema; what does not fit is left for the schema to refuse. */
function fromText(one: Setting, value: unknown, origin: "flag" | "variable"): unknown {
  const form = formOf(one.schema);
  if (form === "list") return toList(value, one.multiple === true && origin === "flag");
  const last = Array.isArray(value) ? value.at(-1) : value;
  if (typeof last !== "string") return last;
  if (form === "boolean")
    return { true: true, "1": true, yes: true, false: false, "0": false, no: false }[last.toLowerCase()] ?? last;
  if (form === "number") return /^-?\d+(\.\d+)?$/.test(last.trim()) ? Number(last) : last;
  return last;
}

function toList(value: unknown, asItems: boolean): unknown {
  const items: unknown[] = Array.isArray(value) ? value : [value];
  if (asItems) return items;
  return items.flatMap((item) =>
    typeof item === "string"
      ? item
          .split(/[,\n]/)
          .map((part) => part.trim())
          .filter((part) => part !== "")
      : [item],
  );
}

function toFileValues(settings: Settings, file: unknown): Readonly<Record<string, unknown>> {
  if (file === undefined) return {};
  if (typeof file !== "object" || file === null || Array.isArray(file)) {
    throw new CodedError("config_invalid", "The config file must hold one object.", {
      hint: "Start it with { and end it with }.",
    });
  }
  const known = Object.keys(settings).filter((key) => settings[key]?.file !== false);
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(file)) {
    if (key === "$schema") continue;
    if (!known.includes(key)) throw unknownKey(key, known);
    values[key] = value;
  }
  return values;
}

function unknownKey(key: string, known: readonly string[]): CodedError {
  const meant = nearestNames(key.replace(/[-_]/g, ""), known, 1)[0];
  return new CodedError("config_invalid", `Unknown key \`${key.slice(0, 100)}\` in the config file.`, {
    hint: meant === undefined ? `Known keys: ${known.join(", ")}.` : `Did you mean \`${meant}\`?`,
  });
}

function parse(one: Setting, { value, name }: Found): unknown {
  const result = v.safeParse(one.schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  if (value === undefined) {
    const variables = one.env?.length ? ` or ${one.env.join(" or ")}` : "";
    throw new CodedError("config_invalid", `${name} is required.`, {
      hint: `Set ${name}${variables}: ${one.describe}`,
    });
  }
  const path = v.getDotPath(issue);
  const place = path === null ? name : `${name} at ${path}`;
  const shown =
    one.secret || typeof issue.input === "object" ? "" : ` Not: ${redactText(String(issue.input).slice(0, 100))}.`;
  throw new CodedError("config_invalid", `${place} ${toSentence(issue)}.${shown}`, { hint: one.describe });
}

/** Our own schemas say `must be …`; valibot's messages quote the input, which may be a secret, so only `expected` is used. */
function toSentence(issue: v.BaseIssue<unknown>): string {
  if (issue.message.startsWith("must ")) return issue.message;
  if (issue.type === "strict_object" && issue.expected === "never") return "is not a known key";
  if (issue.expected === null) return "is not valid";
  const word = plainWords[issue.expected];
  if (word !== undefined) return `must be ${word}`;
  const choices = issue.expected.replace(/^\((.*)\)$/s, "$1").replaceAll('"', "");
  return `must be ${choices === issue.expected ? choices : `one of ${choices.replaceAll(" | ", ", ")}`}`;
}

/** valibot's names of types, for people. */
const plainWords: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  boolean: "true or false",
  Array: "a list",
  Object: "an object",
};
