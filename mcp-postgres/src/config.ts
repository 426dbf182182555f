/**
 * A source's connection settings, from a URL, the PG* environment or both. Everything is parsed here, nothing by the
 * driver, so that no URL option reaches the server unchecked. No message ever repeats a part of the URL's values.
 */
import { isIP } from "node:net";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import type { SourceConfig } from "@database-interface/mcp-core/sql";
import { type Environment, environmentOptions, secretOf } from "./environment.js";
import { invalid, parseHost, parseUrl } from "./url.js";

/** How the connection is protected, in libpq's words. */
export type SslMode = "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full";

/** Which of several hosts will do. */
export type TargetSession = "any" | "read-write" | "read-only" | "primary" | "standby" | "prefer-standby";

/** One server to try: a host name or address, or a directory (starting with `/`) that holds its Unix socket. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** The IP address that is connected to instead of asking for the name's; the name still has to be the certificate's. */
  readonly address?: string | undefined;
}

/** TLS settings; files are paths, read at every connect so that rotated certificates are picked up. */
export interface TlsConfig {
  readonly mode: SslMode;
  /** `system` means the certificate authorities Node.js ships. */
  readonly rootCertificate?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** Start with TLS at once instead of asking first (PostgreSQL 17). */
  readonly direct: boolean;
}

/** A parsed source. The password hides behind a function so that no log or dump of this object can show it. */
export interface PostgresConfig extends SourceConfig {
  readonly endpoints: readonly Endpoint[];
  readonly user: string;
  readonly password: (() => string) | undefined;
  /** Where a password is looked up when none was given. */
  readonly passwordFile: string;
  readonly tls: TlsConfig;
  readonly target: TargetSession;
  readonly applicationName: string;
  readonly connectTimeoutMs: number | undefined;
  /** True to take the hosts in random order. */
  readonly isBalanced: boolean;
  /** A pooler such as PgBouncer is said to stand in between; one that is not said to is found out. */
  readonly isPooled: boolean;
  /** Streaming replicas that reads may go to; mostly none. */
  readonly replicas: readonly Endpoint[];
  /** How old a replica's data may be at most, in milliseconds. */
  readonly maxReplicaLagMs: number;
}

const sslModes: readonly SslMode[] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
const targets: readonly TargetSession[] = ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"];

/** A source from its URL, the environment filling what the URL leaves out. @throws CodedError `url_invalid` */
export function parseSource(url: string, environment: Environment): PostgresConfig {
  const parsed = parseUrl(url);
  const options = new Map([...environmentOptions(environment), ...parsed.options]);
  const user = parsed.user ?? options.get("user") ?? systemUser(environment);
  const database = parsed.database ?? options.get("dbname") ?? user;
  const password = parsed.password ?? options.get("password") ?? secretOf(environment, "PGPASSWORD");
  const endpoints = toEndpoints(parsed.hosts, options, parsed.options.get("hostaddr"));
  return Object.freeze({
    database,
    label: `${user}@${endpoints.map(toAuthority).join(",")}/${database}`,
    endpoints,
    user,
    password: password === undefined ? undefined : () => password,
    passwordFile: options.get("passfile") ?? join(environment.HOME ?? homedir(), ".pgpass"),
    tls: toTls(options, environment),
    target: oneOf(options, "target_session_attrs", targets, "any"),
    applicationName: options.get("application_name") ?? "mcp-postgres",
    connectTimeoutMs: toTimeoutMs(options.get("connect_timeout")),
    isBalanced: oneOf(options, "load_balance_hosts", ["disable", "random"], "disable") === "random",
    isPooled:
      oneOf(options, "pooler", ["transaction", "auto"], "auto") === "transaction" ||
      oneOf(options, "pgbouncer", ["true", "false"], "false") === "true",
    replicas: toReplicas(options.get("replicas")),
    maxReplicaLagMs: toLagMs(options.get("max_replica_lag")),
  });
}

/** A source from `DATABASE_URL` or the PG* variables, undefined when neither names one. */
export function sourceFromEnvironment(environment: Environment): PostgresConfig | undefined {
  const url = secretOf(environment, "DATABASE_URL");
  if (url !== undefined) return parseSource(url, environment);
  const named = ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGUSER"].some((name) => environment[name]);
  return named ? parseSource("postgres://", environment) : undefined;
}

/**
 * The endpoints of the URL's hosts, else of `host` and `port`, paired as libpq pairs them. `hostaddr` gives the hosts'
 * addresses, the environment's only where the URL names no host: it was not meant for another one.
 */
