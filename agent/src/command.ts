/** The command line: what may be written, help, and which face runs. Each face is loaded only when it is chosen. */
import yargs, { type Argv } from "yargs";
import { AgentError, nearest, toErrorReport, withoutSecrets } from "./errors.js";
import { exitCodeOf, exitCodes, type Io, stylesOf } from "./faces/io.js";
import { isDatabaseUrl, parseDatabases } from "./gateway/sources.js";
import { readVersion } from "./version.js";

const formats = ["table", "vertical", "markdown", "csv", "json", "jsonl"] as const;
const kinds = ["schema", "table", "view", "column", "index", "function"] as const;
const commandNames = ["connect", "run", "query", "inspect", "check", "sessions", "schema", "completion"];

const gatewayOptions = {
  gateway: { type: "string", describe: "Address of a running gateway (env MCP_GATEWAY_URL)", group: "Gateway:" },
  "token-file": { type: "string", describe: "File with its token (env MCP_GATEWAY_TOKEN)", group: "Gateway:" },
  config: { type: "string", describe: "Start a gateway with this configuration file", group: "Gateway:" },
} as const;
const sourceOption = { type: "string", alias: "s", describe: "Name of the database, when there are several" } as const;
const formatOption = { choices: formats, alias: ["format", "o"], describe: "How rows are written" } as const;
const quietOption = { type: "boolean", alias: "q", default: false, describe: "Nothing on stderr but errors" } as const;

const storeOption = {
  type: "string",
  describe: "Where sessions are kept: memory, file, file:<folder>, redis://… (env DB_AGENT_STORE)",
} as const;

/** Every option of every command, for the nearest name to a misspelt one. */
const optionNames = [
  ...Object.keys(gatewayOptions),
  ...[
    "source",
    "output",
    "format",
    "events",
    "quiet",
    "param",
    "max-rows",
    "all",
    "kind",
    "store",
    "session",
    "help",
    "version",
  ],
];

type Chosen = (io: Io) => Promise<number>;

/** Runs a command line; the exit code is its result. @see exitCodes */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let chosen: Chosen | undefined;
  const parser = createParser((face) => {
    chosen = face;
  });
  let printed = "";
  try {
    await parser.parseAsync(argv.map(nameStdin), {}, (_error: unknown, _parsed: unknown, output: string) => {
      printed = output;
    });
    if (printed !== "") io.stdout.write(`${printed}\n`);
    return chosen === undefined ? exitCodes.ok : await chosen(io);
  } catch (error) {
    const report = toErrorReport(error);
    const { err } = stylesOf(io);
    const { formatError } = await import("./faces/print/report.js");
    io.stderr.write(`${formatError(report, err)}\n`);
    if (report.code === "internal" && /\bdb-agent\b/.test(io.environment.DEBUG ?? "") && error instanceof Error) {
      io.stderr.write(`${withoutSecrets(error.stack ?? "")}\n`);
    }
    return exitCodeOf(report.code);
  }
}

/** yargs loses a positional `-`; what reads stdin there gets a name of its own on the way through. */
const stdinName = "stdin:";
function nameStdin(argument: string, index: number, argv: readonly string[]): string {
  return argument === "-" && ["run", "query"].includes(argv[index - 1] ?? "") ? stdinName : argument;
}
const unnameStdin = (argument: string): string => (argument === stdinName ? "-" : argument);

