/**
 * Server programs out of Debian packages, fetched by apt and unpacked into the cache: nothing is installed, no root
 * rights are needed, and the libraries that are missing on this machine come along.
 */
import { readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * @param {readonly string[]} names packages whose programs are wanted
 * @param {AbortSignal} signal
 * @returns {Promise<{ root: string, environment: Record<string, string> }>} where `usr` is, and what its programs need
 */
export async function openDebianPrograms(names, signal) {
  /** @type {typeof import("../mcp-core/src/sample/index.js")} */
  const core = await import(new URL("../mcp-core/dist/sample/index.js", import.meta.url).href);
  const root = join(await core.openCacheFolder(core.serverAccount()), `debian-${names.join("-")}-${process.arch}`);
  await core.buildOnce(root, { signal, shared: true }, async (folder) => {
    process.stderr.write(`Fetching Debian packages for ${names.join(", ")}…\n`);
    const workingFolder = join(folder, "packages");
    await mkdir(workingFolder);
    const wanted = [...new Set([...names, ...(await missing(names))])];
    await core.runProgram("apt-get", ["download", ...wanted], { signal, workingFolder });
    for (const file of readdirSync(workingFolder)) {
      await core.runProgram("dpkg", ["-x", join(workingFolder, file), folder], { signal });
    }
  });

  /** What apt would install on top of these. @param {readonly string[]} packages */
  async function missing(packages) {
    const simulate = () =>
      core.runProgram("apt-get", ["install", "--simulate", "--no-install-recommends", ...packages], { signal });
    const plan = await simulate().catch(async () => {
      await core.runProgram("apt-get", ["update"], { signal }); // A machine whose lists were never fetched; root only.
      return simulate();
    });
    return [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name ?? "");
  }

  const triplet = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  return { root, environment: { LD_LIBRARY_PATH: `${join(root, "usr/lib", triplet)}:${join(root, "lib", triplet)}` } };
}
