/** The source files of the suite and what each imports, read from their text. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** The workspace folders. */
export const packages = ["mcp-core", "mcp-postgres", "mcp-mysql", "mcp-gateway", "agent"] as const;

/** One source file; paths are relative to the repository, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Import specifiers as written, `import type` and `import()` included. */
  readonly imports: readonly string[];
}

/** Every TypeScript file below the folders' `src`. */
export const sources: readonly SourceFile[] = packages.flatMap((folder) =>
  readdirSync(join(root, folder, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => {
      const path = posix.join(folder, "src", name.replaceAll("\\", "/"));
      const text = readFileSync(join(root, path), "utf8");
      return { path, text, imports: importsOf(text) };
    }),
);

function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const patterns = [/(?:^|[;}\s])(?:import|export)\s[^;"'`]*?\sfrom\s*"([^"]+)"/g, /\bimport\s*\(?\s*"([^"]+)"/g];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map(([, specifier]) => specifier ?? ""));
}

/** The text without comments that start a line: enough for imports and names. */
export function withoutComments(text: string): string {
  return text.replaceAll(/^\s*\/\*[\s\S]*?\*\//gm, "").replaceAll(/^\s*\/\/.*$/gm, "");
}

const rooms: Readonly<Record<string, string>> = Object.fromEntries(
  ["host", "sql", "sample", "testing"].map((room) => [
    `@database-interface/mcp-core/${room}`,
    `mcp-core/src/${room}/index.ts`,
  ]),
);

/** The file of the suite an import leads to; undefined for packages, built-ins and data. */
export function targetOf(file: SourceFile, specifier: string): string | undefined {
  if (specifier in rooms) return rooms[specifier];
  if (!specifier.startsWith(".") || !specifier.endsWith(".js")) return undefined;
  return posix.join(dirname(file.path), specifier).replace(/\.js$/, ".ts");
}
