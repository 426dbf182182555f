/** The command line: which commands there are, help, and errors that say what to write instead. */
import { createRequire } from "node:module";
import type { Argv } from "yargs";
import { answerCommand, askCommand, resumeCommand } from "./commands/ask.js";
import { completionCommand } from "./commands/completion.js";
import { connectCommand } from "./commands/connect.js";
import type { Command, Face } from "./commands/definition.js";
import { doctorCommand } from "./commands/doctor.js";
import { evalCommand } from "./commands/eval.js";
import { notesCommand } from "./commands/notes.js";
import { nameStdin } from "./commands/options.js";
import { checkCommand, inspectCommand, queryCommand } from "./commands/query.js";
import { runCommand } from "./commands/run.js";
import { serveCommand } from "./commands/serve.js";
import { schemaCommand, sessionsCommand } from "./commands/sessions.js";
import { AgentError, nearest, toErrorReport, withoutSecrets } from "./errors.js";
import { exitCodeOf, exitCodes, type Io, stylesOf } from "./faces/io.js";
import { hasPassword } from "./gateway/password.js";
import { readVersion } from "./version.js";

/** One file instead of twenty modules, which are half of what a command loads; and it breaks help between words. */
const yargs: () => Argv = createRequire(import.meta.url)("yargs/yargs");

const passwordWarning =
  "A password on a command line stands in the shell's history: use --password-file, --password-command, PGPASSWORD or MYSQL_PWD.";

/** All commands, in the order help lists them. */
const createCommands = (): readonly Command[] => {
  const commands: readonly Command[] = [
    connectCommand(() => commands.map(({ name }) => name)),
    runCommand,
    askCommand,
    answerCommand,
    resumeCommand,
    queryCommand,
    inspectCommand,
    checkCommand,
    notesCommand,
    evalCommand,
    doctorCommand,
    serveCommand,
    sessionsCommand,
    schemaCommand,
    completionCommand,
  ];
  return commands;
};

/** Runs a command line; the exit code is its result. @see exitCodes */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  if (argv[0] === "__complete") {
    await (await import("./faces/completion/completion.js")).answerShell(createCommands(), io);
    return exitCodes.ok;
  }
  let chosen: Face | undefined;
  const parser = createParser((face) => {
    chosen = face;
  });
  let printed = "";
  try {
    await parser.parseAsync(argv.map(nameStdin), {}, (_error: unknown, _parsed: unknown, output: string) => {
      printed = output;
    });
    if (printed !== "") io.stdout.write(`${printed}\n`);
    if (chosen === undefined) return exitCodes.ok;
    if (argv.some(hasPassword)) io.stderr.write(`${passwordWarning}\n`);
    return await chosen(io);
  } catch (error) {
    const report = toErrorReport(error);
    const { err } = stylesOf(io);
    const { formatError } = await import("./faces/print/pieces.js");
    io.stderr.write(`${formatError(report, err)}\n`);
    if (report.code === "internal" && /\bdb-agent\b/.test(io.environment.DEBUG ?? "") && error instanceof Error) {
      io.stderr.write(`${withoutSecrets(error.stack ?? "")}\n`);
    }
    return exitCodeOf(report.code);
  }
}

function createParser(choose: (face: Face) => void): Argv {
  const parser: Argv = yargs()
    .scriptName("db-agent")
    .usage("$0 [database..]\n$0 <command>\n\nDatabases from the terminal, from JSON files and from code, over MCP.")
    .parserConfiguration({ "camel-case-expansion": true, "parse-numbers": false, "parse-positional-numbers": false })
    .option("verbose", { type: "boolean", hidden: true });
  const commands = createCommands();
  for (const command of commands) command.register(parser, choose);
  parser
    .example("$0 postgres://me@localhost/shop", "open a database")
    .example("$0 --gateway http://127.0.0.1:8730", "use a gateway that runs")
    .epilogue(
      "Passwords: --password-file, --password-command, PGPASSWORD, ~/.pgpass and the like; variables in files.\n" +
        "Exit codes: 0 done, 1 a statement or connection failed, 2 wrong usage or configuration, 3 a human has to\nanswer first, 130 interrupted.",
    )
    .strict()
    .recommendCommands()
    .help()
    .alias("help", "h")
    .version(readVersion())
    .alias("version", "V")
    .wrap(100)
    .exitProcess(false);
  const optionNames = [...new Set(commands.flatMap((command) => command.optionNames)), "format", "help", "version"];
  parser.fail((message, error) => {
    throw error ?? toUsageError(message, optionNames);
  });
  return parser;
}

function toUsageError(message: string, optionNames: readonly string[]): AgentError {
  const unknown = /^Unknown arguments?: ([\w-]+)/.exec(message)?.[1];
  if (unknown === undefined) return new AgentError("usage", withoutSecrets(message), { hint: "db-agent --help" });
  const near = nearest(unknown, optionNames);
  return new AgentError("usage", `There is no option --${unknown}.`, {
    hint: near === undefined ? "db-agent --help lists the options." : `Did you mean --${near}?`,
  });
}
