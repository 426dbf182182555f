/**
 * Where MariaDB's own programs come from: this machine's installation, or a folder into which packages were unpacked.
 * There are none on npm. MySQL's own server is not started by us; it is used where it already runs.
 */
import { access, constants } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CodedError } from "@database-interface/mcp-core/host";
import { runProgram } from "@database-interface/mcp-core/sample";
import type { CallOptions } from "@database-interface/mcp-core/sql";

/** Programs of one MariaDB version. */
export interface ServerBinaries {
  /** Path of `mariadbd`. */
  readonly server: string;
  /** Path of `mariadb-install-db`. */
  readonly installer: string;
  /** Where `usr` is when the programs were unpacked into a folder of their own. */
  readonly root?: string | undefined;
  /** Such as `10.11.11`. */
  readonly version: string;
}

const systemFolders: readonly string[] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

/**
 * MariaDB as installed on this machine, or as unpacked below `root`.
 * @throws CodedError `demo_unavailable` saying what to install
 */
export async function findBinaries({
  signal,
  root,
}: CallOptions & { readonly root?: string }): Promise<ServerBinaries> {
  const inPath = (process.env.PATH ?? "").split(":").filter((folder) => folder !== "");
  const folders =
    root === undefined ? [...inPath, ...systemFolders] : systemFolders.map((folder) => join(root, folder));
  const server = await firstExecutable(folders, ["mariadbd"]);
  const installer = await firstExecutable(folders, ["mariadb-install-db"]);
  if (server === undefined || installer === undefined) {
    throw new CodedError("demo_unavailable", "No MariaDB server programs were found on this machine.", {
      hint: "Install MariaDB (Debian and Ubuntu: apt-get install mariadb-server-core; macOS: brew install mariadb), so that mariadbd and mariadb-install-db are in PATH.",
    });
  }
  const environment = programEnvironment(root);
  const words = await runProgram(server, ["--no-defaults", "--version"], { signal, environment });
  return { server, installer, root, version: /\d+\.\d+\.\d+/.exec(words)?.[0] ?? "unknown" };
}

/** The environment for these programs: nothing of ours but PATH; libraries of an unpacked root. */
export function programEnvironment(root: string | undefined): Record<string, string> {
  const path = process.env.PATH ?? "/usr/bin:/bin";
  if (root === undefined) return { PATH: path, LC_ALL: "C", TZ: "UTC" };
  const triplet = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  const libraries = [join(root, "usr/lib", triplet), join(root, "lib", triplet)].join(":");
  return { PATH: path, LC_ALL: "C", TZ: "UTC", LD_LIBRARY_PATH: libraries };
}

async function firstExecutable(folders: readonly string[], names: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    for (const name of names) {
      const file = join(folder, name);
      const found = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (found) return file;
    }
  }
  return undefined;
}

/** The base folder the installer wants for programs in this place. */
export const baseFolder = ({ server }: ServerBinaries): string => dirname(dirname(server));
