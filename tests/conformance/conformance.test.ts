/** The protocol's own conformance suite, both requirement sets, against the real HTTP entry. */
import { spawn } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLog, type Served, serve } from "../../mcp-core/src/host/index.js";
import { createConformanceFixture } from "./fixture.js";

let folder: string;
let served: Served;

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

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "conformance-"));
  await copySuite(folder);
  const factory = createConformanceFixture(() => served?.notify);
  served = await serve({
    name: "conformance",
    version: "1.0.0",
    factory,
    transport: "http",
    http: { host: "127.0.0.1", port: 0, drainMs: 200 },
    log: createLog({ name: "conformance", level: "silent", stream: new PassThrough() }),
    signal: new AbortController().signal,
  });
});

afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function runSuite(requirements: string): Promise<{ code: number | null; output: string }> {
  const args = [
    join(folder, "suite", "dist", "index.js"),
    "server",
    "--url",
    `${served.url}/mcp`,
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
async function requiredScenarios(requirements: string): Promise<string[]> {
  const yaml = await readFile(join(folder, "suite", "requirements", `${requirements}.yaml`), "utf8");
  const [, list = ""] = /^server:\n((?: {2}- .+\n)+)/m.exec(yaml) ?? [];
  return [...list.matchAll(/- (\S+)/g)].map(([, name = ""]) => name);
}

/** What the suite wrote about each failed check, scored or not. */
async function failedChecks(requirements: string): Promise<string> {
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

test.each([
  ["2025-11-25", 30],
  ["2026-07-28", 37],
])("every scored scenario of %s passes", { timeout: 180_000 }, async (requirements, count) => {
  const { code, output } = await runSuite(requirements);
  const summary = output.slice(Math.max(0, output.lastIndexOf("=== SUMMARY")));
  const required = await requiredScenarios(requirements);
  const missed = required.filter((name) => !summary.includes(`✓ ${name}:`));
  console.info(
    `conformance ${requirements}: ${required.length - missed.length} of ${required.length} scored scenarios pass\n${summary}`,
  );
  const details = `${summary}\n${await failedChecks(requirements)}`;
  expect(required, details).toHaveLength(count);
  expect(missed, details).toEqual([]);
  expect(code, details).toBe(0);
});
