/** Where a package's command is on this machine: beside the gateway, in the working directory's tree, else through npx. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { isFields } from "./message.js";

/** A way to run a package's command. */
export interface PackageCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** The installed version, undefined when npx will fetch one. */
  readonly version: string | undefined;
}

/** The command of an installed package, run by this Node; `npx -y` for one that is not installed. */
export function findPackageCommand(name: string, bin: string, workingDirectory: string): PackageCommand {
  for (const from of [import.meta.url, join(workingDirectory, "package.json")]) {
    const found = findInstalled(name, bin, from);
    if (found !== undefined) return { command: process.execPath, args: [found.path], version: found.version };
  }
  return { command: process.platform === "win32" ? "npx.cmd" : "npx", args: ["-y", name], version: undefined };
}

function findInstalled(name: string, bin: string, from: string): { path: string; version: string } | undefined {
  try {
    const manifestPath = createRequire(from).resolve(`${name}/package.json`);
    const manifest: unknown = JSON.parse(readFileSync(manifestPath, "utf8"));
    if (!isFields(manifest)) return undefined;
    const entry = isFields(manifest.bin) ? manifest.bin[bin] : manifest.bin;
    if (typeof entry !== "string") return undefined;
    const path = join(dirname(manifestPath), entry);
    readFileSync(path); // a workspace that has not been built has no bin yet
    return { path, version: String(manifest.version) };
  } catch {
    return undefined;
  }
}
