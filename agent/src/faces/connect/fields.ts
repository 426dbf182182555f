/** What a connection is made of, as questions to a person, and the URL they come to. */
import { AgentError } from "../../errors.js";

/** The answers so far. */
export interface ConnectionAnswers {
  kind: string;
  host: string;
  port: string;
  database: string;
  user: string;
  password: string;
  tls: string;
}
/** The name of a question. */
export type FieldName = keyof ConnectionAnswers;

/** One question. */
export interface Field {
  readonly name: FieldName;
  readonly prompt: string;
  readonly isHidden?: boolean;
  /** What stands there when nothing is typed. */
  initial(answers: ConnectionAnswers): string;
  /** What an answer is taken as. @throws AgentError `usage` with what may be written */
  read(typed: string): string;
}

const kinds = ["postgres", "mysql", "mariadb"];
const tlsWords = ["prefer", "off", "require", "verify"];

/** All questions, in order. */
export const fields: readonly Field[] = [
  {
    name: "kind",
    prompt: `Kind (${kinds.join(", ")})`,
    initial: () => "postgres",
    read: (typed) => oneOf(typed, kinds),
  },
  { name: "host", prompt: "Host", initial: () => "127.0.0.1", read: readHost },
  { name: "port", prompt: "Port", initial: ({ kind }) => (kind === "postgres" ? "5432" : "3306"), read: readPort },
  { name: "database", prompt: "Database", initial: () => "", read: (typed) => typed },
  {
    name: "user",
    prompt: "User",
    initial: ({ kind }) => (kind === "postgres" ? "postgres" : "root"),
    read: (typed) => typed,
  },
  { name: "password", prompt: "Password (not shown)", isHidden: true, initial: () => "", read: (typed) => typed },
  {
    name: "tls",
    prompt: `TLS (${tlsWords.join(", ")})`,
    initial: () => "prefer",
    read: (typed) => oneOf(typed, tlsWords),
  },
];

const sslModes: Readonly<Record<string, string>> = {
  prefer: "prefer",
  off: "disable",
  require: "require",
  verify: "verify-full",
};

/** The URL: a secret. */
export function toUrl({ kind, host, port, database, user, password, tls }: ConnectionAnswers): string {
  const scheme = kind === "postgres" ? "postgres" : kind;
  const option = kind === "postgres" ? "sslmode" : "ssl-mode";
  const secret = password === "" ? "" : `:${encodeURIComponent(password)}`;
  const login = user === "" ? "" : `${encodeURIComponent(user)}${secret}@`;
  const at = host.includes(":") ? `[${host}]` : host;
  return `${scheme}://${login}${at}:${port}/${encodeURIComponent(database)}?${option}=${sslModes[tls] ?? "prefer"}`;
}

/** The question a failure is most likely about. */
export function likelyField(code: string): FieldName {
  if (/auth|password/.test(code)) return "password";
  if (/^tls/.test(code)) return "tls";
  return code === "database_not_found" ? "database" : "host";
}

function oneOf(typed: string, words: readonly string[]): string {
  const found = words.filter((word) => word.startsWith(typed.toLowerCase()));
  const [only] = words.includes(typed.toLowerCase()) ? [typed.toLowerCase()] : found.length === 1 ? found : [];
  if (only !== undefined) return only;
  throw new AgentError("usage", `It may be ${words.join(", ")}.`);
}

function readHost(typed: string): string {
  if (!/[\s/?#@]/.test(typed)) return typed.replace(/^\[|\]$/g, "");
  throw new AgentError("usage", "A host is a name or an address, without a port or a path.");
}

function readPort(typed: string): string {
  const port = Number(typed);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return String(port);
  throw new AgentError("usage", "A port is a number from 1 to 65535.");
}
