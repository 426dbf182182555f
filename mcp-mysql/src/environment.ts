/** The MYSQL_* variables, under the names a URL's parts and options have. Knows the variables, not their meaning. */
import { readFileSync } from "node:fs";
import { CodedError } from "@database-interface/mcp-core/host";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says about a connection; empty variables count as unset. */
export interface EnvironmentParts {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly database?: string | undefined;
  readonly options: ReadonlyMap<string, string>;
}

/** The client's own variables (MYSQL_HOST, MYSQL_TCP_PORT, MYSQL_UNIX_PORT, MYSQL_PWD) and those of the official images. */
export function environmentParts(environment: Environment): EnvironmentParts {
  const options = new Map<string, string>();
  for (const option of ["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key"]) {
    const value = environment[`MYSQL_${option.toUpperCase().replace("-", "_")}`];
    if (value) options.set(option, value);
  }
  const socket = environment.MYSQL_UNIX_PORT || environment.MYSQL_SOCKET;
  if (socket) options.set("socket", socket);
  return {
    user: environment.MYSQL_USER || secretOf(environment, "MYSQL_USER"),
    password: secretOf(environment, "MYSQL_PWD") ?? secretOf(environment, "MYSQL_PASSWORD"),
    host: environment.MYSQL_HOST || undefined,
    port: environment.MYSQL_TCP_PORT || environment.MYSQL_PORT || undefined,
    database: environment.MYSQL_DATABASE || undefined,
    options,
  };
}

/** A variable's value, or the text of the file that `<name>_FILE` names. @throws CodedError `config_unreadable` */
export function secretOf(environment: Environment, name: string): string | undefined {
  const path = environment[`${name}_FILE`];
  if (environment[name] || !path) return environment[name] || undefined;
  try {
    const text = readFileSync(path, "utf8");
    return text.endsWith("\n") ? text.slice(0, text.endsWith("\r\n") ? -2 : -1) : text;
  } catch (cause) {
    const hint = `${name}_FILE must name a file that this process may read.`;
    throw new CodedError("config_unreadable", `The file of ${name}_FILE cannot be read.`, { hint, cause });
  }
}
