/** Which gateway a command uses: the one at an address, one of a configuration file, or one for the databases given. */
import { readFile } from "node:fs/promises";
import type { Environment } from "../config-file.js";
import { AgentError } from "../errors.js";
import type { GatewaySpec, Mode } from "../gateway/launch.js";
import { type PasswordSource, withPasswords } from "../gateway/password.js";
import { type Databases, nameSource } from "../gateway/sources.js";

/** What the command line says about it. */
export interface GatewayFlags extends PasswordSource {
  /** Address of a running gateway. */
  readonly gateway?: string | undefined;
  readonly tokenFile?: string | undefined;
  /** A gateway's configuration file. */
  readonly config?: string | undefined;
  readonly databases: Databases;
  /** What those databases may do; read-only by default. */
  readonly mode?: Mode | undefined;
}

/**
 * Precedence: `--gateway`, databases, `--config`, then `MCP_GATEWAY_URL` and `DATABASE_URL`.
 * @throws AgentError `usage`
 */
export async function chooseGateway(flags: GatewayFlags, environment: Environment): Promise<GatewaySpec> {
  const hasDatabases = Object.keys(flags.databases).length > 0;
  if (flags.gateway !== undefined && (hasDatabases || flags.config !== undefined)) {
    throw new AgentError("usage", "A gateway that runs elsewhere has its own databases.", {
      hint: "Leave --gateway out to start one for these databases, or leave the databases out and use --source.",
    });
  }
  if (flags.mode !== undefined && (flags.gateway !== undefined || flags.config !== undefined)) {
    throw new AgentError("usage", "That gateway's own configuration says what its databases may do.", {
      hint: "Leave --mode out.",
    });
  }
  if (flags.gateway !== undefined) return remote(flags.gateway, flags.tokenFile, environment);
  if (hasDatabases && flags.config !== undefined) {
    throw new AgentError("usage", "Databases are given twice: as arguments and by --config.", {
      hint: "Use one of them.",
    });
  }
  const mode = flags.mode === undefined ? {} : { mode: flags.mode };
  if (hasDatabases) return { databases: await withPasswords(flags.databases, flags), ...mode };
  if (flags.config !== undefined) return { config: flags.config };
  const { MCP_GATEWAY_URL: address = "", DATABASE_URL: url = "" } = environment;
  if (address !== "") return remote(address, flags.tokenFile, environment);
  if (url !== "") return { databases: await withPasswords({ [nameSource(url)]: url }, flags), ...mode };
  throw new AgentError("usage", whichDatabase, {
    hint: "Give a URL (postgres://user@host/database, mysql://…), set DATABASE_URL, or point --gateway at a running gateway.",
  });
}

const whichDatabase = "Which database?";

/** Whether the command line and the environment simply name no database, which a person can be asked for. */
export const isUnnamed = (error: unknown): error is AgentError =>
  error instanceof AgentError && error.code === "usage" && error.message === whichDatabase;

/** The running gateway at an address, with the token of its file or of the environment. */
export async function remote(
  url: string,
  tokenFile: string | undefined,
  environment: Environment,
): Promise<GatewaySpec> {
  const file = tokenFile ?? environment.MCP_GATEWAY_TOKEN_FILE;
  const token = file === undefined || file === "" ? environment.MCP_GATEWAY_TOKEN : await readToken(file);
  return { url, ...(token === undefined || token === "" ? {} : { token }) };
}

async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw new AgentError("config_unreadable", `The token file cannot be read: ${file}`, { cause });
  }
}
