/** A private, throw-away Redis without persistence, on a loopback port of the system's choice. */
import { randomBytes } from "node:crypto";
import { openDebianPrograms } from "./debian-programs.mjs";
import { findProgram } from "./find-program.mjs";

const programs = ["redis-server", "valkey-server"];

/**
 * @param {AbortSignal} signal
 * @param {{ root: string, environment: Record<string, string> }} [unpacked] where packages were unpacked
 * @returns {Promise<AsyncDisposable & { url: string }>}
 */
export async function startRedis(signal, unpacked) {
  /** @type {typeof import("../mcp-core/src/sample/index.js")} */
  const core = await import(new URL("../mcp-core/dist/sample/index.js", import.meta.url).href);
  const command = findProgram(programs, unpacked?.root);
  const account = core.serverAccount();
  const folder = await core.openPrivateFolder(account);
  const password = randomBytes(18).toString("base64url");
  try {
    const server = await core.startPrivateServer({
      command,
      args: (port) => ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--requirepass", password],
      environment: { PATH: process.env.PATH ?? "/usr/bin:/bin", ...unpacked?.environment },
      account,
      folder,
      ready: /Ready to accept connections/,
      stopSignal: "KILL",
      signal,
    });
    return {
      url: `redis://:${password}@127.0.0.1:${server.port}`,
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

/**
 * The program, installed or out of fetched Debian packages, and what it needs in its environment.
 * @param {AbortSignal} signal
 * @returns {Promise<{ command: string, environment: Record<string, string> }>}
 */
export async function findRedis(signal) {
  const environment = { PATH: process.env.PATH ?? "/usr/bin:/bin" };
  if (process.env.DBI_INSTALLED_SERVERS !== "absent") {
    try {
      return { command: findProgram(programs), environment };
    } catch {
      // Not installed: fetched.
    }
  }
  const unpacked = await openDebianPrograms(["redis-server", "redis-tools"], signal);
  return { command: findProgram(programs, unpacked.root), environment: { ...environment, ...unpacked.environment } };
}
