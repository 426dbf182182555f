/** Settings as data for others to show: help texts, README tables, the JSON Schema of the config file. It shows no values. */
import { toJsonSchema } from "@valibot/to-json-schema";
import { choicesOf, flagOf, formOf, type Setting, type SettingForm, type Settings } from "./setting.js";

/** One setting as a table row. */
export interface SettingDescription {
  readonly key: string;
  /** With its dashes, undefined for a setting without a flag. */
  readonly flag: string | undefined;
  readonly alias: string | undefined;
  readonly env: readonly string[];
  /** Whether the config file may set it, under `key`. */
  readonly inFile: boolean;
  readonly describe: string;
  readonly form: SettingForm;
  readonly choices: readonly string[] | undefined;
  readonly placeholder: string | undefined;
  /** The default as a person would write it, undefined when there is none or it is secret. */
  readonly default: string | undefined;
  readonly group: string;
  readonly secret: boolean;
  readonly multiple: boolean;
}

/** A row per setting, in their order. */
export function describeSettings(settings: Settings): SettingDescription[] {
  return Object.entries(settings).map(([key, one]) => {
    const flag = flagOf(key, one);
    const env = one.env ?? [];
    return {
      key,
      flag: flag === undefined ? undefined : `--${flag}`,
      alias: one.alias,
      env: one.secret ? env.flatMap((name) => [name, `${name}_FILE`]) : env,
      inFile: one.file !== false,
      describe: one.describe,
      form: formOf(one.schema),
      choices: choicesOf(one.schema),
      placeholder: one.placeholder,
      default: defaultText(one),
      group: one.group ?? "Options",
      secret: one.secret === true,
      multiple: one.multiple === true,
    };
  });
}

/** The JSON Schema (draft 2020-12) of a config file with these settings; `$schema` is allowed in it, unknown keys are not. */
export function settingsJsonSchema(settings: Settings): Record<string, unknown> {
  const properties: Record<string, unknown> = { $schema: { type: "string" } };
  for (const [key, one] of Object.entries(settings)) {
    if (one.file === false) continue;
    const { $schema: _dialect, ...schema } = toJsonSchema(one.schema, {
      target: "draft-2020-12",
      typeMode: "input",
      errorMode: "ignore",
    });
    const fallback = one.secret || one.default === undefined ? {} : { default: one.default };
    properties[key] = { ...schema, description: one.describe, ...fallback };
  }
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties,
    additionalProperties: false,
  };
}

function defaultText(one: Setting): string | undefined {
  if (one.secret) return undefined;
  const value = one.default ?? ("default" in one.schema ? one.schema.default : undefined);
  if (value === undefined || value === null || typeof value === "function") return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.join(",");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
