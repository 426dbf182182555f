/**
 * Passwords for databases whose URLs hold none, out of a file or a command that prints one: for whoever keeps them from
 * command lines. What is read here goes into the URL, and with it to the gateway's environment.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { AgentError } from "../errors.js";
import type { Databases } from "./sources.js";

/** Where the password is. */
export interface PasswordSource {
  readonly passwordFile?: string | undefined;
  readonly passwordCommand?: string | undefined;
}

const commandTimeoutMs = 30_000;

/** The databases with the password in each URL. @throws AgentError `usage`, `config_unreadable`, never with the password */
export async function withPasswords(databases: Databases, source: PasswordSource): Promise<Databases> {
  const password = await readPassword(source);
  if (password === undefined) return databases;
  return Object.fromEntries(Object.entries(databases).map(([name, url]) => [name, withPassword(url, password, name)]));
}

/** Whether a text is a URL with a password in it. */
export const hasPassword = (text: string): boolean =>
  /^(?:[\w-]+=)?[a-z][a-z0-9+.-]*:\/\/[^\s/?#@:]*:[^\s/?#@]+@/i.test(text);

function withPassword(url: string, password: string, name: string): string {
  const [, scheme = "", user = "", rest = ""] = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#@:]+)@(.*)$/is.exec(url) ?? [];
  if (user === "") {
    throw new AgentError(
      "usage",
      `The URL of ${name} ${hasPassword(url) ? "holds a password already" : "names no user"}.`,
      {
        hint: "Write postgres://user@host/database beside --password-file or --password-command.",
      },
    );
  }
  return `${scheme}${user}:${encodeURIComponent(password)}@${rest}`;
}

async function readPassword({
  passwordFile: file,
  passwordCommand: command,
}: PasswordSource): Promise<string | undefined> {
  if (file !== undefined && command !== undefined) {
    throw new AgentError("usage", "The password is given twice: by --password-file and --password-command.", {
      hint: "Use one of them.",
    });
  }
  if (file === undefined && command === undefined) return undefined;
  const found = await (file === undefined ? outputOf(command ?? "") : readFile(file, "utf8")).catch(() => {
    // its cause may hold what the command printed
    throw new AgentError(
      "config_unreadable",
      file === undefined ? "The password command failed." : `${file} cannot be read.`,
      {
        hint: `Check ${file === undefined ? "--password-command" : "--password-file"}.`,
      },
    );
  });
  const password = found.replace(/\r?\n$/, "");
  if (password !== "") return password;
  throw new AgentError("config_unreadable", `${file ?? "The password command"} gives no password.`);
}

async function outputOf(command: string): Promise<string> {
  return (await promisify(execFile)("/bin/sh", ["-c", command], { timeout: commandTimeoutMs })).stdout;
}
