import { defineConfig, type Options } from "tsup";

/** One bundle per package: workspace code is bundled in, everything from the registry stays an ordinary dependency. */
function bundle(folder: string, entry: string[]): Options {
  return {
    name: folder,
    entry: entry.map((name) => `${folder}/src/${name}.ts`),
    outDir: `${folder}/dist`,
    format: "esm",
    target: "node20",
    platform: "node",
    dts: false,
    sourcemap: false,
    splitting: true,
    clean: true,
    noExternal: [/^@database-interface\//],
    skipNodeModulesBundle: true,
  };
}

export default defineConfig([
  bundle("mcp-core", ["host/index", "sql/index", "sample/index", "testing/index"]),
  bundle("mcp-postgres", ["index", "bin"]),
  bundle("mcp-mysql", ["index", "bin"]),
  bundle("mcp-gateway", ["index", "bin"]),
  bundle("agent", ["index", "bin"]),
]);
