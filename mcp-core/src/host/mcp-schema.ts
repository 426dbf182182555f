/** Valibot schemas as the MCP SDK wants them: converted to JSON Schema once, and never failing a whole `tools/list`. */
import type { StandardSchemaWithJSON } from "@modelcontextprotocol/server";
import { toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";

type Converted<Schema extends v.GenericSchema> = StandardSchemaWithJSON<v.InferInput<Schema>, v.InferOutput<Schema>>;

const converted = new WeakMap<v.GenericSchema, unknown>();

/**
 * The schema for `registerTool` and `registerPrompt`. The same schema gives the same object, so that a server made anew
 * for each request converts nothing anew; what JSON Schema cannot say (trim, transforms, checks) is left out of it and
 * still enforced.
 */
export function toMcpSchema<Schema extends v.GenericSchema>(schema: Schema): Converted<Schema> {
  const known = converted.get(schema);
  if (known !== undefined) return known as Converted<Schema>; // stored below for this very schema
  const standard: Converted<Schema> = {
    "~standard": {
      ...schema["~standard"],
      jsonSchema: { input: memoise(schema, "input"), output: memoise(schema, "output") },
    },
  };
  converted.set(schema, standard);
  return standard;
}

const targets = ["draft-07", "draft-2020-12", "openapi-3.0"] as const;

function memoise(schema: v.GenericSchema, typeMode: "input" | "output") {
  const byTarget = new Map<string, Record<string, unknown>>();
  return (options: { readonly target: string }): Record<string, unknown> => {
    const known = byTarget.get(options.target);
    if (known !== undefined) return known;
    const target = targets.find((one) => one === options.target) ?? "draft-2020-12";
    const { $schema: _dialect, ...json } = toJsonSchema(schema, { target, typeMode, errorMode: "ignore" });
    byTarget.set(options.target, json);
    return json;
  };
}
