/**
 * The grammar of a PostgreSQL connection URL, as libpq reads it: several hosts, IPv6 in brackets, a percent-encoded
 * socket folder, options. It refuses options it doesn't know and never repeats a value in an error.
 */
import { CodedError } from "@database-interface/mcp-core/host";

/** The parts of a URL, percent-decoded; what it leaves out is undefined. */
export interface UrlParts {
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly hosts: readonly { readonly host: string; readonly port: string | undefined }[];
  readonly database: string | undefined;
  readonly options: ReadonlyMap<string, string>;
}

/** Options that are understood, by libpq's names; `pgbouncer` is Prisma's. */
const known: ReadonlySet<string> = new Set([
  ..."user password dbname host hostaddr port passfile sslmode sslrootcert sslcert sslkey sslnegotiation".split(" "),
  ..."connect_timeout application_name target_session_attrs load_balance_hosts pooler pgbouncer replicas max_replica_lag".split(
    " ",
  ),
]);

/** Options that are common elsewhere and what to do instead. */
const remedies: Readonly<Record<string, string>> = {
  options: "Server settings cannot be passed in the URL: they could undo the limits. Set them on the role.",
  ssl: "Use sslmode=require, or better sslmode=verify-full.",
  schema: "Use --schemas to choose what is visible, or set search_path on the role.",
  currentschema: "Use --schemas to choose what is visible, or set search_path on the role.",
  search_path: "Use --schemas to choose what is visible, or set search_path on the role.",
  connection_limit: "Use --pool.",
  pool_timeout: "Use connect_timeout.",
  statement_timeout: "Use --timeout.",
  channel_binding: "Channel binding is not supported: remove the option and use sslmode=verify-full.",
  gssencmode: "GSSAPI encryption is not supported: remove the option.",
  replication: "Replication connections are not for queries: remove the option.",
  prepared_statements: "Statements are never kept prepared: remove the option.",
  statement_cache_size: "Statements are never kept prepared: remove the option.",
  service: "Service files are not read: name host, port, user and database here.",
};

/** An error about the URL; its message names the part, never its value. */
export function invalid(message: string, hint: string): CodedError {
  return new CodedError("url_invalid", message, { hint });
}

/** @throws CodedError `url_invalid` */
export function parseUrl(url: string): UrlParts {
  const match = /^postgres(?:ql)?:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?(#[\s\S]*)?$/i.exec(url.trim());
  if (match === null) {
    throw invalid("The URL does not start with postgres:// or postgresql://.", "postgres://user@host:5432/database");
  }
  const [, authority = "", path = "", query = "", fragment] = match;
  if (fragment !== undefined) throw invalid("The URL contains a #.", "In a password write %23 instead.");
  if (/[@/]/.test(path)) {
    throw invalid("The database name contains an unescaped / or @.", "Percent-encode / ? # : @ in a password (%2F …).");
  }
  const at = authority.lastIndexOf("@");
  const [user, password] = splitOnce(at === -1 ? "" : authority.slice(0, at), ":");
  return {
    user: decode(user, "user") || undefined,
    password: password === undefined ? undefined : decode(password, "password"),
    hosts: authority
      .slice(at + 1)
      .split(",")
      .map(parseHost),
    database: decode(path, "database name") || undefined,
    options: parseOptions(query),
  };
}

/** A host as a URL writes it. @throws CodedError `url_invalid` */
export function parseHost(text: string): { host: string; port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) return { host: decode(bracketed[1] ?? "", "host"), port: bracketed[2] };
  const [host, port] = splitOnce(text, ":");
  if (port?.includes(":"))
    throw invalid("The host has more than one colon.", "Write an IPv6 address in brackets: [::1].");
  return { host: decode(host, "host"), port };
}

function parseOptions(query: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const pair of query.split("&").filter((part) => part !== "")) {
    const [name, value = ""] = splitOnce(pair, "=");
    const key = decode(name, "options").toLowerCase();
    const harmless = /^(channel_binding=(disable|prefer)|gssencmode=(disable|prefer)|client_encoding=utf-?8)$/i.test(
      pair,
    );
    if (harmless) continue;
    if (!known.has(key)) {
      const shown = /^[a-z_]{1,40}$/.test(key)
        ? `The URL option ${key} is not supported.`
        : "A URL option is not supported.";
      throw invalid(shown, remedies[key] ?? `Remove it. Supported: ${[...known].join(", ")}.`);
    }
    options.set(key, decode(value, `option ${key}`));
  }
  return options;
}

function splitOnce(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(text: string, part: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw invalid(`The ${part} in the URL has a stray %.`, "Write %25 for a percent sign.");
  }
  if (decoded.includes("\0")) throw invalid(`The ${part} in the URL contains a NUL.`, "Remove %00.");
  return decoded;
}
