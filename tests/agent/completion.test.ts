/** Completion in a real bash: commands, options, their values, and names that only configurations and databases know. */
import { execFile } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parseLine } from "../../agent/src/faces/completion/line.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { runAgent, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 120_000 });

const folder = temporaryFolder();
let database: TestDatabase;
let gateway: RunningServer;
beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run("CREATE TABLE invoices (id int); CREATE TABLE inventory (id int); CREATE TABLE other (id int)");
  symlinkSync(executable("agent"), join(folder.path, "db-agent"));
  mkdirSync(join(folder.path, "knowledge", "noted"), { recursive: true });
  const databases = { sales: "postgres://h/a", salaries: "postgres://h/b", hr: "postgres://h/c" };
  writeFileSync(join(folder.path, "gateway.json"), JSON.stringify({ databases }));
  writeFileSync(join(folder.path, "task.json"), "{}");
  const config = join(folder.path, "running.json");
  writeFileSync(config, JSON.stringify({ databases: { stock: database.url } }), { mode: 0o600 });
  gateway = await startHttpServer(executable("mcp-gateway"), ["--config", config, "--port", "0"]);
  await runAgent(["check"], { environment: { MCP_GATEWAY_URL: gateway.url } }); // its server is up before anybody waits at a Tab
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** What bash offers at the end of a line, which it takes apart at spaces, = and : as it does at its prompt. */
async function offered(line: string): Promise<string[]> {
  const words: string[] = line.match(/[=:]+|[^\s=:]+/g) ?? [];
  if (/\s$/.test(line)) words.push("");
  const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const script = `set -e; source <(db-agent completion bash); complete -p db-agent >&2
    COMP_LINE=$LINE COMP_POINT=\${#LINE} COMP_WORDS=(${quoted}) COMP_CWORD=${words.length - 1}
    _db_agent; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await promisify(execFile)("bash", ["--norc", "-c", script], {
    cwd: folder.path,
    env: {
      PATH: `${folder.path}:${process.env.PATH}`,
      LINE: line,
      DB_AGENT_KNOWLEDGE: join(folder.path, "knowledge"),
      MCP_GATEWAY_URL: gateway.url,
    },
  });
  expect(stderr).toContain("complete -F _db_agent db-agent");
  return stdout.split("\n").filter((word) => word !== "");
}

test.each([
  ["a command by its beginning", "db-agent ru", ["run"]],
  ["several of them", "db-agent c", ["connect", "check", "completion"]],
  ["an option", "db-agent query --max", ["--max-rows"]],
  ["no option twice", "db-agent query --max-rows 3 --max", []],
  ["an option's values", "db-agent query x --output js", ["json", "jsonl"]],
  ["the same behind =, where bash ends the word", "db-agent query x --output=js", ["json", "jsonl"]],
  ["a positional's values", "db-agent answer some-session re", ["reject", "reply"]],
  [
    "the databases of a configuration, and those with notes",
    "db-agent query x --config gateway.json --source ",
    ["hr", "noted", "salaries", "sales"],
  ],
  ["their beginning", "db-agent notes no", ["noted"]],
  ["the databases of the line", "db-agent query x a1=postgres://h/d a2=postgres://h/e -s a", ["a1", "a2"]],
  ["the tables of a database", "db-agent inspect inv", ["inventory", "invoices"]],
  ["files", "db-agent run ta", ["task.json"]],
  ["the behind of a quoted statement", 'db-agent query "SELECT 1, 2" --outp', ["--output"]],
  ["nothing where anything may stand", "db-agent ask ", []],
])("bash offers %s", async (_, line, expected) => {
  expect((await offered(line)).sort()).toEqual([...expected].sort());
});

describe("the scripts", () => {
  test.each([
    ["bash", {}, "complete -F _db_agent db-agent"],
    ["zsh", {}, "#compdef db-agent"],
    ["fish", {}, "complete -c db-agent"],
    [undefined, { SHELL: "/usr/bin/zsh" }, "#compdef db-agent"],
  ])("%s %o", async (shell, environment, expected) => {
    const { code, stdout } = await runAgent(["completion", ...(shell === undefined ? [] : [shell])], { environment });
    expect({ code, has: stdout.includes(expected) }).toEqual({ code: 0, has: true });
  });

  test("a shell nobody knows is told which there are", async () => {
    const { code, stderr } = await runAgent(["completion"], { environment: { SHELL: "/bin/csh" } });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("bash, zsh, fish") });
  });
});

test.each([
  ["a b c", ["b"], "c"],
  ["a b ", ["b"], ""],
  ["a 'b c' d", ["b c"], "d"],
  ['a "b \\" c', [], 'b " c'],
  ["a b\\ c d", ["b c"], "d"],
  ["a '' d", [""], "d"],
])("%j is taken apart as a shell does", (line, before, current) => {
  expect(parseLine(line)).toEqual({ before, current });
});
