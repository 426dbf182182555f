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
    noExternal: [/^@database-interface\//],
    skipNodeModulesBundle: true,
  };
}

const packages = [
  bundle("mcp-core", ["host/index", "sql/index", "sample/index", "testing/index"]),
  bundle("mcp-postgres", ["index", "bin", "instance", "instance-binaries"]),
  bundle("mcp-mysql", ["index", "bin", "instance", "instance-binaries"]),
  // Apart, so that it carries none of the rest: it is there to be up soon and to stay small.
  bundle("mcp-mysql", ["watchdog-process"]),
  bundle("mcp-gateway", ["index", "bin"]),
  bundle("agent", ["index", "bin"]),
];

/** `PACKAGES=mcp-core,agent npm run build:js` builds only those. */
const chosen = process.env.PACKAGES?.split(",");

export default defineConfig(packages.filter(({ name }) => chosen?.includes(name ?? "") ?? true));
