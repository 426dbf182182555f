/** What the set-up scripts know of the workspace: where it is, its packages, how to run a program. Built-ins only. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The repository's folder, without a trailing slash. */
export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** The workspace folders, mcp-core first: the others are built on it. @type {readonly string[]} */
export const packages = JSON.parse(readFileSync(`${root}/package.json`, "utf8")).workspaces;

/**
 * Runs a program in the repository to its end, its output shown as it comes.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ quiet?: boolean, environment?: Record<string, string>, folder?: string }} [options] quiet: output only on failure
 * @returns {Promise<number>} its exit code; 127 when it can't be started
 */
export async function run(command, args, { quiet = false, environment = {}, folder = root } = {}) {
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: quiet ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"],
  });
  /** @type {Buffer[]} */
  const output = [];
  child.stdout?.on("data", (chunk) => output.push(chunk));
  child.stderr?.on("data", (chunk) => output.push(chunk));
  const code = await new Promise((resolve) => {
    child.once("error", (error) => {
      process.stderr.write(`${command}: ${error.message}\n`);
      resolve(127);
    });
    child.once("close", (exitCode) => resolve(exitCode ?? 1));
  });
  if (quiet && code !== 0) process.stderr.write(Buffer.concat(output));
  return code;
}

/**
 * Runs a program that comes with an installed package.
 * @param {string} name @param {readonly string[]} args @param {Parameters<typeof run>[2]} [options]
 */
export const runTool = (name, args, options) => run(`${root}/node_modules/.bin/${name}`, args, options);

/**
 * Runs npm: the one that started us, else the one in PATH.
 * @param {readonly string[]} args @param {Parameters<typeof run>[2]} [options]
 */
export function runNpm(args, options) {
  const npm = process.env.npm_execpath;
  return npm?.endsWith(".js") ? run(process.execPath, [npm, ...args], options) : run("npm", args, options);
}
