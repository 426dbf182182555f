/**
 * The grammar of a MySQL or MariaDB connection URL: several hosts, IPv6 in brackets, a percent-encoded socket path,
 * options. The driver never sees the URL: it would honour multipleStatements and permitLocalInfile. Options outside the
 * short list are refused, and no value is ever repeated in an error.
 */
import { CodedError } from "@database-interface/mcp-core/host";

/** The percent-decoded parts of a URL. */
export interface UrlParts {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly hosts: readonly UrlHost[];
  readonly database?: string | undefined;
  /** By canonical name, such as `ssl-mode`. */
  readonly options: ReadonlyMap<string, string>;
}

export interface UrlHost {
  readonly host: string;
  readonly port?: string | undefined;
}

/** Every spelling that is understood, and the name it is known by here. */
const spellings: Readonly<Record<string, string>> = {
  "ssl-mode": "ssl-mode",
  sslmode: "ssl-mode",
  "ssl-ca": "ssl-ca",
  sslca: "ssl-ca",
  sslrootcert: "ssl-ca",
  "ssl-cert": "ssl-cert",
  sslcert: "ssl-cert",
  "ssl-key": "ssl-key",
  sslkey: "ssl-key",
  socket: "socket",
  socketpath: "socket",
  "unix-socket": "socket",
  hostaddr: "hostaddr",
  "connect-timeout": "connect-timeout",
  connecttimeout: "connect-timeout",
  "load-balance-hosts": "load-balance-hosts",
};

const remedies: Readonly<Record<string, string>> = {
  multiplestatements: "One call runs one statement, always: remove the option.",
  allowmultiqueries: "One call runs one statement, always: remove the option.",
  permitlocalinfile: "The server may never read files of this machine: remove the option.",
  "local-infile": "The server may never read files of this machine: remove the option.",
  allowloadlocalinfile: "The server may never read files of this machine: remove the option.",
  ssl: "Use ssl-mode=REQUIRED, or better ssl-mode=VERIFY_IDENTITY.",
  usessl: "Use ssl-mode=REQUIRED, or better ssl-mode=VERIFY_IDENTITY.",
  tls: "Use ssl-mode=REQUIRED, or better ssl-mode=VERIFY_IDENTITY.",
  charset: "The connection always speaks utf8mb4: remove the option.",
  timezone: "Times are shown as the server writes them: remove the option.",
  connectionlimit: "Use --pool.",
  connection_limit: "Use --pool.",
  querytimeout: "Use --timeout.",
  replicas: "Reads are not routed here: name a router (ProxySQL, MaxScale), or a replica as a source of its own.",
  initsql: "Settings could undo the limits: set them on the server.",
  sessionvariables: "Settings could undo the limits: set them on the server.",
};

/** An error about the URL that names the part, never its value. */
export const urlInvalid = (message: string, hint: string): CodedError =>
  new CodedError("url_invalid", message, { hint });

/** @throws CodedError `url_invalid` */
export function parseUrl(url: string): UrlParts {
  const scheme = /^(?:mysql|mariadb):\/\//i.exec(url.trim());
  if (scheme === null) {
    throw urlInvalid("The URL does not start with mysql:// or mariadb://.", "Such as mysql://user@host:3306/database.");
  }
  const rest = url.trim().slice(scheme[0].length);
  if (rest.includes("#")) throw urlInvalid("The URL contains a #.", "Write %23 for a # in a password.");
  const question = rest.indexOf("?");
  const place = question === -1 ? rest : rest.slice(0, question);
  const slash = place.indexOf("/");
  const authority = slash === -1 ? place : place.slice(0, slash);
  const path = slash === -1 ? "" : place.slice(slash + 1);
  if (/[/@]/.test(path)) {
    throw urlInvalid(
      "The database name contains an unescaped / or @.",
      "Percent-encode / ? # : @ in user and password.",
    );
  }
  const at = authority.lastIndexOf("@");
  const credentials = authority.slice(0, Math.max(at, 0));
  const colon = credentials.indexOf(":");
  return {
    user: decoded(colon === -1 ? credentials : credentials.slice(0, colon), "user") || undefined,
    password: colon === -1 ? undefined : decoded(credentials.slice(colon + 1), "password"),
    hosts:
      authority.slice(at + 1) === ""
        ? []
        : authority
            .slice(at + 1)
            .split(",")
            .map(toHost),
    database: decoded(path, "database name") || undefined,
    options: toOptions(question === -1 ? "" : rest.slice(question + 1)),
  };
}

function toHost(text: string): UrlHost {
  const found = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(text);
  if (found === null) {
    throw urlInvalid(
      "A host or port in the URL cannot be read.",
      "Such as db.example.com:3306, or an IPv6 address in brackets: [::1]:3306.",
    );
  }
  const port = found[3] === "" ? undefined : found[3];
  return { host: decoded(found[1] ?? found[2] ?? "", "host"), port };
}

function toOptions(query: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decoded(equals === -1 ? pair : pair.slice(0, equals), "options").toLowerCase();
    const value = equals === -1 ? "" : decoded(pair.slice(equals + 1), "options");
    if (name === "charset" && /^utf8(mb4)?$/i.test(value)) continue;
    const canonical = spellings[name] ?? spellings[name.replaceAll("_", "-")];
    if (canonical === undefined) {
      const named = /^[a-z_-]{1,40}$/.test(name) ? `The URL option ${name}` : "A URL option";
      const supported = [...new Set(Object.values(spellings))].join(", ");
      throw urlInvalid(`${named} is not supported.`, remedies[name] ?? `Remove it. Supported: ${supported}.`);
    }
    options.set(canonical, value);
  }
  return options;
}

function decoded(text: string, part: string): string {
  try {
    const value = decodeURIComponent(text);
    if (!value.includes("\0")) return value;
  } catch {
    throw urlInvalid(`The ${part} in the URL has a % that is not an escape.`, "Write %25 for a percent sign.");
  }
  throw urlInvalid(`The ${part} in the URL contains a NUL character.`, "Remove %00.");
}
