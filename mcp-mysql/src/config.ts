/**
 * A source's settings, from a URL, the MYSQL_* environment or both; the URL wins. Everything is decided here, nothing
 * by the driver, and no message repeats a value.
 */
import { isIP } from "node:net";
import { userInfo } from "node:os";
import type { SourceConfig } from "@database-interface/mcp-core/sql";
import { type Environment, environmentParts, secretOf } from "./environment.js";
import { parseUrl, type UrlHost, urlInvalid } from "./url.js";

/** How the connection is protected, in the words of MySQL's own clients. */
export type SslMode = "DISABLED" | "PREFERRED" | "REQUIRED" | "VERIFY_CA" | "VERIFY_IDENTITY";

/** One server to try, in the order given. */
export type Endpoint =
  | {
      readonly host: string;
      readonly port: number;
      /** The IP address that is connected to instead of asking for the name's; the name still has to be the certificate's. */
      readonly address?: string | undefined;
    }
  | { readonly socketPath: string };

/** TLS settings; the files are read at every connect, so that renewed certificates are picked up. */
export interface TlsConfig {
  readonly mode: SslMode;
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

/** A parsed source. The password is a function, so that no dump of this object shows it. */
export interface MysqlConfig extends SourceConfig {
  readonly endpoints: readonly Endpoint[];
  /** True to take the hosts in random order. */
  readonly isBalanced: boolean;
  readonly user: string;
  readonly password: (() => string) | undefined;
  readonly tls: TlsConfig;
  /** Milliseconds, where the URL says so. */
  readonly connectTimeoutMs: number | undefined;
}

/** Spellings of `ssl-mode`, those of PostgreSQL's clients among them. */
const sslModes: Readonly<Record<string, SslMode>> = {
  disabled: "DISABLED",
  disable: "DISABLED",
  preferred: "PREFERRED",
  prefer: "PREFERRED",
  required: "REQUIRED",
  require: "REQUIRED",
  "verify-ca": "VERIFY_CA",
  "verify-identity": "VERIFY_IDENTITY",
  "verify-full": "VERIFY_IDENTITY",
};

/** A source from its URL, the environment filling what the URL leaves out. @throws CodedError `url_invalid` */
export function parseSource(url: string, environment: Environment): MysqlConfig {
  const named = parseUrl(url);
  const around = environmentParts(environment);
  const options = new Map([...around.options, ...named.options]);
  // A host in the URL is meant: a socket of the environment must not take its place.
  if (named.hosts.length > 0 && !named.options.has("socket")) options.delete("socket");
  const user = named.user ?? around.user ?? loginName(environment);
  const database = named.database ?? around.database ?? "";
  const password = named.password ?? around.password;
  const endpoints = withAddresses(toEndpoints(named.hosts, options.get("socket"), around), options.get("hostaddr"));
  return Object.freeze({
    database,
    label: `${user}@${endpoints.map(toPlace).join(",")}/${database}`,
    endpoints,
    isBalanced: toBalance(options.get("load-balance-hosts")) === "random",
    user,
    password: password === undefined ? undefined : () => password,
    tls: toTls(options),
    connectTimeoutMs: toTimeoutMs(options.get("connect-timeout")),
  });
}

/** A source from `DATABASE_URL` where its scheme is ours, else from the MYSQL_* variables; undefined for neither. */
export function sourceFromEnvironment(environment: Environment): MysqlConfig | undefined {
  const url = secretOf(environment, "DATABASE_URL");
  if (url !== undefined && /^\s*(?:mysql|mariadb):/i.test(url)) return parseSource(url, environment);
  const { host, user, database, options } = environmentParts(environment);
  return host || user || database || options.has("socket") ? parseSource("mysql://", environment) : undefined;
}

function toEndpoints(
  hosts: readonly UrlHost[],
  socket: string | undefined,
  around: { readonly host?: string | undefined; readonly port?: string | undefined },
): readonly Endpoint[] {
  if (socket !== undefined && socket !== "") return [{ socketPath: socket }];
  const wanted = hosts.some(({ host }) => host !== "")
    ? hosts
    : [{ host: around.host ?? "localhost", port: hosts[0]?.port ?? around.port }];
  return wanted.map(({ host, port }) => {
    // A host that is a path is the percent-encoded path of a socket, as in mysql://user@%2Frun%2Fmysqld.sock/db.
    if (host.startsWith("/")) return { socketPath: host };
    return { host: host || "localhost", port: toPort(port ?? (hosts.length === 0 ? around.port : undefined)) };
  });
}

/** `hostaddr`: an address for each host, as in libpq's URLs. */
function withAddresses(endpoints: readonly Endpoint[], list = ""): readonly Endpoint[] {
  if (list === "") return endpoints;
  const addresses = list.split(",");
  if (addresses.length !== endpoints.length || addresses.some((address) => address !== "" && isIP(address) === 0))
    throw urlInvalid(
      "hostaddr is not one IP address for each host.",
      "Such as mysql://user@db.example.com/shop?hostaddr=192.0.2.10.",
    );
  return endpoints.map((endpoint, index) =>
    "host" in endpoint ? { ...endpoint, address: addresses[index] || undefined } : endpoint,
  );
}

function toPort(text: string | undefined): number {
  if (text === undefined) return 3306;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw urlInvalid("The port is out of range.", "Use a number from 1 to 65535; percent-encode : and @ in a password.");
}

function toTls(options: ReadonlyMap<string, string>): TlsConfig {
  const ca = options.get("ssl-ca") || undefined;
  const certificate = options.get("ssl-cert") || undefined;
  const key = options.get("ssl-key") || undefined;
  const text = options.get("ssl-mode");
  const mode = text ? sslModes[text.toLowerCase().replaceAll("_", "-")] : ca === undefined ? "PREFERRED" : "VERIFY_CA";
  if (mode === undefined) {
    throw urlInvalid(
      "ssl-mode has an unknown value.",
      "Use DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY.",
    );
  }
  if ((certificate === undefined) !== (key === undefined)) {
    throw urlInvalid("A client certificate needs its key.", "Give both ssl-cert and ssl-key.");
  }
  return { mode, ca, certificate, key };
}

function toBalance(text = ""): "disable" | "random" {
  if (text === "" || text === "disable") return "disable";
  if (text === "random") return text;
  throw urlInvalid("load-balance-hosts has an unknown value.", "Use disable or random.");
}

function toTimeoutMs(text: string | undefined): number | undefined {
  if (!text) return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) > 0) return Number(text) * 1_000;
  throw urlInvalid("connect-timeout is not a number of seconds.", "Such as connect-timeout=5.");
}

function loginName(environment: Environment): string {
  if (environment.USER) return environment.USER;
  try {
    return userInfo().username;
  } catch {
    // A container's user without an entry in passwd.
    return "root";
  }
}

function toPlace(endpoint: Endpoint): string {
  if ("socketPath" in endpoint) return `[${endpoint.socketPath}]`;
  const { host, port } = endpoint;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
