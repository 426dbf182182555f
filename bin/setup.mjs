/**
 * Makes a bare clone ready: installs what is missing or older than the lockfile, builds what is missing or older than
 * its sources. Does nothing, and needs no network, when all is there. Built-ins only: it runs before anything is installed.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { packages, root, run, runNpm } from "./workspace.mjs";

/** Installs and builds what is missing. @returns {Promise<void>} */
export async function setUp() {
  if (!isInstalled()) {
    process.stderr.write("Installing dependencies (npm ci)…\n");
    const code = await runNpm(["ci", "--no-audit", "--no-fund"], { quiet: true });
    if (code !== 0) fail("npm ci failed: see above. It needs the npm registry once; afterwards no network is used.");
  }
  const stale = packages.filter(isStale);
  if (stale.length > 0) {
    process.stderr.write(`Building ${stale.join(", ")}…\n`);
    const code = await run(process.execPath, [`${root}/bin/build.mjs`, "--no-types", ...stale], { quiet: true });
    if (code !== 0) fail("The build failed: see above.");
  }
}

/** @param {string} message @returns {never} */
function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/**
 * True when node_modules holds what the lockfile wants: npm's own record of what it installed says the same. Packages
 * for other platforms are absent by right.
 */
function isInstalled() {
  try {
    const wanted = packagesOf(`${root}/package-lock.json`);
    const installed = packagesOf(`${root}/node_modules/.package-lock.json`);
    return Object.entries(wanted).every(([path, entry]) => {
      if (!path.includes("node_modules/")) return true;
      const found = installed[path];
      return found === undefined ? entry.optional === true : found.version === entry.version;
    });
  } catch {
    return false;
  }
}

/** @param {string} file @returns {Record<string, { version?: string, optional?: boolean }>} */
const packagesOf = (file) => JSON.parse(readFileSync(file, "utf8")).packages;

/** True when a package's bundle is missing or older than what it is made of. @param {string} folder */
function isStale(folder) {
  try {
    const built = Math.min(...entriesOf(folder).map((file) => statSync(file).mtimeMs));
    const sources = [`${root}/${folder}/src`, `${root}/mcp-core/src`].map(newest);
    return Math.max(...sources, statSync(`${root}/tsup.config.ts`).mtimeMs) > built;
  } catch {
    return true;
  }
}

/** The built files a package.json promises. @param {string} folder @returns {string[]} */
function entriesOf(folder) {
  const { bin = {}, exports = {} } = JSON.parse(readFileSync(`${root}/${folder}/package.json`, "utf8"));
  const files = [...Object.values(bin), ...Object.values(exports).flatMap((entry) => entry.default ?? [])];
  return files.map((file) => `${root}/${folder}/${file}`);
}

/** The newest change below a folder, in milliseconds. @param {string} folder */
function newest(folder) {
  const times = readdirSync(folder, { recursive: true }).map((name) => statSync(`${folder}/${name}`).mtimeMs);
  return Math.max(0, ...times);
}

if (process.argv[1] === import.meta.filename) await setUp();
