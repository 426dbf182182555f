/** The official conformance suite as this Node can load it: run against a URL, and read what it found. */
import { spawn } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The suite in a folder of its own, until disposed. */
export interface Suite extends AsyncDisposable {
  /** Runs a requirement set against an endpoint. */
  run(url: string, requirements: string): Promise<Findings>;
}

/** What a run found. */
export interface Findings {
  readonly code: number | null;
  /** The scored scenarios, from the suite's own frozen list, and those that did not pass. */
  readonly required: readonly string[];
  readonly missed: readonly string[];
  /** The suite's summary and every failed check. */
  readonly details: string;
}

export async function openSuite(): Promise<Suite> {
  const folder = await mkdtemp(join(tmpdir(), "conformance-"));
  await copySuite(folder);
  return {
    async run(url, requirements) {
      const { code, output } = await runSuite(folder, url, requirements);
      const summary = output.slice(Math.max(0, output.lastIndexOf("=== SUMMARY")));
      const required = await requiredScenarios(folder, requirements);
      const missed = required.filter((name) => !summary.includes(`✓ ${name}:`));
      const details = `${summary}\n${await failedChecks(folder, requirements)}`;
      console.info(
        `conformance ${requirements}: ${required.length - missed.length} of ${required.length} scored scenarios pass\n${summary}`,
      );
      return { code, required, missed, details };
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/**
 * The suite as a copy that Node 20 can load: its bundle imports `globSync` from fs, which came with Node 22 and which
 * only its own repository's tooling calls. Beside the copy lies a link to the packages it needs.
 */
async function copySuite(into: string): Promise<void> {
  const require = createRequire(import.meta.url);
  const bundle = require.resolve("@modelcontextprotocol/conformance/dist/index.js");
  const root = dirname(dirname(bundle));
  const code = await readFile(bundle, "utf8");
  const unused = /globSync as (\w+),/;
  const copy = join(into, "suite");
  await cp(join(root, "requirements"), join(copy, "requirements"), { recursive: true });
  await cp(join(root, "package.json"), join(copy, "package.json"));
  await cp(bundle, join(copy, "dist", "index.js"));
  await writeFile(join(copy, "dist", "index.js"), code.replace(unused, ""));
  await symlink(join(root, "node_modules"), join(copy, "node_modules"));
  await symlink(dirname(dirname(root)), join(into, "node_modules"));
}

function runSuite(folder: string, url: string, requirements: string): Promise<{ code: number | null; output: string }> {
  const args = [
    join(folder, "suite", "dist", "index.js"),
    "server",
    "--url",
    url,
    "--requirements",
    requirements,
    "--output-dir",
    join(folder, requirements),
  ];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("close", (code) => resolve({ code, output }));
  });
}

/** The scenarios a revision requires of a server, from the suite's own frozen list. */
async function requiredScenarios(folder: string, requirements: string): Promise<string[]> {
  const yaml = await readFile(join(folder, "suite", "requirements", `${requirements}.yaml`), "utf8");
  const [, list = ""] = /^server:\n((?: {2}- .+\n)+)/m.exec(yaml) ?? [];
  return [...list.matchAll(/- (\S+)/g)].map(([, name = ""]) => name);
}

/** What the suite wrote about each failed check, scored or not. */
async function failedChecks(folder: string, requirements: string): Promise<string> {
  const results = join(folder, requirements);
  const lines: string[] = [];
  for (const name of await readdir(results)) {
    const checks: { id: string; status: string; errorMessage?: string }[] = JSON.parse(
      await readFile(join(results, name, "checks.json"), "utf8"),
    );
    for (const check of checks) {
      if (check.status === "FAILURE") lines.push(`${name}: ${check.id}: ${check.errorMessage}`);
    }
  }
  return lines.join("\n");
}
