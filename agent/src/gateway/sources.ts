/**
 * Databases by name, as people hand them over: a URL alone gets its database's name. A URL is a secret from here on: it
 * goes to the gateway's environment and nowhere else.
 */
import { AgentError } from "../errors.js";

/** Database URLs by the name of their source. */
export type Databases = Readonly<Record<string, string>>;

/** Whether an argument is the URL of a database rather than the name of something. */
export const isDatabaseUrl = (text: string): boolean =>
  /^[a-z][a-z0-9+.-]*:\/\//i.test(text) && !/^https?:/i.test(text);

/** A name for the database at a URL that none of `taken` has: its own, else the product's, with a number if need be. */
export function nameSource(url: string, taken: readonly string[] = []): string {
  const match = /^([a-z][a-z0-9+.-]*):\/\/[^/?#]*(?:\/([^?#]*))?/i.exec(url);
  const base = clean(decode(match?.[2] ?? "")) || clean(match?.[1] ?? "") || "db";
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}_${number}`;
    if (!taken.includes(name)) return name;
  }
}

/** Named databases from `name=url` and plain URLs. @throws AgentError `usage` without echoing the argument */
export function parseDatabases(given: readonly string[]): Databases {
  const databases: Record<string, string> = {};
  for (const argument of given) {
    const named = /^([A-Za-z0-9_-]{1,40})=(.+)$/s.exec(argument);
    const url = named?.[2] ?? argument;
    if (!isDatabaseUrl(url)) {
      throw new AgentError("usage", "An argument that should be a database URL is none.", {
        hint: "Write postgres://user@host/database or mysql://user@host/database, with name= in front to name it.",
      });
    }
    databases[named?.[1] ?? nameSource(url, Object.keys(databases))] = url;
  }
  return databases;
}

const clean = (name: string): string =>
  name
    .replace(/[^A-Za-z0-9_-]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .slice(0, 40);

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
