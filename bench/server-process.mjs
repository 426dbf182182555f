/** The built packages as processes: what benches start and end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The built command of a package. */
export const bin = (/** @type {string} */ folder) =>
  fileURLToPath(new URL(`../${folder}/dist/bin.js`, import.meta.url));

/** @typedef {{ readonly url: string, readonly pid: number, stop(): Promise<void> }} ServerProcess `url`: of its endpoint, with `/mcp` */

/**
 * A server over HTTP, once it listens; its arguments must say so.
 * @param {string} folder @param {readonly string[]} args @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<ServerProcess>}
 */
export async function startServer(folder, args, env = process.env) {
  const child = spawn(process.execPath, [bin(folder), ...args], { env, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  const url = await new Promise((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      log += chunk;
      const found = /"url":"([^"]+)"/.exec(log)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", () => reject(new Error(`${folder} did not start: ${log}`)));
  });
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      const exited = once(child, "exit");
      if (child.kill("SIGTERM")) await exited;
    },
  };
}
