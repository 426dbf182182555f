/**
 * Config files: JSON with the comments and trailing commas people write, variables expanded, every complaint with its
 * place. What the values mean is for whoever reads them.
 */
import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, resolve } from "node:path";
import { type ParseError, parse, printParseErrorCode } from "jsonc-parser";
import { CodedError } from "./errors.js";
import { nearestNames } from "./nearest.js";
import type { Environment } from "./resolve-settings.js";

/** Larger is no config file. */
const maxFileBytes = 4_194_304;

/** A config file's content, variables expanded. */
export interface ConfigFile {
  readonly value: unknown;
  /** Absolute. */
  readonly path: string;
}

/**
 * Reads a config file. In its strings `${VAR}` becomes the variable, `${VAR:-default}` falls back, `${file:/path}`
 * becomes a file's content (without its last line break; relative to the config file), and `$${` stays a literal `${`.
 * @throws CodedError `config_unreadable`, `config_invalid` with line and column, `variable_unset` with the JSON path
 */
export async function readConfigFile(
  path: string,
  options: { readonly environment: Environment },
): Promise<ConfigFile> {
  const absolute = resolve(path);
  const text = await readText(absolute, `The config file ${absolute}`);
  const errors: ParseError[] = [];
  const value: unknown = parse(text.replace(/^\uFEFF/, " "), errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined) throw notJson(absolute, text, first);
  if (text.trim() === "")
    throw new CodedError("config_invalid", `The config file ${absolute} is empty.`, { hint: "Write at least {}." });
  const expand: Expand = { environment: options.environment, path: absolute, folder: dirname(absolute) };
  return { value: await expandAll(value, "", expand), path: absolute };
}

async function readText(path: string, what: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const reason = code === "ENOENT" ? "does not exist" : code === "EISDIR" ? "is a folder" : "cannot be read";
    throw new CodedError("config_unreadable", `${what} ${reason}.`, {
      hint:
        code === "EACCES"
          ? "Give this user the right to read it."
          : "Check the path; it is relative to the working directory.",
      cause,
    });
  }
  if (bytes.length > maxFileBytes)
    throw new CodedError("config_invalid", `${what} is larger than 4 MB.`, { hint: "Check the path." });
  return bytes.toString("utf8");
}

function notJson(path: string, text: string, error: ParseError): CodedError {
  const before = text.slice(0, error.offset).split("\n");
  const line = before.length;
  const column = (before.at(-1)?.length ?? 0) + 1;
  const reason = printParseErrorCode(error.error)
    .replace(/(?<=[a-z])(?=[A-Z])/g, " ")
    .toLowerCase();
  return new CodedError("config_invalid", `${path} is not JSON: line ${line}, column ${column}: ${reason}.`, {
    hint: "Comments and trailing commas are allowed; names and texts need double quotes.",
  });
}

interface Expand {
  readonly environment: Environment;
  readonly path: string;
  readonly folder: string;
}

async function expandAll(value: unknown, at: string, expand: Expand): Promise<unknown> {
  if (typeof value === "string") return expandText(value, at, expand);
  if (Array.isArray(value)) return Promise.all(value.map((item, index) => expandAll(item, `${at}[${index}]`, expand)));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(async ([key, entry]) => {
    return [key, await expandAll(entry, at === "" ? key : `${at}.${key}`, expand)] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

const variable = /\$\$\{|\$\{([^{}]*)\}/g;

async function expandText(text: string, at: string, expand: Expand): Promise<string> {
  let expanded = "";
  let end = 0;
  for (const match of text.matchAll(variable)) {
    expanded += literal(text.slice(end, match.index), at, expand);
    expanded += match[1] === undefined ? "${" : await expandOne(match[1], at, expand);
    end = match.index + match[0].length;
  }
  return expanded + literal(text.slice(end), at, expand);
}

/** What stands between variables. A variable's own value is taken as it is, so that none can lead in a circle. */
function literal(text: string, at: string, { path }: Expand): string {
  if (!text.includes("${")) return text;
  throw new CodedError("config_invalid", `A \${ at ${at || "the top"} in ${path} is not closed, or holds another.`, {
    hint: `Write \${NAME}, \${NAME:-default} or \${file:/path}, one beside the other; $\${ stands for a literal \${.`,
  });
}

async function expandOne(expression: string, at: string, expand: Expand): Promise<string> {
  if (expression.startsWith("file:")) {
    const named = expression.slice("file:".length);
    const path = isAbsolute(named) ? named : resolve(expand.folder, named);
    return (await readText(path, `The file ${path}, named at ${at || "the top"} in ${expand.path},`)).replace(
      /\r?\n$/,
      "",
    );
  }
  const [, name, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(expression) ?? [];
  if (name === undefined) {
    throw new CodedError("config_invalid", `\${…} at ${at || "the top"} in ${expand.path} is not a variable.`, {
      hint: `Write \${NAME}, \${NAME:-default} or \${file:/path}; $\${ stands for a literal \${.`,
    });
  }
  const value = expand.environment[name];
  if (value !== undefined && (value !== "" || fallback === undefined)) return value;
  if (fallback !== undefined) return fallback;
  const meant = nearestNames(name, Object.keys(expand.environment), 1)[0];
  throw new CodedError(
    "variable_unset",
    `The variable ${name}, used at ${at || "the top"} in ${expand.path}, is not set.`,
    {
      hint: `Set it, or give it a default: \${${name}:-…}.${meant === undefined ? "" : ` ${meant} is set.`}`,
    },
  );
}
