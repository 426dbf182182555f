/**
 * Builds packages: `node bin/build.mjs [--no-types] [folder…]`, all of them by default. Old output goes first; then one
 * bundle each, the agent's help as text, then declarations.
 */
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { buildTypes } from "./build-types.mjs";
import { packages, root, runTool } from "./workspace.mjs";

const args = process.argv.slice(2);
const named = args.filter((argument) => !argument.startsWith("--"));
const unknown = named.find((folder) => !packages.includes(folder));
if (unknown !== undefined) {
  process.stderr.write(`There is no package ${unknown}; there are ${packages.join(", ")}.\n`);
  process.exit(2);
}
const chosen = packages.filter((folder) => named.length === 0 || named.includes(folder));

for (const folder of chosen) rmSync(`${root}/${folder}/dist`, { recursive: true, force: true });
const code = await runTool("tsup", ["--silent"], { environment: { PACKAGES: chosen.join(",") } });
if (code !== 0) process.exit(code);
if (chosen.includes("agent")) {
  const agent = [`${root}/agent/dist/bin.js`, "--help"];
  writeFileSync(`${root}/agent/dist/help.txt`, execFileSync(process.execPath, agent));
}
if (!args.includes("--no-types")) await buildTypes(chosen);
