/** Bundles the child command, next to the packages that the host room imports. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsup";

/** The built file (by default of the host's child command), until disposed. */
export async function buildChild(
  source = new URL("./child.ts", import.meta.url),
): Promise<AsyncDisposable & { readonly file: string }> {
  const modules = fileURLToPath(new URL("../../mcp-core/node_modules", import.meta.url));
  await mkdir(modules, { recursive: true });
  const folder = await mkdtemp(join(modules, ".host-child-"));
  await build({
    config: false,
    entry: { child: fileURLToPath(source) },
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
