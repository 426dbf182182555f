/**
 * The command line: arguments into flags, positionals and the command that was meant, misspelt ones refused. It runs
 * nothing and checks no value: that is for `run-command` and the settings' schemas.
 */
import yargs from "yargs";
import { type CommandLine, chooseCommand } from "./command-tree.js";
import { completionsFor } from "./completion.js";
import { describeSettings, type SettingDescription } from "./describe-settings.js";
import { CodedError } from "./errors.js";
import { helpText } from "./help-text.js";
import { nearestNames } from "./nearest.js";

/** What the arguments say: run this command, or print this and stop. */
export type ParsedArguments =
  | {
      readonly kind: "run";
      /** The chosen command's names below the top: `["run"]` for `db-agent run`. */
      readonly path: readonly string[];
      /** By setting key: text, lists of text, booleans. */
      readonly flags: Readonly<Record<string, unknown>>;
      readonly positionals: readonly string[];
    }
  | { readonly kind: "print"; readonly text: string };

/**
 * Parses arguments (without node and script); `columns` is the width for help texts.
 * @throws CodedError `usage` with the nearest flag or command
 */
export async function parseArguments(
  top: CommandLine,
  args: readonly string[],
  columns = 100,
): Promise<ParsedArguments> {
  if (args[0] === "--get-yargs-completions") {
    return {
      kind: "print",
      text: completionsFor(top, args.slice(2))
        .map((word) => `${word}\n`)
        .join(""),
    };
  }
  if (args[0] === "completion") return { kind: "print", text: await completionScript(top.name) };
  const { line, path, settings, rest } = chooseCommand(top, args);
  const rows = describeSettings(settings);
  const seeHelp = `See ${[top.name, ...path].join(" ")} --help.`;
  refuseBooleanValues(rows, rest);
  const argv = await parseFlags(rows, rest, seeHelp);
  if (argv.help === true) {
    return { kind: "print", text: helpText(line, { name: [top.name, ...path].join(" "), settings, columns }) };
  }
  if (argv.version === true) return { kind: "print", text: `${top.version}\n` };
  refuseUnknown(argv, rows, seeHelp);
  const positionals = Array.isArray(argv._) ? argv._.map(String) : [];
  checkPositionals(line, positionals, seeHelp);
  return { kind: "run", path, flags: toFlags(argv, rows), positionals };
}

async function parseFlags(rows: readonly SettingDescription[], args: readonly string[], hint: string) {
  const parser = yargs([])
    .parserConfiguration({
      "camel-case-expansion": false,
      "dot-notation": false,
      "greedy-arrays": false,
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "short-option-groups": false,
      "strip-aliased": true,
    })
    .help(false)
    .version(false)
    .detectLocale(false)
    .exitProcess(false)
    .option("help", { boolean: true, alias: "h" })
    .option("version", { boolean: true, alias: "V" })
    .fail((message: string | null, error: Error | undefined) => {
      throw new CodedError("usage", toSentence(message ?? error?.message ?? "The arguments cannot be understood"), {
        hint,
      });
    });
  for (const { flag, alias, form, multiple } of rows) {
    if (flag === undefined) continue;
    const type = form === "boolean" ? { boolean: true } : { string: true, requiresArg: true };
    parser.option(flag.slice(2), { ...type, array: form === "list" || multiple, ...(alias ? { alias } : {}) });
  }
  const argv: Readonly<Record<string, unknown>> = await parser.parseAsync([...args]);
  return argv;
}

function toSentence(message: string): string {
  const [, names] = /^Not enough arguments following: (.+)$/.exec(message.trim()) ?? [];
  return names === undefined ? `${message.trim().replace(/\.$/, "")}.` : `--${names.split(",")[0]} needs a value.`;
}

/** yargs reads `--flag=maybe` of a boolean as false; a word that is neither is a mistake. */
function refuseBooleanValues(rows: readonly SettingDescription[], args: readonly string[]): void {
  const booleans = new Set(rows.filter(({ form }) => form === "boolean").map(({ flag }) => flag));
  for (const argument of args) {
    if (argument === "--") return;
    const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(argument) ?? [];
    if (flag === undefined || !booleans.has(flag) || value === "true" || value === "false") continue;
    throw new CodedError("usage", `${flag} is a switch: it takes no value but true or false.`, {
      hint: `Write ${flag} or --no-${flag.slice(2)}.`,
    });
  }
}

function refuseUnknown(
  argv: Readonly<Record<string, unknown>>,
  rows: readonly SettingDescription[],
  hint: string,
): void {
  const flags = rows.flatMap(({ flag }) => flag ?? []);
  const known = new Set(["_", "$0", "help", "version", ...flags.map((flag) => flag.slice(2))]);
  for (const key of Object.keys(argv)) {
    if (known.has(key)) continue;
    const shown = key.length === 1 ? `-${key}` : `--${key.slice(0, 100)}`;
    const [meant] = nearestNames(shown, [...flags, "--help", "--version"], 1);
    throw new CodedError("usage", `Unknown option ${shown}.`, {
      hint: meant === undefined ? hint : `Did you mean ${meant}? ${hint}`,
    });
  }
}

function checkPositionals(line: CommandLine, words: readonly string[], hint: string): void {
  const allowed = line.positionals ?? [];
  if (allowed.some(({ multiple }) => multiple) || words.length <= allowed.length) return;
  const extra = (words[allowed.length] ?? "").slice(0, 100);
  const names = (line.commands ?? []).map(({ name }) => name);
  const [meant] = nearestNames(extra, [...names, "completion"], 1);
  const what = names.length > 0 && allowed.length === 0 ? `Unknown command ${extra}.` : "There are too many arguments.";
  throw new CodedError("usage", what, { hint: meant === undefined ? hint : `Did you mean ${meant}? ${hint}` });
}

function toFlags(
  argv: Readonly<Record<string, unknown>>,
  rows: readonly SettingDescription[],
): Record<string, unknown> {
  const flags: Record<string, unknown> = {};
  for (const { key, flag } of rows) {
    const value = flag === undefined ? undefined : argv[flag.slice(2)];
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) flags[key] = value;
  }
  return flags;
}

/** yargs' own script, for bash or zsh by the environment; it asks us back with `--get-yargs-completions`. */
async function completionScript(name: string): Promise<string> {
  let script = "";
  await yargs([])
    .scriptName(name)
    .completion("completion", false)
    .exitProcess(false)
    .parseAsync(["completion"], {}, (_error: unknown, _argv: unknown, output: string) => {
      script = output;
    });
  return `${script.trimEnd()}\n`;
}
