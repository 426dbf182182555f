/** The PG* variables, under the names the URL's options have. Knows which variables exist, not what they mean. */
import { readFileSync } from "node:fs";
import { CodedError } from "@database-interface/mcp-core/host";

export type Environment = Readonly<Record<string, string | undefined>>;

const variables: Readonly<Record<string, string>> = {
  PGHOST: "host",
  PGHOSTADDR: "hostaddr",
  PGPORT: "port",
  PGDATABASE: "dbname",
  PGUSER: "user",
  PGPASSFILE: "passfile",
  PGSSLMODE: "sslmode",
  PGSSLROOTCERT: "sslrootcert",
  PGSSLCERT: "sslcert",
  PGSSLKEY: "sslkey",
  PGSSLNEGOTIATION: "sslnegotiation",
  PGCONNECT_TIMEOUT: "connect_timeout",
  PGAPPNAME: "application_name",
  PGTARGETSESSIONATTRS: "target_session_attrs",
  PGLOADBALANCEHOSTS: "load_balance_hosts",
};

/** The options the environment sets, without the password. */
export function environmentOptions(environment: Environment): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const [variable, option] of Object.entries(variables)) {
    const value = environment[variable];
    if (value !== undefined && value !== "") options.set(option, value);
  }
  return options;
}

/** A secret from its variable, or from the file that `<name>_FILE` names. @throws CodedError `config_unreadable` */
export function secretOf(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  if (value !== undefined && value !== "") return value;
  const file = environment[`${name}_FILE`];
  if (file === undefined || file === "") return undefined;
  try {
    return readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (cause) {
    throw new CodedError("config_unreadable", `The file that ${name}_FILE names cannot be read.`, {
      hint: "Check the path and its permissions.",
      cause,
    });
  }
}
