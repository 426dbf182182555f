/** Bundles the child command, next to the packages that the host room imports. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsup";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The built file, until disposed. */
export async function buildChild(): Promise<AsyncDisposable & { readonly file: string }> {
  const folder = await mkdtemp(here("../../mcp-core/node_modules/.host-child-"));
  await build({
    config: false,
    entry: { child: here("./child.ts") },
    outDir: folder,
    format: "esm",
    target: "node20",
    outExtension: () => ({ js: ".mjs" }),
    skipNodeModulesBundle: true,
    silent: true,
    clean: false,
    dts: false,
  });
  return {
    file: join(folder, "child.mjs"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
