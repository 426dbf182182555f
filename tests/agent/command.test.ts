/** `db-agent` as a command: every output, every exit code, and errors that say what to write. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { runAgent, temporaryFolder, withoutPassword } from "./support.js";

let database: TestDatabase;
let gateway: RunningServer;
const folder = temporaryFolder();
const token = "a-token-of-at-least-thirty-two-characters";

beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(
    "CREATE TABLE people (id bigint PRIMARY KEY, name text, document jsonb); INSERT INTO people VALUES (1, 'Ada', '{\"n\": 12345678901234567890}'), (2, '李小龍', NULL)",
  );
  const config = join(folder.path, "gateway.json");
  writeFileSync(config, JSON.stringify({ databases: { people: database.url, again: database.url } }));
  gateway = await startHttpServer(executable("mcp-gateway"), ["--config", config, "--port", "0"], { MCP_TOKEN: token });
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const remote = () => ({ MCP_GATEWAY_URL: gateway.url, MCP_GATEWAY_TOKEN: token });

function taskFile(task: object): string {
  const file = join(folder.path, `task-${Math.random().toString(36).slice(2)}.json`);
  writeFileSync(file, JSON.stringify(task));
  return file;
}

describe("query", () => {
  test.each([
    ["csv", 'id,name,document\r\n1,Ada,"{""n"": 12345678901234567890}"\r\n2,李小龍,\r\n'],
    [
      "json",
      '[{"id":1,"name":"Ada","document":{"n": 12345678901234567890}},\n {"id":2,"name":"李小龍","document":null}]\n',
    ],
    [
      "jsonl",
      '{"id":1,"name":"Ada","document":{"n": 12345678901234567890}}\n{"id":2,"name":"李小龍","document":null}\n',
    ],
    [
      "markdown",
      '| id | name | document |\n| --: | --- | --- |\n| 1 | Ada | {"n": 12345678901234567890} |\n| 2 | 李小龍 |  |\n',
    ],
  ])("as %s", async (format, expected) => {
    const { code, stdout } = await runAgent([
      "query",
      "SELECT * FROM people ORDER BY id",
      database.url,
      "--format",
      format,
    ]);
    expect({ code, stdout: stdout.replaceAll('"n":1', '"n": 1').replaceAll('""n"":1', '""n"": 1') }).toEqual({
      code: 0,
      stdout: expected,
    });
  });

  test("as a table, with its row count", async () => {
    const { stdout } = await runAgent(["query", "SELECT id, name FROM people ORDER BY id", database.url]);
    expect(stdout.split("\n").slice(0, 4)).toEqual([" id │ name", "────┼────────", "  1 │ Ada", "  2 │ 李小龍"]);
    expect(stdout).toMatch(/\(2 rows, \d+ ms\)\n$/);
  });

  test("through a running gateway, with a source, parameters and its SQL from stdin", async () => {
    const args = ["query", "-", "--source", "again", "--param", "2", "--param", "Ada", "-o", "csv"];
    const { code, stdout, stderr } = await runAgent(args, {
      environment: remote(),
      input: "SELECT id FROM people WHERE id = $1 OR name = $2",
    });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "id\r\n1\r\n2\r\n", stderr: "" });
  });

  test("--all reads every page of one snapshot", async () => {
    const { code, stdout } = await runAgent([
      "query",
      "SELECT generate_series(1, 5000) AS n",
      database.url,
      "--all",
      "-o",
      "csv",
    ]);
    expect(code).toBe(0);
    expect(stdout).toBe(`n\r\n${Array.from({ length: 5_000 }, (_, index) => `${index + 1}\r\n`).join("")}`);
  });

  test("a truncated result says how to see more", async () => {
    const { code, stderr } = await runAgent(["query", "SELECT generate_series(1, 5000) AS n", database.url]);
    expect(code).toBe(0);
    expect(stderr).toContain("--all reads every page");
  });

  test("an error has its code, its hint and its caret", async () => {
    const { code, stdout, stderr } = await runAgent(["query", "SELECT nme FROM people", database.url]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("[column_not_found 42703]");
    expect(stderr).toContain("Did you mean name?");
    expect(stderr).toMatch(/ {2}SELECT nme FROM people\n {9}\^/);
  });

  test("a reader that has had enough is no failure", async () => {
    using temporary = temporaryFolder();
    const { url, environment } = withoutPassword(database.url);
    const { code, stderr } = await runAgent([], {
      nodeArgs: ["-e", closedPipeScript(url)],
      environment: { ...environment, TMPDIR: temporary.path },
    });
    expect({ code, stderr, left: readdirSync(temporary.path) }).toEqual({ code: 0, stderr: "", left: [] });
  });
});

/** Runs `db-agent query --all`, closes its stdout after the first bytes and ends with its exit code. */
const closedPipeScript = (url: string): string => `
  const child = require("node:child_process").spawn(process.execPath, [${JSON.stringify(executable("agent"))}, "query",
    "SELECT generate_series(1, 200000) AS n", ${JSON.stringify(url)}, "--all", "-o", "csv"], { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.once("data", () => child.stdout.destroy());
  child.once("exit", (code) => process.exit(code ?? 99));
`;

