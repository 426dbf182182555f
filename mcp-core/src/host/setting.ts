/**
 * A setting: one schema and a few words, from which its flag, environment variables, config-file key, help text, README
 * row and JSON Schema all derive. Where values come from is `resolve-settings`; how they look is `describe-settings`.
 */
import type * as v from "valibot";

/** Any valibot schema that needs no waiting. */
export type SettingSchema = v.GenericSchema;

/** What a setting says besides its schema. */
export interface SettingOptions {
  /** One line for help texts and tables. */
  readonly describe: string;
  /** Environment variables that set it, the first that is set and not empty wins. */
  readonly env?: readonly string[];
  /** Its value is never shown; each of its variables has a `NAME_FILE` twin that names a file holding the value. */
  readonly secret?: boolean;
  /** The flag may be repeated, each time one item; without it a list is written with commas. */
  readonly multiple?: boolean;
  /** The flag without dashes; default the key in kebab-case. False: no flag. */
  readonly flag?: string | false;
  /** A single letter that stands for the flag. */
  readonly alias?: string;
  /** Whether the config file may set it. Default true. */
  readonly file?: boolean;
  /** What stands for the value in help texts, such as `seconds`. */
  readonly placeholder?: string;
  /** The value, as a person would write it, when nothing else sets it; it passes through the schema. */
  readonly default?: unknown;
  /** The heading in help texts. Default `Options`. */
  readonly group?: string;
}

/** One setting. */
export interface Setting<Schema extends SettingSchema = SettingSchema> extends SettingOptions {
  readonly schema: Schema;
}

/** All settings of a command by their camelCase key. */
export type Settings = Readonly<Record<string, Setting>>;

/** What the settings resolve to. */
export type SettingValues<S extends Settings> = { readonly [Key in keyof S]: v.InferOutput<S[Key]["schema"]> };

/** A setting from its schema; a schema that is not optional makes it required unless it has a default. */
export function setting<const Schema extends SettingSchema>(schema: Schema, options: SettingOptions): Setting<Schema> {
  return Object.freeze({ schema, ...options });
}

/** How a value is written: what text from flags and variables has to become before the schema sees it. */
export type SettingForm = "boolean" | "number" | "list" | "object" | "text";

/** The form of a setting, read from its schema. */
export function formOf(schema: SettingSchema): SettingForm {
  const inner = unwrap(schema);
  switch (inner.type) {
    case "boolean":
    case "number":
      return inner.type;
    case "array":
    case "tuple":
    case "set":
      return "list";
    case "object":
    case "loose_object":
    case "strict_object":
    case "record":
      return "object";
    default:
      return "text";
  }
}

/** The values of a choice, undefined when any text will do. */
export function choicesOf(schema: SettingSchema): readonly string[] | undefined {
  const inner = unwrap(schema);
  if (!("options" in inner) || !Array.isArray(inner.options)) return undefined;
  const options: readonly unknown[] = inner.options;
  return options.every((option) => typeof option === "string") ? options : undefined;
}

function unwrap(schema: SettingSchema): SettingSchema {
  if (!("wrapped" in schema)) return schema;
  return unwrap(schema.wrapped as SettingSchema); // valibot's optional, nullish and the like hold a schema there
}

/** The flag of a setting without its dashes, undefined when it has none. */
export function flagOf(key: string, { flag }: SettingOptions): string | undefined {
  if (flag === false) return undefined;
  return flag ?? key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
