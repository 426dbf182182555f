/**
 * What may stand next on a command line: commands, options, their values, and names that only databases know. It knows the
 * commands by their definitions, and asks for names through functions that are given.
 */
import type { Command, Parameter } from "../../commands/definition.js";
import { parseLine } from "./line.js";

/** A candidate; `:files` in its place asks the shell for file names. */
export interface Candidate {
  readonly value: string;
  readonly describe?: string;
}

/** The gateway and databases a line names, for whoever looks names up. */
export interface NamedGateway {
  readonly gateway?: string | undefined;
  readonly config?: string | undefined;
  readonly databases: readonly string[];
  readonly source?: string | undefined;
}

/** Names that are looked up. */
export interface NameLookUps {
  sources(named: NamedGateway): Promise<readonly string[]>;
  tables(named: NamedGateway): Promise<readonly string[]>;
  /** Databases somebody has notes of. */
  noted(): Promise<readonly string[]>;
}

const files: readonly Candidate[] = [{ value: ":files" }];
/** Parameters whose values are files. */
const fileNames = new Set(["task", "cases", "config", "token-file", "auth-file", "password-file", "report"]);

/** The candidates for the last word of a line. */
export async function complete(
  line: string,
  commands: readonly Command[],
  lookUps: NameLookUps,
): Promise<readonly Candidate[]> {
  const { before, current } = parseLine(line);
  const [first, ...rest] = before;
  const named = commands.find(({ name }) => name === first);
  const command = named ?? commands[0];
  if (command === undefined) return [];
  const read = readWords(named === undefined ? before : rest, command);
  const gateway = { ...read.values, databases: read.positionals.filter((word) => word.includes("://")) };
  const [, option = "", typed = ""] = /^--([\w-]+)=(.*)$/s.exec(current) ?? [];
  if (option !== "") {
    const parameter = command.options.find(({ name }) => name === option);
    const values = parameter === undefined ? [] : await valuesOf(parameter, gateway, lookUps);
    return starting(
      values.filter(({ value }) => value !== ":files"),
      typed,
    ).map((one) => ({ ...one, value: `--${option}=${one.value}` }));
  }
  if (read.open !== undefined) return starting(await valuesOf(read.open, gateway, lookUps), current);
  if (current.startsWith("-")) return starting(optionsOf(command, read.used), current);
  const words = before.length === 0 ? commands.map(({ name, describe }) => ({ value: name, describe })) : [];
  const positional = command.positionals[Math.min(read.positionals.length, command.positionals.length - 1)];
  const isFull =
    positional === undefined || (read.positionals.length >= command.positionals.length && !positional.isList);
  if (isFull || named === undefined) return starting(words, current);
  return starting(await valuesOf(positional, gateway, lookUps), current);
}

/** What the words before the last one have said. */
function readWords(words: readonly string[], command: Command) {
  const positionals: string[] = [];
  const used = new Set<string>();
  const values: Record<string, string> = {};
  let open: Parameter | undefined;
  for (const word of words) {
    if (open !== undefined) {
      values[open.name] = word;
      open = undefined;
      continue;
    }
    const [, name = "", value] = /^--?([\w-]+)(?:=(.*))?$/s.exec(word) ?? [];
    const parameter = command.options.find((one) => one.name === name || one.aliases.includes(name));
    if (name === "") positionals.push(word);
    else if (parameter !== undefined) {
      if (!parameter.isList) used.add(parameter.name);
      if (value !== undefined) values[parameter.name] = value;
      else if (!parameter.isFlag) open = parameter;
    }
  }
  return { positionals, used, values, open };
}

function optionsOf({ options }: Command, used: ReadonlySet<string>): Candidate[] {
  const offered = options.filter(({ name, isHidden }) => !used.has(name) && !isHidden);
  const own = offered.map(({ name, describe }) => ({ value: `--${name}`, describe }));
  return [...own, { value: "--help", describe: "Show help" }];
}

async function valuesOf(
  { name, choices, describe }: Parameter,
  gateway: NamedGateway,
  lookUps: NameLookUps,
): Promise<readonly Candidate[]> {
  if (choices.length > 0) return choices.map((value) => ({ value, describe }));
  if (fileNames.has(name)) return files;
  const toCandidates = (names: readonly string[]): Candidate[] => names.map((value) => ({ value }));
  if (name === "source") {
    const [known, noted] = await Promise.all([lookUps.sources(gateway), lookUps.noted()]);
    return toCandidates([...new Set([...known, ...noted])]);
  }
  return name === "table-or-database" ? toCandidates(await lookUps.tables(gateway)) : [];
}

const starting = (candidates: readonly Candidate[], typed: string): Candidate[] =>
  candidates.filter(({ value }) => value.startsWith(typed) || value === ":files");