describe("run", () => {
  const statements = [{ name: "People", sql: "SELECT id, name FROM people ORDER BY id" }];

  test.each([
    ["table", / id │ name\n────┼────────\n {2}1 │ Ada\n {2}2 │ 李小龍\n\(2 rows, \d+ ms\)/],
    ["vertical", /── row 2 ──\n id {3}│ 2\n name │ 李小龍/],
    [
      "markdown",
      /# Report\n[\s\S]*## People\n\n```sql\nSELECT id, name FROM people ORDER BY id\n```\n\n\| id \| name \|/,
    ],
    ["csv", /^id,name\r\n1,Ada\r\n2,李小龍\r\n$/],
    ["jsonl", /^\{"statement":"People","row":\{"id":1,"name":"Ada"\}\}\n/],
  ])("writes its report as %s", async (format, expected) => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the task's own variable
    const file = taskFile({ connections: [{ name: "db", url: "${PEOPLE_URL}" }], statements });
    const { code, stdout } = await runAgent(["run", file, "-o", format, "-q"], {
      environment: { PEOPLE_URL: database.url },
    });
    expect(stdout).toMatch(expected);
    expect(code).toBe(0);
  });

  test("writes a machine-readable report into the file the task names", async () => {
    const output = join(folder.path, "deep", "report.json");
    const file = taskFile({
      connections: [{ name: "db", url: database.url }],
      statements,
      output: { format: "json", file: output },
    });
    const { code, stdout, stderr } = await runAgent(["run", file]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toContain(output);
    expect(JSON.parse(readFileSync(output, "utf8"))).toMatchObject({
      ok: true,
      connections: [{ name: "db", state: "up" }],
      statements: [
        {
          name: "People",
          status: "ok",
          result: {
            columns: ["id", "name"],
            rows: [
              [1, "Ada"],
              [2, "李小龍"],
            ],
            rowCount: 2,
          },
        },
      ],
    });
  });

  test("a statement's file that cannot be written fails the run, and keeps none of the others", async () => {
    const good = join(folder.path, "good.csv");
    const bad = join(folder.path, "task-none.json", "x.csv");
    writeFileSync(join(folder.path, "task-none.json"), "");
    const [statement] = statements;
    const file = taskFile({
      connections: [{ name: "db", url: database.url }],
      statements: [
        { ...statement, name: "bad", output: { file: bad } },
        { ...statement, name: "good", output: { file: good } },
        { ...statement, name: "odd", output: { file: join(folder.path, "odd.rows"), format: "jsonl" } },
      ],
    });
    const { code, stdout, stderr } = await runAgent(["run", file, "-o", "json"]);
    expect(code).toBe(1);
    expect(stderr).toContain("[output_unwritable]");
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      files: [{ statement: "bad", error: { code: "output_unwritable" } }, { statement: "good", rows: 2 }, { rows: 2 }],
    });
    expect(readFileSync(good, "utf8")).toBe("id,name\r\n1,Ada\r\n2,李小龍\r\n");
  });

  test("a statement's file whose ending names no format is refused before anything runs", async () => {
    const file = taskFile({
      connections: [{ name: "db", url: database.url }],
      statements: [{ sql: "SELECT 1", output: { file: "x.rows" } }],
    });
    const { code, stderr } = await runAgent(["run", file]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining("statements.0.output: The ending of x.rows"),
    });
  });

  test("tells what it does on stderr while it does it", async () => {
    const { stderr } = await runAgent([
      "run",
      taskFile({ connections: [{ name: "db", url: database.url }], statements }),
    ]);
    expect(
      stderr.split("\n").map((line) => line.replace(/[\d.]+ m?s$/, "").replace(/PostgreSQL.*/, "PostgreSQL")),
    ).toEqual([
      "· db: connecting",
      "· db: verifying",
      "✓ db is up: PostgreSQL",
      "▸ People SELECT id, name FROM people ORDER BY id",
      "✓ People: 2 rows, ",
      "",
    ]);
  });

  test("through a running gateway its connections are that gateway's sources", async () => {
    const file = taskFile({ connections: [{ name: "again" }], statements });
    const tokenFile = join(folder.path, "token");
    writeFileSync(tokenFile, `${token}\n`);
    const { code, stdout } = await runAgent([
      "run",
      file,
      "--gateway",
      gateway.url,
      "--token-file",
      tokenFile,
      "-o",
      "csv",
      "-q",
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "id,name\r\n1,Ada\r\n2,李小龍\r\n" });
  });

  test("without connections it takes all the gateway has; --events are JSON lines", async () => {
    const { code, stdout } = await runAgent(["run", "-", "--events", "-q"], { environment: remote(), input: "{}" });
    const events: { type: string; connection?: string; state?: string }[] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(
      events
        .filter(({ state }) => state === "up")
        .map(({ connection }) => connection)
        .sort(),
    ).toEqual(["again", "people"]);
    expect(events.at(-1)).toMatchObject({ type: "done", ok: true });
  });

  test("a database on the command line takes the place of the task's only one", async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the task's own variable
    const file = taskFile({ connections: [{ name: "db", url: "${NOT_SET_ANYWHERE}" }], statements });
    expect(await runAgent(["run", file, database.url, "-q", "-o", "csv"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Ada"),
    });
  });

  test("its exit code is 1 when something failed", async () => {
    const file = taskFile({
      connections: [{ name: "db", url: database.url }],
      statements: [{ sql: "SELECT wrong" }, ...statements],
    });
    const { code, stdout } = await runAgent(["run", file, "-q"]);
    expect(code).toBe(1);
    expect(stdout).toContain("1 of 2 statements ok, 1 failed");
  });
});

