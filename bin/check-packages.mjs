/** Looks at every package as its users will get it: packed, then checked by publint and attw. No network. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { packages, root, runNpm, runTool } from "./workspace.mjs";

const work = mkdtempSync(join(tmpdir(), "dbi-pack-"));
let isGood = true;
try {
  for (const folder of packages) isGood = (await check(folder)) && isGood;
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exit(isGood ? 0 : 1);

/** @param {string} folder */
async function check(folder) {
  const manifest = JSON.parse(readFileSync(`${root}/${folder}/package.json`, "utf8"));
  const packed = await runNpm(["pack", "--silent", "--pack-destination", work, "--workspace", folder], { quiet: true });
  if (packed !== 0) return false;
  const tarball = join(work, `${manifest.name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`);
  const bytes = readFileSync(tarball);
  const { messages } = await publint({
    strict: true,
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
  });
  for (const message of messages) process.stderr.write(`${folder}: ${formatMessage(message, manifest)}\n`);
  const attw = await runTool("attw", [tarball, "--profile", "esm-only", "--format", "ascii", "--no-definitely-typed"], {
    quiet: true,
  });
  process.stdout.write(`${folder}: ${messages.length} from publint, attw ${attw === 0 ? "content" : "not content"}\n`);
  return messages.length === 0 && attw === 0;
}
