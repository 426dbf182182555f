/**
 * A private streaming standby of a private PostgreSQL server: its data folder is copied in backup mode, which needs no
 * program but the server's own, and it follows from there.
 */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { copyFolder, openPrivateFolder, serverAccount, startPrivateServer } from "@database-interface/mcp-core/sample";
import postgres from "postgres";
import { type Instance, startInstance } from "../../mcp-postgres/src/instance.js";
import { findBinaries } from "../../mcp-postgres/src/instance-binaries.js";

const log = { debug: () => {}, warn: () => {} };

/** A private server that nothing else uses. */
export async function startPostgres(signal = AbortSignal.timeout(60_000)): Promise<Instance> {
  return await startInstance({ binaries: await findBinaries({ signal, log }), signal });
}

/** One statement as administrator, on this server and beside whatever is under test. */
export async function runOnPostgres(server: Instance, sql: string): Promise<readonly Record<string, unknown>[]> {
  const connection = postgres(server.url("postgres"), { max: 1, onnotice: () => {} });
  try {
    return [...(await connection.unsafe(sql))];
  } finally {
    await connection.end({ timeout: 1 });
  }
}

/** A standby, and a way to speak to it as its administrator. */
export interface Standby extends AsyncDisposable {
  readonly port: number;
  url(database: string): string;
  /** Runs one statement on it. */
  run(sql: string): Promise<readonly Record<string, unknown>[]>;
  /** Waits until it has applied everything the primary has written. */
  catchUp(): Promise<void>;
}

export async function startStandby(primary: Instance, signal = AbortSignal.timeout(60_000)): Promise<Standby> {
  const binaries = await findBinaries({ signal, log });
  const account = serverAccount();
  const folder = await openPrivateFolder(account);
  const dataFolder = join(folder.path, "data");
  const admin = postgres(primary.url("postgres"), { max: 1, onnotice: () => {} });
  try {
    await takeBackup(admin, dataFolder, { account, signal });
    await writeFile(join(dataFolder, "standby.signal"), "");
    await folder.handOver(join(dataFolder, "standby.signal"));
    await folder.handOver(join(dataFolder, "backup_label"));
    const server = await startPrivateServer({
      command: join(binaries.folder, "postgres"),
      args: (port) => ["-D", dataFolder, ...settings(port, primary)],
      environment: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
      account,
      folder,
      ready: /ready to accept read-only connections/,
      stopSignal: "QUIT",
      signal,
    });
    const url = (database: string) => primary.url(database).replace(`:${primary.port}/`, `:${server.port}/`);
    const own = postgres(url("postgres"), { max: 1, onnotice: () => {} });
    return {
      port: server.port,
      url,
      run: async (sql) => [...(await own.unsafe(sql))],
      async catchUp() {
        const [now] = await admin`SELECT pg_current_wal_lsn() AS lsn`;
        const deadline = performance.now() + 15_000;
        while (!(await own`SELECT pg_last_wal_replay_lsn() >= ${now?.lsn} AS is_there`)[0]?.is_there) {
          if (performance.now() > deadline) throw new Error("the standby did not catch up");
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      },
      async [Symbol.asyncDispose]() {
        await Promise.all([own.end({ timeout: 1 }), admin.end({ timeout: 1 })]);
        await server[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await admin.end({ timeout: 1 });
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

async function takeBackup(admin: postgres.Sql, target: string, options: Parameters<typeof copyFolder>[2]) {
  const [where] =
    await admin`SELECT current_setting('data_directory') AS folder, current_setting('server_version_num')::int AS version`;
  const isOld = Number(where?.version) < 150_000;
  await admin.unsafe(
    isOld ? "SELECT pg_start_backup('standby', true, false)" : "SELECT pg_backup_start('standby', true)",
  );
  // Files that go away meanwhile are not missed: what the copy lacks comes with the write-ahead log.
  await copyFolder(String(where?.folder), target, options);
  const [end] = await admin.unsafe(
    isOld ? "SELECT labelfile FROM pg_stop_backup(false)" : "SELECT labelfile FROM pg_backup_stop()",
  );
  await writeFile(join(target, "backup_label"), String(end?.labelfile), { mode: 0o600 });
  for (const name of ["postmaster.pid", "postmaster.opts"]) await rm(join(target, name), { force: true });
}

function settings(port: number, primary: Instance): readonly string[] {
  const { username, password } = new URL(primary.url("postgres"));
  const values = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    primary_conninfo: `host=127.0.0.1 port=${primary.port} user=${username} password=${password} sslmode=disable`,
    wal_retrieve_retry_interval: "200ms",
    max_standby_streaming_delay: "500ms",
    fsync: "off",
    log_destination: "stderr",
    lc_messages: "C",
  };
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
