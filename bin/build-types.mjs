/**
 * Writes declarations beside the bundles. A package that bundles mcp-core carries mcp-core's declarations too: they are
 * copied into it and its imports are pointed at the copy, so that a published package's types need nothing unpublished.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { root, runTool } from "./workspace.mjs";

const core = "@database-interface/mcp-core";

/** Builds the declarations of these packages, in order. @param {readonly string[]} folders @returns {Promise<void>} */
export async function buildTypes(folders) {
  const isCoreThere = folders.includes("mcp-core") || existsSync(`${root}/mcp-core/dist/host/index.d.ts`);
  for (const folder of isCoreThere ? folders : ["mcp-core", ...folders]) {
    await emit(folder);
    if (folder !== "mcp-core") carryCore(`${root}/${folder}/dist`);
  }
}

/** One run of the compiler without the workspace's `paths`: what it finds is what an installed package would find. @param {string} folder */
async function emit(folder) {
  mkdirSync(`${root}/node_modules/.cache`, { recursive: true });
  const work = mkdtempSync(`${root}/node_modules/.cache/types-`);
  try {
    const config = {
      extends: `${root}/tsconfig.json`,
      compilerOptions: {
        paths: {},
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        rootDir: `${root}/${folder}/src`,
        outDir: `${root}/${folder}/dist`,
      },
      include: [`${root}/${folder}/src`],
    };
    writeFileSync(`${work}/tsconfig.json`, JSON.stringify(config));
    const code = await runTool("tsc", ["-p", `${work}/tsconfig.json`]);
    if (code !== 0) {
      process.stderr.write(`The declarations of ${folder} could not be built: see above.\n`);
      process.exit(code);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** @param {string} dist */
function carryCore(dist) {
  let isUsed = false;
  for (const file of declarations(dist)) {
    const text = readFileSync(file, "utf8");
    if (!text.includes(core)) continue;
    isUsed = true;
    const toRoot = relative(dirname(file), dist) || ".";
    const prefix = toRoot.startsWith(".") ? toRoot : `./${toRoot}`;
    const pointed = text.replaceAll(new RegExp(`(["'])${core}/(\\w+)\\1`, "g"), `$1${prefix}/mcp-core/$2/index.js$1`);
    writeFileSync(file, pointed);
  }
  if (!isUsed) return;
  for (const file of declarations(`${root}/mcp-core/dist`)) {
    cpSync(file, join(dist, "mcp-core", relative(`${root}/mcp-core/dist`, file)));
  }
}

/** @param {string} folder @returns {string[]} */
function declarations(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".d.ts") && !name.startsWith("mcp-core/"))
    .map((name) => join(folder, name));
}
