/**
 * A private, throw-away PostgreSQL server: a copy of a data folder that was initialised (and filled) once, on a loopback
 * port, behind a password, without durability. It ends with us, however we end.
 */
import { randomBytes } from "node:crypto";
import { chown, readFile, rm, writeFile } from "node:fs/promises";
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
import type { ServerBinaries } from "./instance-binaries.js";

const superuser = "postgres";

/** What a new instance holds: nothing, or what `fill` put there when this machine saw the key for the first time. */
export interface InstanceContent {
  /** Names the content and its version; also a file name. */
  readonly key: string;
  fill(instance: RunningInstance): Promise<void>;
}

/** A running server as its superuser sees it. */
export interface RunningInstance {
  readonly port: number;
  /** The superuser's password, and a fit password for every role of a throw-away server. */
  readonly password: string;
  /** A URL as superuser, or as another role with the same password. */
  url(database: string, user?: string): string;
}

/** An instance of our own, stopped and deleted when disposed. */
export interface Instance extends RunningInstance, AsyncDisposable {
  readonly closed: Promise<void>;
}

/**
 * Starts an instance: a fifth of a second once its content is in the cache, some seconds the first time.
 * @throws CodedError `demo_unavailable`, `cancelled`
 */
export async function startInstance({
  binaries,
  content = { key: "empty", fill: async () => {} },
  signal,
}: CallOptions & { readonly binaries: ServerBinaries; readonly content?: InstanceContent }): Promise<Instance> {
  const account = serverAccount();
  const template = join(await openCacheFolder(account), `postgres-${binaries.version}-${content.key}`);
  await buildOnce(template, { signal }, (folder) => buildTemplate({ folder, binaries, content, signal }));
  const folder = await openPrivateFolder(account);
  try {
    await copyFolder(join(template, "data"), join(folder.path, "data"), { account, signal });
    const password = await readFile(join(template, "password"), "utf8");
    const server = await startServer(folder, binaries, signal);
    return {
      ...runningInstance(server, password),
      closed: server.closed,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

interface Template extends CallOptions {
  readonly folder: string;
  readonly binaries: ServerBinaries;
  readonly content: InstanceContent;
}

/** A data folder with the content, cleanly shut down, and the superuser's password beside it. */
async function buildTemplate({ folder, binaries, content, signal }: Template): Promise<void> {
  const account = serverAccount();
  const password = randomBytes(18).toString("base64url");
  await writeFile(join(folder, "password"), password, { mode: 0o600 });
  await using work = await openPrivateFolder(account, folder, "work-");
  const passwordFile = join(work.path, "password");
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (account !== undefined) await chown(passwordFile, account.uid, account.gid);
  const options = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--wal-segsize=1", "--no-sync"];
  await runProgram(
    join(binaries.folder, "initdb"),
    ["-D", join(work.path, "data"), "-U", superuser, `--pwfile=${passwordFile}`, ...options],
    { signal, account, environment: serverEnvironment(), workingFolder: work.path },
  );
  await rm(passwordFile);
  const server = await startServer(work, binaries, signal);
  try {
    await content.fill(runningInstance(server, password));
  } finally {
    await server.stop("SIGINT"); // The fast shutdown: everything is written, the copy starts without recovery.
  }
  await copyFolder(join(work.path, "data"), join(folder, "data"), { account, signal });
}

function runningInstance({ port }: PrivateServer, password: string): RunningInstance {
  return {
    port,
    password,
    url: (database, user = superuser) => `postgres://${user}:${password}@127.0.0.1:${port}/${database}`,
  };
}

function startServer(folder: PrivateFolder, binaries: ServerBinaries, signal: AbortSignal): Promise<PrivateServer> {
  return startPrivateServer({
    command: join(binaries.folder, "postgres"),
    args: (port) => ["-D", join(folder.path, "data"), ...Object.entries(settings(port)).flatMap(asOption)],
    environment: serverEnvironment(),
    account: serverAccount(),
    folder,
    ready: /database system is ready to accept connections/,
    stopSignal: "QUIT",
    signal,
  });
}

const asOption = ([name, value]: [string, string]): string[] => ["-c", `${name}=${value}`];

const settings = (port: number): Record<string, string> => ({
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
});

/** Nothing of ours: PGDATA, PGOPTIONS and the like must not reach the server. */
const serverEnvironment = (): Record<string, string> => ({
  PATH: process.env.PATH ?? "/usr/bin:/bin",
  LC_ALL: "C",
  TZ: "UTC",
});
