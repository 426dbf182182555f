/**
 * Reads a task's JSON file as editors read it (comments and trailing commas allowed), says where it is wrong, and fills
 * `${VAR}` into the few fields that may hold secrets. Knows the form of the text, not what a task means.
 */
import { readFile } from "node:fs/promises";
import { type ParseError, parse, printParseErrorCode } from "jsonc-parser";
import { AgentError } from "./errors.js";

/** The environment variables may be filled in from. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The value in a JSON file; `-` reads the given stream. @throws AgentError `config_unreadable`, `config_invalid` */
export async function readJsonFile(path: string, stdin: AsyncIterable<Buffer | string>): Promise<unknown> {
  const text = await readTextFile(path, stdin);
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first === undefined) return value;
  const before = text.slice(0, first.offset).split("\n");
  const line = before.length;
  const column = (before.at(-1)?.length ?? 0) + 1;
  const problem = printParseErrorCode(first.error)
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
  throw new AgentError("config_invalid", `${label(path)} is not JSON: ${problem} at line ${line}, column ${column}.`, {
    hint: `${text.split("\n")[line - 1]?.replaceAll("\t", " ").slice(0, 200) ?? ""}\n${" ".repeat(Math.min(column - 1, 200))}^`,
  });
}

/** The text of a file; `-` reads the given stream. @throws AgentError `config_unreadable` */
export const readTextFile = (path: string, stdin: AsyncIterable<Buffer | string>): Promise<string> =>
  path === "-" ? readStream(stdin) : readText(path);

/**
 * A text with `${VAR}`, `${VAR:-default}` and `${file:/path}` filled in.
 * @throws AgentError `variable_unset` naming the variable and the path of the field
 */
export async function fillIn(text: string, environment: Environment, path: string): Promise<string> {
  let filled = "";
  let end = 0;
  for (const match of text.matchAll(/\$\{(?:file:([^}]+)|([A-Za-z_]\w*)(?::-([^}]*))?)\}/g)) {
    const [whole, file, variable = "", fallback] = match;
    filled += text.slice(end, match.index);
    end = match.index + whole.length;
    filled += file === undefined ? variableOf(variable, fallback, environment, path) : await secretOf(file, path);
  }
  return filled + text.slice(end);
}

function variableOf(name: string, fallback: string | undefined, environment: Environment, path: string): string {
  const value = environment[name];
  if (value !== undefined && (value !== "" || fallback === undefined)) return value;
  if (fallback !== undefined) return fallback;
  throw new AgentError("variable_unset", `${path} needs the environment variable ${name}, which is not set.`, {
    hint: `Set ${name}, or write \${${name}:-default}.`,
  });
}

async function secretOf(file: string, path: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).replace(/\r?\n$/, "");
  } catch (error) {
    throw new AgentError("config_unreadable", `${path} names a file that cannot be read: ${file}`, { cause: error });
  }
}

async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).replace(/^\ufeff/, "");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    const hints: Record<string, string> = {
      ENOENT: "There is no such file.",
      EACCES: "Permission denied.",
      EISDIR: "It is a folder.",
    };
    throw new AgentError("config_unreadable", `${path} cannot be read.`, { hint: hints[code] ?? code, cause: error });
  }
}

async function readStream(stream: AsyncIterable<Buffer | string>): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += chunk.toString();
  return text;
}

const label = (path: string): string => (path === "-" ? "The task on stdin" : path);