function toEndpoints(
  hosts: readonly { readonly host: string; readonly port: string | undefined }[],
  options: ReadonlyMap<string, string>,
  ownAddresses: string | undefined,
): readonly Endpoint[] {
  const ports = (options.get("port") ?? "").split(",");
  const defaultPort = toPort(ports.length === 1 ? ports[0] : undefined);
  const named = hosts.filter(({ host }) => host !== "");
  if (named.length > 0) {
    const endpoints = named.map(({ host, port }) => ({ host, port: port === undefined ? defaultPort : toPort(port) }));
    return withAddresses(endpoints, ownAddresses);
  }
  const addresses = options.get("hostaddr");
  const names = (options.get("host") ?? addresses ?? "localhost").split(",");
  const urlPort = hosts[0]?.port;
  const endpoints = names.map((host, index) => ({
    host: host.trim() || "localhost",
    port: urlPort !== undefined ? toPort(urlPort) : ports.length > 1 ? toPort(ports[index]) : defaultPort,
  }));
  return withAddresses(endpoints, options.has("host") ? addresses : undefined);
}

function withAddresses(endpoints: readonly Endpoint[], list: string | undefined): readonly Endpoint[] {
  if (list === undefined || list === "") return endpoints;
  const addresses = list.split(",").map((address) => address.trim());
  if (addresses.length !== endpoints.length || addresses.some((address) => address !== "" && isIP(address) === 0)) {
    throw invalid("hostaddr is not one IP address for each host.", "Such as host=db.example.com&hostaddr=192.0.2.10.");
  }
  return endpoints.map((endpoint, index) => ({ ...endpoint, address: addresses[index] || undefined }));
}

function toReplicas(list: string | undefined): readonly Endpoint[] {
  if (list === undefined || list === "") return [];
  return list.split(",").map((text) => {
    const { host, port } = parseHost(text.trim());
    if (host === "") throw invalid("replicas is not a list of hosts.", "Such as replicas=replica1,replica2:5433.");
    return { host, port: toPort(port) };
  });
}

function toLagMs(text = "10s"): number {
  const [, digits, unit] = /^(\d{1,6})(ms|s|m)$/.exec(text) ?? [];
  const milliseconds = Number(digits) * ({ ms: 1, s: 1_000, m: 60_000 }[unit ?? ""] ?? Number.NaN);
  if (milliseconds >= 100 && milliseconds <= 3_600_000) return milliseconds;
  throw invalid("max_replica_lag is not a duration from 100ms to 60m.", "Such as max_replica_lag=5s.");
}

function toPort(text: string | undefined): number {
  if (text === undefined || text === "") return 5432;
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) {
    throw invalid("The port is not a number from 1 to 65535.", "Percent-encode / ? # : @ in a password.");
  }
  return port;
}

function toTls(options: ReadonlyMap<string, string>, environment: Environment): TlsConfig {
  const rootCertificate = options.get("sslrootcert");
  const folder = join(environment.HOME ?? homedir(), ".postgresql");
  const stated = oneOf(options, "sslmode", sslModes, rootCertificate === "system" ? "verify-full" : "prefer");
  // libpq, 34.19.1: "require" with a root certificate at hand verifies it like "verify-ca".
  const mode = stated === "require" && rootCertificate !== undefined ? "verify-ca" : stated;
  if (rootCertificate === "system" && mode !== "verify-full") {
    throw invalid("sslrootcert=system needs sslmode=verify-full.", "Any weaker mode would accept every public site.");
  }
  if ((options.get("sslcert") === undefined) !== (options.get("sslkey") === undefined)) {
    throw invalid("A client certificate needs both sslcert and sslkey.", `Add the missing one; see ${folder}.`);
  }
  return {
    mode,
    rootCertificate,
    certificate: options.get("sslcert"),
    key: options.get("sslkey"),
    direct: oneOf(options, "sslnegotiation", ["postgres", "direct"], "postgres") === "direct",
  };
}

function toTimeoutMs(text: string | undefined): number | undefined {
  if (text === undefined || text === "" || text === "0") return undefined;
  if (!/^\d{1,6}$/.test(text))
    throw invalid("connect_timeout is not a number of seconds.", "Such as connect_timeout=5.");
  return Number(text) * 1000;
}

function oneOf<Choice extends string>(
  options: ReadonlyMap<string, string>,
  name: string,
  choices: readonly Choice[],
  fallback: Choice,
): Choice {
  const value = options.get(name);
  if (value === undefined || value === "") return fallback;
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw invalid(`The option ${name} has an unknown value.`, `Use ${choices.join(", ")}.`);
  return choice;
}

function systemUser(environment: Environment): string {
  const named = environment.USER ?? environment.USERNAME;
  if (named !== undefined && named !== "") return named;
  try {
    return userInfo().username;
  } catch {
    return "postgres";
  }
}

function toAuthority({ host, port }: Endpoint): string {
  if (host.startsWith("/")) return `[${host}]:${port}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
