/** The files of `deploy/`, read: Kubernetes' objects by kind, the Compose file, and what the image sets. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { gatewaySettings } from "../../mcp-gateway/src/settings.js";
import { root } from "../house/sources.js";

/** The folder of the deployment's files. */
export const deployFolder = join(root, "deploy");

type Step = string | number;

/** What stands at a place of a parsed YAML file; undefined where nothing does. */
export function at(value: unknown, ...path: readonly Step[]): unknown {
  // YAML gives plain objects and lists: both are read by key
  return path.reduce((part, step) => (part as Record<Step, unknown> | undefined | null)?.[step], value);
}

/** The text at a place. */
export function textAt(value: unknown, ...path: readonly Step[]): string {
  const found = at(value, ...path);
  if (typeof found !== "string") throw new Error(`no text at ${path.join(".")}: ${JSON.stringify(found)}`);
  return found;
}

/** The list at a place. */
export function listAt(value: unknown, ...path: readonly Step[]): unknown[] {
  const found = at(value, ...path);
  if (!Array.isArray(found)) throw new Error(`no list at ${path.join(".")}: ${JSON.stringify(found)}`);
  return found;
}

/** Keys and values of the object at a place. */
export const entriesAt = (value: unknown, ...path: readonly Step[]): [string, unknown][] =>
  Object.entries(at(value, ...path) ?? {});

/** Names and texts of a list of `{ name, value }`, as environments are written. */
export const namedTexts = (list: readonly unknown[]): Record<string, string> =>
  Object.fromEntries(list.map((one) => [textAt(one, "name"), textAt(one, "value")]));

/** Every object of `deploy/kubernetes`, in the order of the files. */
export async function readKubernetes(): Promise<unknown[]> {
  const folder = join(deployFolder, "kubernetes");
  const files = (await readdir(folder)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
  return texts.flatMap((text) =>
    parseAllDocuments(text).map((document) => {
      if (document.errors[0] !== undefined) throw document.errors[0];
      return document.toJS();
    }),
  );
}

/** The one object of a kind. */
export function ofKind(objects: readonly unknown[], kind: string): unknown {
  const found = objects.filter((object) => at(object, "kind") === kind);
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind}`);
  return found[0];
}

/** A YAML file of `deploy/`. */
export const readYaml = async (file: string): Promise<unknown> =>
  parse(await readFile(join(deployFolder, file), "utf8"));

/** The instructions of the image: continued lines joined, comments and blanks gone. */
export async function readDockerfile(): Promise<{ readonly text: string; readonly lines: string[] }> {
  const text = await readFile(join(deployFolder, "Dockerfile"), "utf8");
  const lines = text
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => /^[A-Z]/.test(line));
  return { text, lines };
}

/** What `ENV` sets in the image. */
export async function imageEnvironment(): Promise<Record<string, string>> {
  const { lines } = await readDockerfile();
  const pairs = lines
    .filter((line) => line.startsWith("ENV "))
    .flatMap((line) => line.slice(4).trim().split(/\s+/))
    .map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]);
  return Object.fromEntries(pairs);
}

/** Variables of ours that the gateway reads nowhere. */
export function unknownVariables(environment: Record<string, unknown>): string[] {
  const settings: { readonly env?: readonly string[]; readonly secret?: boolean }[] = Object.values(gatewaySettings);
  const known = settings.flatMap(({ env = [], secret }) => [
    ...env,
    ...(secret ? env.map((name) => `${name}_FILE`) : []),
  ]);
  return Object.keys(environment).filter((name) => name.startsWith("MCP_") && !known.includes(name));
}
