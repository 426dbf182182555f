/** The version of this package, read from its own manifest, so that it is written down once. */
import { readFileSync } from "node:fs";

/** Such as `0.1.0`. */
export function readVersion(): string {
  const manifest: { version?: unknown } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return String(manifest.version);
}
