/** A private, throw-away PostgreSQL server on a loopback port, behind a password, without durability. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  type Instance,
  type InstanceContent,
  openInstance,
  runProgram,
  startPrivateServer,
  writePrivateFile,
} from "@database-interface/mcp-core/sample";
import type { CallOptions } from "@database-interface/mcp-core/sql";

export type { Instance } from "@database-interface/mcp-core/sample";

import type { ServerBinaries } from "./instance-binaries.js";

const superuser = "postgres";

/**
 * Starts an instance with these programs; empty unless it has content.
 * @throws CodedError `demo_unavailable`, `cancelled`
 */
export function startInstance({
  binaries,
  content,
  signal,
}: CallOptions & { readonly binaries: ServerBinaries; readonly content?: InstanceContent }): Promise<Instance> {
  const environment = serverEnvironment();
  return openInstance(
    {
      name: `postgres-${binaries.version}`,
      async prepare(place, password) {
        const { folder, dataFolder, account } = place;
        const passwordFile = await writePrivateFile(place, "password", password);
        await runProgram(
          join(binaries.folder, "initdb"),
          ["-D", dataFolder, "-U", superuser, `--pwfile=${passwordFile}`, ...initdbOptions],
          { signal, account, environment, workingFolder: folder.path },
        );
        await rm(passwordFile);
      },
      start: ({ folder, dataFolder, account }, _isFirst, port) =>
        startPrivateServer({
          port,
          command: join(binaries.folder, "postgres"),
          args: (own) => ["-D", dataFolder, ...settings(own)],
          environment,
          account,
          folder,
          ready: /database system is ready to accept connections/,
          stopSignal: "QUIT",
          signal,
        }),
      cleanStop: "SIGINT", // The fast shutdown: the copy starts without recovery.
      url: (port, password, database, user = superuser) =>
        `postgres://${user}:${password}@127.0.0.1:${port}/${database}`,
    },
    { content, signal },
  );
}

const initdbOptions = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--wal-segsize=1", "--no-sync"];

function settings(port: number): string[] {
  const values = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "", // Their paths may not be longer than 107 bytes; a temporary folder's may.
    fsync: "off",
    synchronous_commit: "off",
    full_page_writes: "off",
    logging_collector: "off",
    log_destination: "stderr",
    lc_messages: "C",
    timezone: "UTC",
    log_timezone: "UTC",
  };
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** Nothing of ours: PGDATA, PGOPTIONS and the like must not reach the server. */
const serverEnvironment = (): Record<string, string> => ({
  PATH: process.env.PATH ?? "/usr/bin:/bin",
  LC_ALL: "C",
  TZ: "UTC",
});
