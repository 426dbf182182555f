/** Where a password comes from: a command, the configuration, else libpq's password file. */
import { readFile, stat } from "node:fs/promises";
import type { Endpoint, PostgresConfig } from "./config.js";

/** The password for one endpoint; empty when there is none (trust, peer or certificate authentication). */
export async function findPassword(
  config: PostgresConfig,
  endpoint: Endpoint,
  command: (() => Promise<string>) | undefined,
): Promise<string> {
  if (command !== undefined) return await command();
  if (config.password !== undefined) return config.password();
  const lines = await passwordLines(config.passwordFile);
  const host = endpoint.host.startsWith("/") ? "localhost" : endpoint.host;
  const wanted = [host, String(endpoint.port), config.database, config.user];
  for (const line of lines) {
    const fields = splitLine(line);
    const matches = wanted.every((value, index) => fields[index] === "*" || fields[index] === value);
    if (matches && fields[4] !== undefined) return fields[4];
  }
  return "";
}

/** The file's lines; none when it is missing or, like libpq has it, readable by others. */
async function passwordLines(path: string): Promise<readonly string[]> {
  try {
    const { mode } = await stat(path);
    if (process.platform !== "win32" && (mode & 0o077) !== 0) return [];
    return (await readFile(path, "utf8")).split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#"));
  } catch {
    return [];
  }
}

/** Fields are separated by colons; a backslash escapes a colon or a backslash. The password takes the rest. */
function splitLine(line: string): string[] {
  const fields = [""];
  for (let index = 0; index < line.length; index++) {
    const escaped = line[index] === "\\" && index + 1 < line.length;
    if (escaped) index++;
    if (line[index] === ":" && !escaped && fields.length < 5) fields.push("");
    else fields[fields.length - 1] += line[index] ?? "";
  }
  return fields;
}
