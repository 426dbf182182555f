/**
 * A tool as a value: its words, its input schema, what it does to a database, and what it answers. Listing and calling
 * both derive from it. It knows nothing of transports or of the MCP SDK's classes.
 */
import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { type ArgumentsSchema, parseArguments } from "./arguments.js";
import type { Call, Service } from "./call.js";
import { type Access, isAvailable, type Mode } from "./policy.js";

/** A tool of any input. */
export interface Tool {
  readonly name: string;
  readonly set: "core" | "dba";
  readonly access: Access;
  /** Whether a call must name its source where there are several. */
  readonly needsSource: boolean;
  readonly input: ArgumentsSchema;
  /** The shape of the answer of a tool that answers in JSON. */
  readonly output?: v.GenericSchema | undefined;
  describe(kind: Service["kind"]): string;
  /** Arguments that make no difference here, and are taken but not listed. */
  unlisted?(service: Pick<Service, "sources">): readonly string[];
  /** The text of the answer, and nothing else goes to the client. @throws CodedError */
  run(given: unknown, call: Call): Promise<string>;
}

interface ToolDefinition<Input extends ArgumentsSchema> extends Omit<Tool, "input" | "run"> {
  readonly input: Input;
  run(input: v.InferOutput<Input>, call: Call): Promise<string>;
}

/** A tool whose arguments are parsed by its own schema before it runs. */
export function defineTool<Input extends ArgumentsSchema>(definition: ToolDefinition<Input>): Tool {
  return { ...definition, run: (given, call) => definition.run(parseArguments(definition.input, given), call) };
}

/** The `source` every tool takes; listed only where there is a choice. */
export const sourceArgument = v.optional(v.string());

/** What `tools/list` says of a tool. */
export interface ListedTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: { readonly type: "object"; readonly [key: string]: unknown };
  readonly outputSchema?: { readonly type: "object"; readonly [key: string]: unknown };
  readonly annotations: { readonly readOnlyHint: boolean; readonly destructiveHint?: boolean };
}

/** The tools of a list that a mode and an operator's choice leave. */
export function chooseTools(all: readonly Tool[], mode: Mode, chosen: readonly string[]): readonly Tool[] {
  return all.filter(
    ({ name, set, access }) =>
      isAvailable(access, mode) && (chosen.includes("all") || chosen.includes(set) || chosen.includes(name)),
  );
}

/**
 * A tool as `tools/list` shows it, in few tokens: no schema dialect, no word a model does not need. The names of the
 * sources stand once, at the first tool, so that a further source costs its name and nothing else.
 */
export function listTool(
  tool: Tool,
  service: Pick<Service, "kind" | "sources" | "settings">,
  first: boolean,
): ListedTool {
  const { properties = {}, required = [] } = toListedSchema(tool.input, "input");
  const hidden = new Set(["source", ...(tool.unlisted?.(service) ?? [])]);
  const others = Object.fromEntries(Object.entries(properties).filter(([name]) => !hidden.has(name)));
  const severalSources = service.sources.size > 1;
  const source = first ? { enum: [...service.sources.keys()] } : { type: "string" };
  const needed = severalSources && tool.needsSource ? [...required, "source"] : required;
  return {
    name: tool.name,
    description: tool.describe(service.kind),
    inputSchema: {
      type: "object",
      properties: severalSources ? { ...others, source } : others,
      ...(needed.length > 0 ? { required: needed } : {}),
    },
    ...(service.settings.structured && tool.output
      ? { outputSchema: { type: "object", ...toListedSchema(tool.output, "output") } }
      : {}),
    annotations: tool.access === "read" ? { readOnlyHint: true } : { readOnlyHint: false, destructiveHint: true },
  };
}

interface ObjectJsonSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
}

function toListedSchema(schema: v.GenericSchema, typeMode: "input" | "output"): ObjectJsonSchema {
  const { $schema: _, additionalProperties: __, ...kept } = toJsonSchema(schema, { typeMode, errorMode: "ignore" });
  return kept as ObjectJsonSchema; // tools' schemas are objects, so are their JSON schemas
}
