/** Prompts for the usual jobs: texts that lead a model through the tools, with completion of the names they take. */
import {
  type GetPromptResult,
  type ListPromptsResult,
  ProtocolError,
  ProtocolErrorCode,
} from "@modelcontextprotocol/server";
import * as v from "valibot";
import { type ArgumentsSchema, parseArguments } from "./arguments.js";
import { chooseSource, type Service } from "./call.js";
import { toJsonString } from "./json-text.js";
import { type Argument, completeName, type KnownArguments } from "./resources.js";

/** Prompts of a server. */
export interface Prompts {
  list(): ListPromptsResult;
  /** @throws CodedError `parameter_invalid`, `source_unknown`; ProtocolError for an unknown prompt */
  get(name: string, given: unknown): Promise<GetPromptResult>;
  complete(name: string, argument: Argument, known: KnownArguments, signal: AbortSignal): Promise<readonly string[]>;
}

interface Prompt {
  readonly name: string;
  readonly description: string;
  readonly input: ArgumentsSchema;
  /** The text; `where` names the source if there is a choice. */
  write(input: Readonly<Record<string, string | undefined>>, where: string): string;
}

const described = (description: string) => v.pipe(v.string(), v.description(description));
const source = v.optional(described("The source to use"));

const all: readonly Prompt[] = [
  {
    name: "explore",
    description: "Get to know a database: its tables, how they relate, what they hold.",
    input: v.strictObject({ schema: v.optional(described("Only this schema")), source }),
    write: ({ schema }, where) =>
      [
        `Explore the database${where}${schema === undefined ? "" : `, schema ${toJsonString(schema)}`}.`,
        "1. search_objects for the tables and views, with their row estimates.",
        "2. describe_table for the five that matter most, and those they refer to.",
        "3. query a few rows and counts of each; aggregate rather than fetch.",
        "Then tell me what the database is about, how its tables relate, what looks unusual in the data, and five " +
          "questions it can answer, each with its SQL.",
      ].join("\n"),
  },
  {
    name: "explain-slow-query",
    description: "Find out why a statement is slow, and what would make it fast.",
    input: v.strictObject({ sql: described("The slow statement"), source }),
    write: ({ sql = "" }, where) =>
      [
        `This statement is slow${where}:`,
        `\n${sql}\n`,
        "1. explain it; use analyze only if it can finish in time.",
        "2. describe_table for the tables in the plan: sizes, indexes, types.",
        "3. Say which step costs most and why, quoting the plan.",
        "Then propose the smallest change that helps, an index or a rewrite, and explain the rewrite to prove it.",
      ].join("\n"),
  },
  {
    name: "draft-report",
    description: "Answer a question with figures from the database, each with the SQL behind it.",
    input: v.strictObject({ question: described("What the report is about"), source }),
    write: ({ question = "" }, where) =>
      [
        `Draft a report${where} on: ${question}`,
        "1. search_objects and describe_table until you know which tables answer it.",
        "2. query aggregates, not rows; check each figure a second way.",
        "Then write a headline answer, a table of the figures, what they leave open, and the SQL of each.",
      ].join("\n"),
  },
];

/** The prompts over these sources. */
export function createPrompts(service: Service): Prompts {
  const byName = new Map(all.map((prompt) => [prompt.name, prompt]));
  const severalSources = service.sources.size > 1;
  function find(name: string): Prompt {
    const prompt = byName.get(name);
    if (prompt !== undefined) return prompt;
    const known = [...byName.keys()].join(", ");
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, `There is no prompt of this name. There are ${known}.`);
  }
  return {
    list: () => ({
      prompts: all.map(({ name, description, input }) => ({
        name,
        description,
        arguments: Object.entries(input.entries)
          .filter(([argument]) => argument !== "source" || severalSources)
          .map(([argument, schema]) => toListedArgument(argument, schema)),
      })),
    }),
    async get(name, given) {
      const prompt = find(name);
      const input = parseArguments(prompt.input, given) as Record<string, string | undefined>; // prompts take strings only
      const chosen = input.source === undefined ? undefined : chooseSource(service, input.source).name;
      const where = chosen === undefined ? "" : ` (source ${chosen})`;
      return {
        description: prompt.description,
        messages: [{ role: "user", content: { type: "text", text: prompt.write(input, where) } }],
      };
    },
    async complete(name, argument, known, signal) {
      return Object.hasOwn(find(name).input.entries, argument.name)
        ? completeName(argument, known, service, signal)
        : [];
    },
  };
}

function toListedArgument(name: string, schema: v.ObjectEntries[string]) {
  const isOptional = schema.type === "optional";
  const inner = isOptional && "wrapped" in schema ? schema.wrapped : schema;
  const description = v.getDescription(inner as typeof source.wrapped); // every argument is a described string
  return { name, ...(description === undefined ? {} : { description }), required: !isOptional };
}
