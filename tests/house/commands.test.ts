/** The repository's own commands: what they say when something is missing, and how they count. */
import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { serverAccount, temporaryFolder } from "@database-interface/mcp-core/sample";
import { expect, test } from "vitest";
import { root } from "./sources.js";

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs node in the repository to its end. */
const node = (args: readonly string[], environment: Record<string, string | undefined> = {}): Promise<Outcome> =>
  new Promise((resolve) => {
    const options = { cwd: root, env: { ...process.env, ...environment } };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : 1, stdout, stderr });
    });
  });

const closingLine = (stdout: string) => stdout.trimEnd().split("\n").at(-1);

test("npm test closes with the run's totals, and passes arguments on", { timeout: 120_000 }, async () => {
  const { code, stdout } = await node(["bin/test.mjs", "tests/house/manifests.test.ts", "-t", "the lockfile"]);
  expect(closingLine(stdout)).toMatch(/^2 passed, 0 failed, \d+ skipped$/);
  expect(code).toBe(0);
});

test("npm test fails when no test ran", { timeout: 120_000 }, async () => {
  const { code, stdout } = await node(["bin/test.mjs", "tests/no-such-folder"]);
  expect(closingLine(stdout)).toBe("0 passed, 0 failed");
  expect(code).not.toBe(0);
});

test("a service that can't be had is named, with what to do", { timeout: 120_000 }, async () => {
  const cache = await mkdtemp(join(await temporaryFolder(serverAccount()), "dbi-services-"));
  await chmod(cache, 0o755);
  const script = `import { openServices } from ${JSON.stringify(join(root, "bin/services.mjs"))};
    await openServices().then(() => process.exit(0), (error) => { console.error(error.message); process.exit(1); });`;
  const { code, stderr } = await node(["--input-type=module", "-e", script], {
    PATH: "/nowhere",
    XDG_CACHE_HOME: cache,
    DBI_STANDARD_PORTS: "absent",
    DBI_INSTALLED_SERVERS: "absent",
    TEST_POSTGRES_URL: undefined,
    TEST_MYSQL_URL: undefined,
    TEST_REDIS_URL: undefined,
  });
  await rm(cache, { recursive: true });
  expect(code).toBe(1);
  expect(stderr).toContain("MariaDB is needed and could not be had.");
  expect(stderr).toContain("set TEST_MYSQL_URL");
  expect(stderr).toContain("Redis is needed and could not be had.");
  expect(stderr).not.toContain("PostgreSQL is needed"); // Its programs came with npm.
});
