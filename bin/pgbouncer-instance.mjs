/**
 * A private PgBouncer in transaction mode before a PostgreSQL server, on a loopback port of the system's choice. The
 * program is the installed one, else Debian's package, fetched privately.
 */
import { writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDebianPrograms } from "./debian-programs.mjs";
import { findProgram } from "./find-program.mjs";

/**
 * @typedef {object} PgbouncerOptions
 * @property {string} url the server's, as the user the pooler logs in with
 * @property {Record<string, string>} [settings] of its section [pgbouncer], over the ones here
 * @property {AbortSignal} signal
 */

/**
 * Starts it and resolves to the same URL with the pooler in front.
 * @param {PgbouncerOptions} options
 * @returns {Promise<AsyncDisposable & { url: string }>}
 */
export async function startPgbouncer({ url, settings = {}, signal }) {
  const { command, environment } = await findPgbouncer(signal);
  /** @type {typeof import("../mcp-core/src/sample/index.js")} */
  const core = await import(new URL("../mcp-core/dist/sample/index.js", import.meta.url).href);
  const account = core.serverAccount();
  const folder = await core.openPrivateFolder(account);
  const server = new URL(url);
  const user = decodeURIComponent(server.username || "postgres");
  try {
    /** @type {(name: string, text: string) => Promise<string>} */
    const write = async (name, text) => {
      const path = join(folder.path, name);
      await writeFile(path, text, { mode: 0o600 });
      await folder.handOver(path);
      return path;
    };
    const users = await write("users", `${quoted(user)} ${quoted(decodeURIComponent(server.password))}\n`);
    const config = await write("pgbouncer.ini", "");
    const running = await core.startPrivateServer({
      command,
      args(port) {
        writeFileSync(config, toConfig(server, { ...ownSettings(port, users), ...settings }));
        return [config];
      },
      environment: { PATH: process.env.PATH ?? "/usr/bin:/bin", ...environment },
      account,
      folder,
      ready: /process up/,
      stopSignal: "KILL",
      signal,
    });
    server.host = `127.0.0.1:${running.port}`;
    return {
      url: server.href,
      async [Symbol.asyncDispose]() {
        await running[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

/** @param {AbortSignal} signal */
async function findPgbouncer(signal) {
  if (process.env.DBI_INSTALLED_SERVERS !== "absent") {
    try {
      return { command: findProgram(["pgbouncer"]), environment: {} };
    } catch {
      // Not installed: fetched.
    }
  }
  try {
    const { root, environment } = await openDebianPrograms(["pgbouncer"], signal);
    return { command: findProgram(["pgbouncer"], root), environment };
  } catch (cause) {
    throw new Error("PgBouncer is needed and could not be had: install it (Debian: apt-get install pgbouncer).", {
      cause,
    });
  }
}

/** @param {number} port @param {string} users @returns {Record<string, string>} */
const ownSettings = (port, users) => ({
  listen_addr: "127.0.0.1",
  listen_port: String(port),
  unix_socket_dir: "",
  auth_type: "trust", // The listener is ours alone and on loopback; the server behind still asks for its password.
  auth_file: users,
  pool_mode: "transaction",
  default_pool_size: "20",
  max_client_conn: "200",
});

/** @param {URL} server @param {Record<string, string>} settings */
const toConfig = (server, settings) =>
  [
    "[databases]",
    `* = host=${server.hostname} port=${server.port || 5432}`,
    "[pgbouncer]",
    ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
    "",
  ].join("\n");

const quoted = (/** @type {string} */ text) => `"${text.replaceAll('"', '""')}"`;
