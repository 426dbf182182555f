/** The options several commands share, each written once. */
import { parseDatabases } from "../gateway/sources.js";

const formats = ["table", "vertical", "markdown", "csv", "json", "jsonl"] as const;

export const gatewayOptions = {
  gateway: { type: "string", describe: "Address of a running gateway (env MCP_GATEWAY_URL)", group: "Gateway:" },
  "token-file": { type: "string", describe: "File with its token (env MCP_GATEWAY_TOKEN)", group: "Gateway:" },
  config: { type: "string", describe: "Start a gateway with this configuration file", group: "Gateway:" },
  "password-file": {
    type: "string",
    describe: "File with the password for the URLs given; also PGPASSWORD, ~/.pgpass and the like",
    group: "Gateway:",
  },
  "password-command": { type: "string", describe: "Command that prints it", group: "Gateway:" },
  mode: {
    choices: ["read-only", "approve", "write"],
    describe: "What databases given by URL may do; a human allows each write of the agent's in any case",
    group: "Gateway:",
  },
} as const;

export const sourceOption = {
  type: "string",
  alias: "s",
  describe: "Name of the database, when there are several",
} as const;

export const formatOption = { choices: formats, alias: ["format", "o"], describe: "How rows are written" } as const;

export const quietOption = {
  type: "boolean",
  alias: "q",
  default: false,
  describe: "Nothing on stderr but errors",
} as const;

export const storeOption = {
  type: "string",
  describe: "Where sessions are kept: memory, file, file:<folder>, redis://… (env DB_AGENT_STORE)",
} as const;

/** Databases given as arguments. */
export const databasePositional = { type: "string", array: true, describe: "A URL, or name=url" } as const;

/** @throws AgentError `usage` */
export const databasesOf = (given: readonly string[] | undefined) => parseDatabases(given ?? []);

/** yargs loses a positional `-`; what reads stdin there gets a name of its own on the way through. */
const stdinName = "stdin:";
export const nameStdin = (argument: string, index: number, argv: readonly string[]): string =>
  argument === "-" && ["run", "query", "ask", "add", "eval"].includes(argv[index - 1] ?? "") ? stdinName : argument;
export const unnameStdin = (argument: string): string => (argument === stdinName ? "-" : argument);