function createParser(choose: (face: Chosen) => void): Argv {
  const parser: Argv = yargs()
    .scriptName("db-agent")
    .usage("$0 [database..]\n$0 <command>\n\nDatabases from the terminal, from JSON files and from code, over MCP.")
    .parserConfiguration({ "camel-case-expansion": true, "parse-numbers": false, "parse-positional-numbers": false })
    .option("verbose", { type: "boolean", hidden: true })
    .command(
      ["$0 [database..]", "connect [database..]"],
      "Interactive: SQL, and \\? for the commands",
      (command) =>
        command
          .positional("database", { type: "string", array: true, describe: "A URL, or name=url; several are possible" })
          .options({ ...gatewayOptions, source: sourceOption }),
      (parsed) => {
        if (parsed._.length === 0) refuseMisspeltCommand(parsed.database);
        const databases = databasesOf(parsed.database);
        choose(async (io) => (await import("./faces/repl/repl.js")).runRepl({ ...parsed, databases }, io));
      },
    )
    .command(
      "run <task> [database..]",
      "Run a task file: connections, inspection, statements, output",
      (command) =>
        command
          .positional("task", { type: "string", demandOption: true, describe: "The JSON file; - reads stdin" })
          .positional("database", { type: "string", array: true, describe: "Takes the place of the task's own" })
          .options({
            ...gatewayOptions,
            output: formatOption,
            events: {
              type: "boolean",
              default: false,
              describe: "Write the events as JSON lines instead of the report",
            },
            store: storeOption,
            session: { type: "string", describe: "The reference id to run under, instead of a new one" },
            quiet: quietOption,
          })
          .example("$0 run examples/shop-report.json", "with DATABASE_URL set")
          .example("$0 run report.json --output json", "for programs"),
      ({ task, output, ...parsed }) => {
        const databases = databasesOf(parsed.database);
        choose(async (io) =>
          (await import("./faces/run.js")).runTask(
            { ...parsed, file: unnameStdin(task), format: output, databases },
            io,
          ),
        );
      },
    )
    .command(
      "query <sql> [database..]",
      "One statement's rows",
      (command) =>
        command
          .positional("sql", { type: "string", demandOption: true, describe: "The statement; - reads stdin" })
          .positional("database", { type: "string", array: true, describe: "A URL, or name=url" })
          .options({
            ...gatewayOptions,
            source: sourceOption,
            output: formatOption,
            param: {
              type: "string",
              array: true,
              alias: "p",
              nargs: 1,
              default: [],
              describe: "A value for $1… or ?, in order",
            },
            "max-rows": { type: "number", describe: "Rows at most" },
            all: { type: "boolean", default: false, describe: "Every page, to the end" },
            quiet: quietOption,
          })
          .example('$0 query "SELECT count(*) FROM orders" postgres://me@localhost/shop', "")
          .example('$0 query "SELECT * FROM orders" --all --output csv > orders.csv', "every row"),
      ({ sql, output, param, ...parsed }) => {
        const databases = databasesOf(parsed.database);
        choose(async (io) =>
          (await import("./faces/query.js")).runQuery(
            { ...parsed, sql: unnameStdin(sql), params: param, format: output, databases },
            io,
          ),
        );
      },
    )
    .command(
      "inspect [table-or-database..]",
      "What a database holds, or a table in full",
      (command) =>
        command
          .positional("table-or-database", { type: "string", array: true, describe: "Tables, and URLs" })
          .options({
            ...gatewayOptions,
            source: sourceOption,
            kind: { choices: kinds, describe: "What to list" },
            output: formatOption,
          })
          .example("$0 inspect orders postgres://me@localhost/shop", "columns, keys, indexes"),
      ({ tableOrDatabase = [], output, ...parsed }) => {
        const isUrl = (text: string): boolean => isDatabaseUrl(text.replace(/^[\w-]+=/, ""));
        const databases = parseDatabases(tableOrDatabase.filter(isUrl));
        const tables = tableOrDatabase.filter((text) => !isUrl(text));
        choose(async (io) =>
          (await import("./faces/query.js")).runInspect({ ...parsed, tables, format: output, databases }, io),
        );
      },
    )
    .command(
      "check [database..]",
      "Whether each database answers, and what it is",
      (command) =>
        command.positional("database", { type: "string", array: true, describe: "A URL, or name=url" }).options({
          ...gatewayOptions,
          source: sourceOption,
          output: { choices: ["table", "json"] as const, alias: ["format", "o"], describe: "How it is written" },
        }),
      ({ output, ...parsed }) => {
        const databases = databasesOf(parsed.database);
        choose(async (io) =>
          (await import("./faces/query.js")).runCheck({ ...parsed, json: output === "json", databases }, io),
        );
      },
    )
    .command(
      "sessions [action] [session]",
      "Earlier runs by their reference ids: list, show, delete",
      (command) =>
        command
          .positional("action", { choices: ["list", "show", "delete"] as const, default: "list" as const })
          .positional("session", { type: "string", describe: "The reference id" })
          .options({ store: storeOption, output: formatOption }),
      ({ output, ...parsed }) => {
        choose(async (io) => (await import("./faces/sessions.js")).runSessions({ ...parsed, format: output }, io));
      },
    )
    .command(
      "schema",
      "The JSON Schema of task files",
      (command) => command,
      () => {
        choose(async (io) => {
          const { taskJsonSchema } = await import("./task-json-schema.js");
          io.stdout.write(`${JSON.stringify(taskJsonSchema(), null, 2)}\n`);
          return exitCodes.ok;
        });
      },
    )
    .command(
      "completion",
      "Print a completion script for bash or zsh",
      (command) => command,
      () => {
        choose(async () => {
          parser.showCompletionScript();
          return exitCodes.ok;
        });
      },
    )
    .example("$0 postgres://me@localhost/shop", "open a database")
    .example("$0 --gateway http://127.0.0.1:8730", "use a gateway that runs")
    .epilogue(
      "Passwords: leave them to PGPASSWORD, ~/.pgpass and the like, or name environment variables in files.\n" +
        "Exit codes: 0 done, 1 a statement or connection failed, 2 wrong usage or configuration, 130 interrupted.",
    )
    .strict()
    .recommendCommands()
    .help()
    .alias("help", "h")
    .version(readVersion())
    .alias("version", "V")
    .wrap(100)
    .exitProcess(false);
  parser.fail((message, error) => {
    throw error ?? toUsageError(message);
  });
  return parser;
}

const databasesOf = (given: readonly string[] | undefined) => parseDatabases(given ?? []);

/** Where no command is named, a word that is no database is a misspelt command. */
function refuseMisspeltCommand([first]: readonly string[] = []): void {
  if (first !== undefined && /^[a-z-]+$/i.test(first)) {
    const near = nearest(first, commandNames);
    throw new AgentError("usage", `There is no command ${first}.`, {
      hint: near === undefined ? "db-agent --help lists the commands." : `Did you mean ${near}?`,
    });
  }
}

function toUsageError(message: string): AgentError {
  const unknown = /^Unknown arguments?: ([\w-]+)/.exec(message)?.[1];
  if (unknown === undefined) return new AgentError("usage", withoutSecrets(message), { hint: "db-agent --help" });
  const near = nearest(unknown, optionNames);
  return new AgentError("usage", `There is no option --${unknown}.`, {
    hint: near === undefined ? "db-agent --help lists the options." : `Did you mean --${near}?`,
  });
}
