/**
 * `npm test`: sets up what is missing, finds or starts the real servers, runs every test, and says the totals on a line
 * of its own. Arguments go to vitest: `npm test -- tests/postgres -t cursor`.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setUp } from "./setup.mjs";
import { runTool } from "./workspace.mjs";

await setUp();
const { openServices } = await import("./services.mjs"); // Its libraries are there only now.
const services = await openServices().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.stdout.write("0 passed, 1 failed\n");
  process.exit(1);
});
for (const line of services.report) process.stderr.write(`${line}\n`);

const work = mkdtempSync(join(tmpdir(), "dbi-test-"));
let code = 1;
try {
  const report = join(work, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  code = await runTool("vitest", ["run", ...reporters, ...process.argv.slice(2)]);
  const { passed, failed, skipped } = totals(report);
  process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
  if (code === 0 && (failed > 0 || passed === 0)) code = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
  await services[Symbol.asyncDispose]();
}
process.exit(code);

/** A test file that fails as a whole (it can't be loaded) counts as one failed test. @param {string} report */
function totals(report) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    const broken = testResults.filter(
      (/** @type {{ status: string, assertionResults: { status: string }[] }} */ file) =>
        file.status === "failed" && file.assertionResults.every(({ status }) => status !== "failed"),
    );
    return {
      passed: numPassedTests,
      failed: numFailedTests + broken.length,
      skipped: (numPendingTests ?? 0) + (numTodoTests ?? 0),
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }; // vitest ended before it could report.
  }
}