describe("look-ups", () => {
  test("inspect lists tables", async () => {
    expect((await runAgent(["inspect", database.url])).stdout).toMatch(/table │ public │ people/);
  });
  test("inspect describes a table", async () => {
    expect((await runAgent(["inspect", "people", database.url])).stdout).toContain("id bigint not null");
  });
  test("check says what a database is", async () => {
    expect(await runAgent(["check", database.url])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/✓ t_\w+: PostgreSQL [\d.]+, .*read-only/),
    });
  });
  test("check of one that is down fails, as JSON too", async () => {
    const { code, stdout } = await runAgent(["check", "down=postgres://u@127.0.0.1:1/x", "-o", "json"]);
    expect({ code, checks: JSON.parse(stdout) }).toMatchObject({
      code: 1,
      checks: [{ source: "down", up: false, error: { code: "connection_failed" } }],
    });
  });
});

describe("wrong usage ends with 2 and says what to write", () => {
  test.each([
    ["a misspelt command", ["qurey"], "Did you mean query?"],
    ["a misspelt option", ["query", "SELECT 1", "--fromat", "csv"], "Did you mean --format?"],
    ["an unknown format", ["query", "SELECT 1", "--format", "xml"], 'Given: "xml"'],
    ["no database", ["query", "SELECT 1"], "set DATABASE_URL"],
    ["no statement", ["query"], "Not enough non-option arguments"],
    ["a word for a database", ["query", "SELECT 1", "shop"], "postgres://user@host/database"],
    ["a gateway and a database", ["--gateway", "http://127.0.0.1:1", "postgres://h/d"], "Leave --gateway out"],
    ["an address that is none", ["check", "--gateway", "ftp://x"], "http://127.0.0.1"],
    ["a task that is missing", ["run", "nowhere.json"], "There is no such file."],
    [
      "a token file that is missing",
      ["check", "--gateway", "http://127.0.0.1:1", "--token-file", "/nowhere"],
      "/nowhere",
    ],
  ])("%s", async (_, args, message) => {
    const { code, stdout, stderr } = await runAgent(args);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});

describe("a gateway that is not as expected", () => {
  test("a wrong token is told", async () => {
    const { code, stderr } = await runAgent(["check"], { environment: { ...remote(), MCP_GATEWAY_TOKEN: "wrong" } });
    expect(code).toBe(1);
    expect(stderr).toContain("[unauthorized]");
    expect(stderr).toContain("MCP_GATEWAY_TOKEN");
  });
  test("nobody there is told", async () => {
    const { code, stderr } = await runAgent(["query", "SELECT 1", "--gateway", "http://127.0.0.1:2"]);
    expect(code).toBe(1);
    expect(stderr).toContain("[gateway_unreachable]");
  });
  test("an unknown source is told with its nearest", async () => {
    const { code, stderr } = await runAgent(["query", "SELECT 1", "--source", "peple"], { environment: remote() });
    expect(code).toBe(1);
    expect(stderr).toContain("people");
  });
});

test("help, version, schema and completion are printed and load no face", async () => {
  const help = await runAgent(["--help"]);
  expect(help.code).toBe(0);
  for (const word of ["run <task>", "query <sql>", "inspect", "check", "--gateway", "Exit codes: 0 done"])
    expect(help.stdout).toContain(word);
  expect((await runAgent(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(JSON.parse((await runAgent(["schema"])).stdout)).toMatchObject({
    title: "A task of db-agent",
    type: "object",
  });
  expect((await runAgent(["completion"], { environment: { SHELL: "/bin/zsh" } })).stdout).toContain(
    "#compdef db-agent",
  );
});
