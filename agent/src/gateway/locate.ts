/** Finds the gateway's executable: next to this package, in the user's folder, on the PATH, and at last by npx. */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** The package whose command starts a gateway. */
export const gatewayPackage = "@database-interface/mcp-gateway";
const gatewayCommand = "mcp-gateway";

/** A command line without the gateway's own arguments. */
export interface Executable {
  readonly command: string;
  readonly args: readonly string[];
}

/** The first of: beside this file, from the working directory, on the PATH; else npx fetches it in our own version. */
export function locateGateway(
  version: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  folder: string = process.cwd(),
): Executable {
  return (
    resolvePackage(import.meta.url) ??
    resolvePackage(pathToFileURL(join(folder, "package.json")).href) ??
    onPath(environment.PATH) ?? { command: "npx", args: ["--yes", `${gatewayPackage}@${version}`] }
  );
}

function resolvePackage(from: string): Executable | undefined {
  try {
    const manifestFile = createRequire(from).resolve(`${gatewayPackage}/package.json`);
    const manifest: { bin?: Record<string, string> } = JSON.parse(readFileSync(manifestFile, "utf8"));
    const bin = manifest.bin?.[gatewayCommand];
    const file = bin === undefined ? undefined : resolve(dirname(manifestFile), bin);
    return file !== undefined && existsSync(file) ? { command: process.execPath, args: [file] } : undefined;
  } catch {
    return undefined; // not installed there
  }
}

function onPath(path: string | undefined): Executable | undefined {
  for (const folder of (path ?? "").split(delimiter)) {
    if (folder === "") continue;
    const file = join(folder, gatewayCommand);
    try {
      accessSync(file, constants.X_OK);
      return { command: file, args: [] };
    } catch {
      // not in this folder
    }
  }
  return undefined;
}
