/**
 * A private, throw-away MariaDB server: a copy of a data folder that was installed (and filled) once, on a loopback port
 * and a socket in its own folder, behind a password, without durability. It ends with us, however we end.
 */
import { randomBytes } from "node:crypto";
import { chown, readFile, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import {
  buildOnce,
  copyFolder,
  openCacheFolder,
  openPrivateFolder,
  type PrivateFolder,
  type PrivateServer,
  runProgram,
  serverAccount,
  startPrivateServer,
} from "@database-interface/mcp-core/sample";
import type { CallOptions } from "@database-interface/mcp-core/sql";
import { baseFolder, programEnvironment, type ServerBinaries } from "./instance-binaries.js";

/** What a new instance holds: a `key` that names and versions it, and how it is filled the first time. */
export interface InstanceContent {
  readonly key: string;
  fill(instance: RunningInstance): Promise<void>;
}

/** A running server as root sees it. */
export interface RunningInstance {
  readonly port: number;
  /** Root's password, and a fit password for every user of a throw-away server. */
  readonly password: string;
  /** A URL as root, or as another user with the same password. */
  url(database: string, user?: string): string;
}

/** An instance of our own, stopped and deleted when disposed. */
export interface Instance extends RunningInstance, AsyncDisposable {
  readonly closed: Promise<void>;
}

/**
 * Starts an instance: about half a second once its content is in the cache, some seconds the first time.
 * @throws CodedError `demo_unavailable`, `cancelled`
 */
export async function startInstance(
  options: CallOptions & { readonly binaries: ServerBinaries; readonly content?: InstanceContent },
): Promise<Instance> {
  const { binaries, content = { key: "empty", fill: async () => {} }, signal } = options;
  const cache = await openCacheFolder(serverAccount());
  const template = join(cache, `mariadb-${binaries.version}-${content.key}`);
  await buildOnce(template, { signal }, (target) => buildTemplate(target, binaries, content, signal));
  const password = await readFile(join(template, "password"), "utf8");
  const folder = await openPrivateFolder(serverAccount());
  let server: PrivateServer;
  try {
    await copyFolder(join(template, "data"), join(folder.path, "data"), { account: serverAccount(), signal });
    server = await startServer({ folder, binaries, signal });
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
  const dispose = async () => {
    await server[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  return { ...seenByRoot(server.port, password), closed: server.closed, [Symbol.asyncDispose]: dispose };
}

/** A data folder with the content, cleanly shut down, and root's password beside it. */
async function buildTemplate(
  target: string,
  binaries: ServerBinaries,
  content: InstanceContent,
  signal: AbortSignal,
): Promise<void> {
  const account = serverAccount();
  await using folder = await openPrivateFolder(account, target, "work-");
  const base = binaries.root === undefined ? [] : [`--basedir=${baseFolder(binaries)}`];
  await runProgram(
    binaries.installer,
    [
      "--no-defaults",
      ...base,
      `--datadir=${join(folder.path, "data")}`,
      "--auth-root-authentication-method=normal",
      "--skip-test-db",
      "--skip-name-resolve",
      `--user=${account === undefined ? userInfo().username : "nobody"}`,
      "--innodb-flush-method=nosync",
      "--innodb-log-file-size=8M",
    ],
    { signal, account, environment: programEnvironment(binaries.root), workingFolder: folder.path },
  );
  const password = randomBytes(18).toString("base64url");
  await writeFile(join(target, "password"), password, { mode: 0o600 });
  const rootOnly = join(folder.path, "root.sql");
  await writeFile(rootOnly, accountsSql(password), { mode: 0o600 });
  if (account !== undefined) await chown(rootOnly, account.uid, account.gid);
  const server = await startServer({ folder, binaries, signal, extra: [`--init-file=${rootOnly}`] });
  try {
    await content.fill(seenByRoot(server.port, password));
  } finally {
    await server.stop("SIGTERM"); // The clean shutdown: everything is written, the copy starts without recovery.
  }
  await copyFolder(join(folder.path, "data"), join(target, "data"), { account, signal });
}

/** Root over TCP, behind the password; no other account is left. One statement a line, as init files want. */
const accountsSql = (password: string): string =>
  [
    "DELETE FROM mysql.global_priv WHERE User = '' OR Host NOT IN ('localhost');",
    "FLUSH PRIVILEGES;",
    `ALTER USER root@localhost IDENTIFIED BY '${password}';`,
    `CREATE USER root@'127.0.0.1' IDENTIFIED BY '${password}';`,
    "GRANT ALL PRIVILEGES ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;",
    "CREATE DATABASE test CHARACTER SET utf8mb4;",
    "",
  ].join("\n");

const seenByRoot = (port: number, password: string): RunningInstance => ({
  port,
  password,
  url: (database, user = "root") => `mysql://${user}:${password}@127.0.0.1:${port}/${database}`,
});

function startServer({
  folder,
  binaries,
  signal,
  extra = [],
}: CallOptions & {
  readonly folder: PrivateFolder;
  readonly binaries: ServerBinaries;
  readonly extra?: readonly string[];
}): Promise<PrivateServer> {
  return startPrivateServer({
    command: binaries.server,
    args: (port) => ["--no-defaults", ...locations(folder.path, binaries), ...settings(port), ...extra],
    environment: programEnvironment(binaries.root),
    account: serverAccount(),
    folder,
    ready: /ready for connections/,
    stopSignal: "KILL",
    signal,
  });
}

const locations = (folder: string, binaries: ServerBinaries): string[] => [
  ...(binaries.root === undefined
    ? []
    : [`--basedir=${baseFolder(binaries)}`, `--lc-messages-dir=${join(binaries.root, "usr/share/mysql")}`]),
  `--datadir=${join(folder, "data")}`,
  `--tmpdir=${folder}`,
  `--socket=${join(folder, "s")}`,
  `--pid-file=${join(folder, "pid")}`,
];

const settings = (port: number): string[] => [
  `--port=${port}`,
  "--bind-address=127.0.0.1",
  "--skip-name-resolve",
  "--skip-log-bin",
  "--innodb-flush-method=nosync",
  "--innodb-flush-log-at-trx-commit=0",
  "--innodb-doublewrite=0",
  "--innodb-log-file-size=8M",
  "--innodb-buffer-pool-size=128M",
  "--character-set-server=utf8mb4",
  "--collation-server=utf8mb4_general_ci",
  "--default-time-zone=+00:00",
  "--max-allowed-packet=256M",
];
