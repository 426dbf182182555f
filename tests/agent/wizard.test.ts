/** A connection asked for step by step, and passwords out of files and commands: never shown, never kept, never in argv. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { fields, likelyField, toUrl } from "../../agent/src/faces/connect/fields.js";
import { hasPassword, withPasswords } from "../../agent/src/gateway/password.js";
import { createCanary, holds, sqlStringOf } from "../support/canary.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { commandLinesBelow, openTerminal, runAgent, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 120_000 });

const canary = createCanary();
const mistyped = createCanary();
const user = `wizard_${process.pid}`;
const folder = temporaryFolder();
let database: TestDatabase;
let address: URL;
beforeAll(async () => {
  database = await createMysqlDatabase();
  address = new URL(database.url);
  await database.run(`CREATE USER ${user}@'%' IDENTIFIED BY ${sqlStringOf(canary, true)}`);
  await database.run(`GRANT SELECT ON \`${address.pathname.slice(1)}\`.* TO ${user}@'%'`);
  writeFileSync(join(folder.path, "password"), `${canary.password}\n`, { mode: 0o600 });
});
afterAll(async () => {
  await database?.run(`DROP USER ${user}@'%'`);
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const filesBelow = (path: string): string =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "password")
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");

test("the wizard asks, tries, lets one answer be changed, and opens the prompt with a session", async () => {
  const environment = {
    XDG_STATE_HOME: folder.path,
    DB_AGENT_STORE: "file",
    MCP_PASSPHRASE: "long enough to seal",
    DATABASE_URL: "",
    MCP_GATEWAY_URL: "",
  };
  await using terminal = await openTerminal(["connect"], { environment });
  const answers: [string, string][] = [
    ["Kind (postgres, mysql, mariadb) [postgres]:", "oracle"],
    ["It may be postgres, mysql, mariadb.", "mar"],
    ["Host [127.0.0.1]:", address.hostname],
    ["Port [3306]:", "99999"],
    ["A port is a number from 1 to 65535.", address.port || "3306"],
    ["Database:", address.pathname.slice(1)],
    ["User [root]:", user],
    ["Password (not shown):", mistyped.password],
    ["TLS (prefer, off, require, verify) [prefer]:", ""],
    ["database, user, password, tls) [password]:", ""],
    ["Password (not shown):", canary.password],
  ];
  for (const [question, answer] of answers) {
    await terminal.shows(question);
    if (question.startsWith("Password") && answer === canary.password) {
      await terminal.shows(/\[authentication_failed[\s\S]*Password \(not shown\):/);
    }
    await terminal.enter(answer);
  }
  await terminal.shows("Session ");
  await terminal.shows("=> ");
  await terminal.enter("SELECT 40 + 2 AS answer;");
  await terminal.shows(/42[\s\S]*\(1 row/);
  await terminal.enter("\\session");
  const screen = await terminal.shows(/Session \S+\s[\s\S]*Session \S+/);
  const [first, again] = [...screen.matchAll(/Session (\S+)/g)].map(([, session]) => session);
  expect(again).toBe(first);
  await terminal.enter("\\q");
  await terminal.shows("exit=0");
  for (const one of [canary, mistyped]) {
    expect(holds(await terminal.screen(), one)).toBe(false);
    expect(holds(filesBelow(folder.path), one)).toBe(false);
  }
});

test("leaving the wizard ends with 130; in a pipe there is no wizard", async () => {
  await using terminal = await openTerminal(["connect"], { environment: { DATABASE_URL: "", MCP_GATEWAY_URL: "" } });
  await terminal.shows("Kind");
  await terminal.press("C-c");
  await terminal.shows("exit=130");
  const piped = await runAgent(["connect"], { input: "SELECT 1;" });
  expect({ code: piped.code, stderr: piped.stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining("Which database?"),
  });
});

describe("a password besides the URL", () => {
  const url = () => `mysql://${user}@${address.host}${address.pathname}`;
  const sql = "SELECT current_user() AS me";

  test.each([
    ["in a file", () => ["--password-file", join(folder.path, "password")]],
    ["printed by a command", () => ["--password-command", `cat '${join(folder.path, "password")}'`]],
  ])("%s connects, and stands in no command line", async (_, args) => {
    const lines: string[] = [];
    const ended = await runAgent(["query", sql, url(), "-o", "csv", "-q", ...args()], {
      async whileRunning(pid) {
        lines.push(...commandLinesBelow(pid));
      },
    });
    expect(ended).toEqual({ code: 0, stdout: `me\r\n${user}@%\r\n`, stderr: "" });
    expect(holds(lines.join("\n"), canary)).toBe(false);
  });

  test("in the URL of a command line is warned of, and not repeated", async () => {
    const { stderr } = await runAgent(["query", sql, url().replace("@", ":c4nary-x@")]);
    expect(stderr).toContain("--password-file");
    expect(stderr).not.toContain("c4nary");
  });

  test.each([
    [
      "a file that is missing",
      "mysql://u@h/d",
      { passwordFile: "/nowhere" },
      "config_unreadable",
      "/nowhere cannot be read.",
    ],
    [
      "a command that fails",
      "mysql://u@h/d",
      { passwordCommand: "echo c4nary; exit 3" },
      "config_unreadable",
      "The password command failed.",
    ],
    [
      "a command that prints nothing",
      "mysql://u@h/d",
      { passwordCommand: "true" },
      "config_unreadable",
      "gives no password",
    ],
    ["two sources", "mysql://u@h/d", { passwordFile: "/x", passwordCommand: "y" }, "usage", "given twice"],
    ["a URL with one", "mysql://u:p@h/d", { passwordCommand: "echo x" }, "usage", "holds a password already"],
    ["a URL without a user", "mysql://h/d", { passwordCommand: "echo x" }, "usage", "names no user"],
  ])("%s is refused", async (_, given, source, code, message) => {
    const error: unknown = await withPasswords({ db: given }, source).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(JSON.stringify((error as { report: unknown }).report)).not.toContain("c4nary");
  });
});

test.each([
  ["postgres://me:secret@h/d", true],
  ["name=postgres://me:secret@h/d", true],
  ["postgres://me@h:5432/d", false],
  ["postgres://h:5432/d?x=a@b", false],
  ["http://h/a:b@c", false],
  ["SELECT 'a:b@c'", false],
])("%j holds a password: %j", (text, expected) => {
  expect(hasPassword(text)).toBe(expected);
});

test("answers come to a URL in which nothing means anything else", () => {
  const answers = {
    kind: "postgres",
    host: "::1",
    port: "5433",
    database: "a/b",
    user: "u@x",
    password: canary.password,
    tls: "verify",
  };
  const url = new URL(toUrl(answers));
  expect([url.hostname, url.port, url.searchParams.get("sslmode")]).toEqual(["[::1]", "5433", "verify-full"]);
  expect([url.username, url.password, url.pathname.slice(1)].map(decodeURIComponent)).toEqual([
    "u@x",
    canary.password,
    "a/b",
  ]);
  expect(toUrl({ ...answers, kind: "mariadb", user: "", host: "db" })).toBe(
    "mariadb://db:5433/a%2Fb?ssl-mode=verify-full",
  );
});

test.each([
  ["authentication_failed", "password"],
  ["tls_failed", "tls"],
  ["database_not_found", "database"],
  ["connection_failed", "host"],
])("after %s the %s is asked for first", (code, field) => {
  expect(likelyField(code)).toBe(field);
  expect(fields.map(({ name }) => name)).toContain(field);
});
