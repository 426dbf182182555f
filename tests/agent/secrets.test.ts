/** A password is found nowhere: no argv, no log, no report, no event, no history, no file left behind. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createCanary, holds, sqlStringOf } from "../support/canary.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { commandLinesBelow, eventually, openTerminal, runAgent, slowStatement, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 120_000 }); // three processes a test, on a machine that may be busy

const canary = createCanary();
const role = `canary_${process.pid}`;
let database: TestDatabase;
let url: string;

beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(`CREATE ROLE ${role} LOGIN PASSWORD ${sqlStringOf(canary, false)}`);
  url = Object.assign(new URL(database.url), { username: role, password: encodeURIComponent(canary.password) }).href;
});
afterAll(async () => {
  await database?.run(`DROP ROLE ${role}`);
  await database?.[Symbol.asyncDispose]();
});

function expectNoCanary(where: string, text: string): void {
  if (holds(text, canary)) throw new Error(`${where} holds the password:\n${text}`);
}

/** Everything below a folder, as text. */
function contentsOf(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");
}

describe("a task with the password in its variable", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the task's own variable
  const connection = { name: "db", url: "${SECRET_URL}" };

  test("while it runs: no command line of any process, no temporary file with more than its owner's rights", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "task.json");
    writeFileSync(
      file,
      JSON.stringify({ connections: [connection], statements: [{ sql: slowStatement(`canary_${process.pid}`) }] }),
    );
    const lines: string[] = [];
    const files: string[] = [];
    const ended = await runAgent(["run", file], {
      environment: { SECRET_URL: url, TMPDIR: folder.path },
      async whileRunning(pid) {
        await eventually(
          async () =>
            (await database.run(`SELECT 1 FROM pg_stat_activity WHERE usename = '${role}' AND state = 'active'`))
              .length > 0,
          "the statement",
        );
        lines.push(...commandLinesBelow(pid));
        files.push(contentsOf(folder.path));
        for (const name of readdirSync(folder.path).filter((entry) => entry.startsWith("db-agent-"))) {
          expect(statSync(join(folder.path, name)).mode & 0o077).toBe(0);
          expect(statSync(join(folder.path, name, "gateway.json")).mode & 0o077).toBe(0);
        }
        process.kill(pid, "SIGINT");
      },
    });
    expect(lines.length).toBeGreaterThanOrEqual(3); // the agent, the gateway, the database's server
    expect(ended.code).toBe(130);
    for (const [where, text] of Object.entries({
      argv: lines.join("\n"),
      files: files.join("\n"),
      stdout: ended.stdout,
      stderr: ended.stderr,
    })) {
      expectNoCanary(where, text);
    }
    expect(readdirSync(folder.path)).toEqual(["task.json"]);
    await eventually(
      async () => (await database.run(`SELECT 1 FROM pg_stat_activity WHERE usename = '${role}'`)).length === 0,
      "its connections to go",
    );
  });

  test.each([
    ["that works", (given: string) => given],
    ["that names no database", (given: string) => Object.assign(new URL(given), { pathname: "/no_such" }).href],
    ["that nobody answers", (given: string) => Object.assign(new URL(given), { port: "1" }).href],
    ["with an option nobody knows", (given: string) => `${given}?nonsense=1`],
    ["of another product", (given: string) => given.replace("postgres:", "oracle:")],
    ["that is broken", (given: string) => given.replace("@", "@@:x/")],
  ])("a URL %s", async (_, change) => {
    const task = JSON.stringify({
      connections: [connection],
      inspect: true,
      statements: [{ sql: "SELECT current_user" }],
    });
    for (const args of [
      ["run", "-"],
      ["run", "-", "--events"],
      ["run", "-", "-o", "json"],
    ]) {
      const { stdout, stderr } = await runAgent(args, {
        input: task,
        environment: { SECRET_URL: change(url), DEBUG: "db-agent" },
      });
      expectNoCanary("stdout", stdout);
      expectNoCanary("stderr", stderr);
    }
  });
});

test("a URL on the command line is not left in the process list, nor in the temporary folder", async () => {
  using temporary = temporaryFolder();
  const { stdout } = await runAgent([url], {
    input: "\\l\nSELECT current_user;\n",
    environment: { TMPDIR: temporary.path },
  });
  expect(stdout).toContain(role);
  expectNoCanary("stdout", stdout);
  expect(readdirSync(temporary.path)).toEqual([]);
});

test("the prompt: the process list, the screen and the history know no password", async () => {
  using state = temporaryFolder();
  await using terminal = await openTerminal([database.url], { environment: { XDG_STATE_HOME: state.path } });
  await terminal.shows("=> ");
  await terminal.enter("SELECT 'kept' AS word;");
  await terminal.shows("(1 row");
  await terminal.enter(`\\c ${url}`);
  await terminal.shows(`as ${role}`);
  await terminal.enter("SELECT current_user AS me;");
  await terminal.shows(new RegExp(`${role}\\s*\\n\\(1 row`));
  await terminal.enter(`ALTER ROLE x PASSWORD ${sqlStringOf(canary, false)};`);
  await terminal.shows("✗");
  await terminal.enter("\\q");
  await terminal.shows("exit=0");
  const history = contentsOf(state.path);
  expect(history).toContain("SELECT 'kept' AS word;");
  expectNoCanary("the history", history);
});
