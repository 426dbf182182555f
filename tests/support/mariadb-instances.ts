/** Private MariaDB servers, from what is installed or else Debian's packages: plain ones and Galera nodes. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, type Instance } from "@database-interface/mcp-core/sample";
import { createConnection } from "mariadb";
import { openDebianPrograms } from "../../bin/debian-programs.mjs";
import { startInstance } from "../../mcp-mysql/src/instance.js";
import { findBinaries, type ServerBinaries } from "../../mcp-mysql/src/instance-binaries.js";

const packages = ["mariadb-server-core", "mariadb-client-core"];

/** A private server that nothing else uses. */
export async function startMariadb(
  signal = AbortSignal.timeout(60_000),
  more: readonly string[] = [],
): Promise<Instance> {
  return await startInstance({ binaries: await findPrograms(packages, signal), more: () => more, signal });
}

/** A private Galera node, the only one of its cluster. */
export async function startGaleraNode(signal = AbortSignal.timeout(60_000)): Promise<Instance> {
  const binaries = await findPrograms(packages, signal);
  const provider = await findProvider(binaries, signal);
  const port = await freePort();
  const node = await startInstance({ binaries, more: () => nodeArguments(provider, port), signal });
  await untilReady(node, signal);
  return node;
}

const nodeArguments = (provider: string, port: number): readonly string[] => [
  "--wsrep-on=ON",
  `--wsrep-provider=${provider}`,
  "--wsrep-cluster-address=gcomm://",
  "--wsrep-node-address=127.0.0.1",
  `--wsrep-provider-options=base_port=${port};gmcast.listen_addr=tcp://127.0.0.1:${port};gcache.size=8M`,
  "--binlog-format=ROW",
  "--innodb-autoinc-lock-mode=2",
];

async function untilReady(node: Instance, signal: AbortSignal): Promise<void> {
  while (!(await runOn(node, "SHOW STATUS LIKE 'wsrep_ready'")).some(({ Value }) => Value === "ON")) {
    await sleep(50, undefined, { signal });
  }
}

/** One statement as root, on this server and beside whatever is under test. */
export async function runOn({ port, password }: Instance, sql: string): Promise<readonly Record<string, unknown>[]> {
  const connection = await createConnection({ host: "127.0.0.1", port, user: "root", password, database: "test" });
  try {
    return await connection.query(sql);
  } finally {
    await connection.end();
  }
}

async function findPrograms(names: readonly string[], signal: AbortSignal): Promise<ServerBinaries> {
  try {
    return await findBinaries({ signal });
  } catch {
    return await findBinaries({ signal, root: (await openDebianPrograms(names, signal)).root });
  }
}

const places = ["usr/lib/galera/libgalera_smm.so", "usr/lib64/galera-4/libgalera_smm.so", "usr/lib/libgalera_smm.so"];

async function findProvider({ root = "/" }: ServerBinaries, signal: AbortSignal): Promise<string> {
  const installed = providerBelow("/") ?? providerBelow(root);
  if (installed !== undefined) return installed;
  const provider = providerBelow((await openDebianPrograms(["galera-4"], signal)).root);
  if (provider !== undefined) return provider;
  throw new Error("Galera's provider is needed and could not be had: install it (Debian: apt-get install galera-4).");
}

const providerBelow = (folder: string): string | undefined =>
  places.map((place) => join(folder, place)).find((path) => existsSync(path));
