/** Commands within commands, as data, and which of them a command line names. It parses no flags. */
import { describeSettings } from "./describe-settings.js";
import type { Settings } from "./setting.js";

/** An argument without a flag. */
export interface Positional {
  readonly name: string;
  readonly describe: string;
  /** Takes all that follow. */
  readonly multiple?: boolean;
}

/** What the command line of a command looks like; commands nest, and inherit the settings above them. */
export interface CommandLine {
  readonly name: string;
  readonly version: string;
  /** One sentence. */
  readonly summary: string;
  /** What follows the name on the usage line; made from the positionals when absent. */
  readonly usage?: string;
  readonly positionals?: readonly Positional[];
  readonly settings: Settings;
  /** Command and explanation. */
  readonly examples: readonly (readonly [command: string, explanation: string])[];
  readonly commands?: readonly CommandLine[];
}

/** The command that the first bare words name, with the settings of all commands above it. */
export function chooseCommand(top: CommandLine, args: readonly string[]) {
  let line = top;
  let settings = top.settings;
  const path: string[] = [];
  const rest = [...args];
  while (line.commands !== undefined) {
    const index = firstBareWord(rest, settings);
    const word = rest[index];
    const inner = line.commands.find(({ name }) => name === word);
    if (inner === undefined) break;
    rest.splice(index, 1);
    line = inner;
    settings = { ...settings, ...inner.settings };
    path.push(inner.name);
  }
  return { line, path, settings, rest };
}

/** Where the first argument is that is neither a flag nor a flag's value; -1 when there is none. */
function firstBareWord(args: readonly string[], settings: Settings): number {
  const rows = describeSettings(settings);
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    if (argument === "--") return -1;
    if (!argument.startsWith("-") || argument === "-") return index;
    const row = rows.find(({ flag, alias }) => flag === argument || (alias !== undefined && `-${alias}` === argument));
    if (row !== undefined && row.form !== "boolean") index++;
  }
  return -1;
}
