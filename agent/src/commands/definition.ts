/**
 * What a command is: its words, what may be written with it, and the face it leads to. Definitions are plain values, so
 * that help, the nearest name to a misspelt one and completion all come from them. Faces are loaded only when chosen.
 */
import type { ArgumentsCamelCase, Argv, InferredOptionTypes, Options, PositionalOptions } from "yargs";
import type { Io } from "../faces/io.js";

/** Runs the chosen face; its result is the exit code. */
export type Face = (io: Io) => Promise<number>;

/** A command of the command line. */
export interface Command {
  /** Its name, without its arguments. */
  readonly name: string;
  readonly describe: string;
  /** What may be written with it, for completion. */
  readonly positionals: readonly Parameter[];
  readonly options: readonly Parameter[];
  readonly optionNames: readonly string[];
  register(parser: Argv, choose: (face: Face) => void): void;
}

/** A positional or an option, as completion sees it. */
export interface Parameter {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly describe: string;
  /** The values there are; none where any may be given. */
  readonly choices: readonly string[];
  /** Without a value. */
  readonly isFlag: boolean;
  /** More than once. */
  readonly isList: boolean;
  readonly isHidden: boolean;
}

type PositionalTable = Readonly<Record<string, PositionalOptions>>;
type OptionTable = Readonly<Record<string, Options>>;

interface Definition<Positionals extends PositionalTable, Named extends OptionTable> {
  /** As yargs has it: `query <sql> [database..]`; several are aliases. */
  readonly words: string | readonly string[];
  readonly describe: string;
  readonly positionals?: Positionals;
  readonly options?: Named;
  readonly examples?: readonly (readonly [string, string])[];
  /** Reads what was written; what it returns is run once the whole line has proved right. */
  choose(parsed: ArgumentsCamelCase<InferredOptionTypes<Positionals & Named>>): Face;
}

/** Makes a command of its definition. */
export function defineCommand<
  const Positionals extends PositionalTable = Record<never, never>,
  const Named extends OptionTable = Record<never, never>,
>(definition: Definition<Positionals, Named>): Command {
  const { words, describe, positionals, options, examples = [] } = definition;
  const spoken = [words].flat().at(-1) ?? "";
  return {
    name: spoken.split(" ")[0] ?? spoken,
    describe,
    positionals: Object.entries(positionals ?? {}).map(toParameter),
    options: Object.entries(options ?? {}).map(toParameter),
    optionNames: Object.keys(options ?? {}),
    register(parser, choose) {
      parser.command(
        words,
        describe,
        (command) => {
          for (const [name, positional] of Object.entries(positionals ?? {})) command.positional(name, positional);
          for (const [line, meaning] of examples) command.example(line, meaning);
          return command.options(options ?? {});
        },
        // What yargs parsed by these two tables has their types; the two loops above hide that from the compiler.
        (parsed) => choose(definition.choose(parsed as Parameters<typeof definition.choose>[0])),
      );
    },
  };
}

function toParameter([name, { alias, choices, describe, type, array, hidden }]: [string, Options]): Parameter {
  return {
    name,
    aliases: [alias ?? []].flat(),
    describe: typeof describe === "string" ? describe : "",
    choices: (choices ?? []).map(String),
    isFlag: type === "boolean",
    isList: array === true,
    isHidden: hidden === true,
  };
}
