/** A private, throw-away MariaDB server on a loopback port and a socket of its own, behind a password, without durability. */
import { userInfo } from "node:os";
import { join } from "node:path";
import {
  type Instance,
  type InstanceContent,
  type InstanceFolder,
  openInstance,
  runProgram,
  startPrivateServer,
  writePrivateFile,
} from "@database-interface/mcp-core/sample";
import type { CallOptions } from "@database-interface/mcp-core/sql";
import { baseFolder, programEnvironment, type ServerBinaries } from "./instance-binaries.js";

const accountsFile = "accounts.sql";

/**
 * Starts an instance of the programs found; what it holds besides an empty database `test` is its content.
 * @throws CodedError `demo_unavailable`, `cancelled`
 */
export async function startInstance(
  options: CallOptions & {
    readonly binaries: ServerBinaries;
    readonly content?: InstanceContent;
    /** Arguments after our own, for the port the server got. */
    readonly more?: (port: number) => readonly string[];
  },
): Promise<Instance> {
  const { binaries, signal, more = () => [] } = options;
  const start = (place: InstanceFolder, isFirst: boolean, ownPort?: number) => {
    const accounts = [`--init-file=${join(place.folder.path, accountsFile)}`];
    return startPrivateServer({
      port: ownPort,
      folder: place.folder,
      account: place.account,
      environment: programEnvironment(binaries.root),
      command: binaries.server,
      args: (port) => [
        "--no-defaults",
        ...locations(place, binaries),
        ...settings(port),
        ...(isFirst ? accounts : more(port)),
      ],
      ready: /ready for connections/,
      stopSignal: "KILL",
      signal,
    });
  };
  const recipe = {
    name: `mariadb-${binaries.version}`,
    prepare: (place: InstanceFolder, password: string) => install(place, password, binaries, signal),
    start,
    cleanStop: "SIGTERM" as const,
    url: (port: number, password: string, database: string, user = "root") =>
      `mysql://${user}:${password}@127.0.0.1:${port}/${database}`,
  };
  return openInstance(recipe, options);
}

/** The system tables, and the script that closes every account but root's. */
async function install(
  place: InstanceFolder,
  password: string,
  binaries: ServerBinaries,
  signal: AbortSignal,
): Promise<void> {
  await writePrivateFile(place, accountsFile, accountsSql(password));
  await runProgram(
    binaries.installer,
    [
      "--no-defaults",
      ...(binaries.root === undefined ? [] : [`--basedir=${baseFolder(binaries)}`]),
      `--datadir=${place.dataFolder}`,
      "--auth-root-authentication-method=normal",
      "--skip-test-db",
      "--skip-name-resolve",
      `--user=${place.account === undefined ? userInfo().username : "nobody"}`,
      "--innodb-flush-method=nosync",
      "--innodb-log-file-size=8M",
    ],
    {
      signal,
      account: place.account,
      environment: programEnvironment(binaries.root),
      workingFolder: place.folder.path,
    },
  );
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

const locations = ({ folder, dataFolder }: InstanceFolder, binaries: ServerBinaries): string[] => [
  ...(binaries.root === undefined
    ? []
    : [`--basedir=${baseFolder(binaries)}`, `--lc-messages-dir=${join(binaries.root, "usr/share/mysql")}`]),
  `--datadir=${dataFolder}`,
  `--tmpdir=${folder.path}`,
  "--socket=s", // In the data folder: a full path may not be longer than 107 bytes.
  `--pid-file=${join(folder.path, "pid")}`,
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
