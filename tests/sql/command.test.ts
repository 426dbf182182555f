/** The command of a database server: which sources it serves, what it refuses, what it prints. */
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { runDatabaseCommand } from "../../mcp-core/src/sql/command.js";
import { createPasswordCommand } from "../../mcp-core/src/sql/password-command.js";
import { planSources, type SourceOrigins } from "../../mcp-core/src/sql/sources.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";

let folder: string;
let database: TestDatabase;

beforeAll(async () => {
  [folder, database] = await Promise.all([mkdtemp(join(tmpdir(), "command-")), createPostgresDatabase()]);
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Runs the command in this process, with nothing from its environment. */
async function run(argv: readonly string[], environment: Record<string, string> = {}) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const signal = AbortSignal.timeout(20_000);
  const code = await runDatabaseCommand(postgresKind, { argv, environment, stdout, stderr, signal });
  return { code, stdout: String(stdout.read() ?? ""), stderr: String(stderr.read() ?? "") };
}

const none: SourceOrigins = { urls: [], flags: [], file: {}, environment: {} };
const url = (name: string) => `postgres://reader@127.0.0.1/${name}`;

describe("sources", () => {
  const plans: readonly [string, Partial<SourceOrigins>, readonly [name: string, database: string][]][] = [
    ["a URL is named after its database", { urls: [url("shop")] }, [["shop", "shop"]]],
    ["a database's odd name becomes a usable one", { urls: [url("my%20shop")] }, [["my_shop", "my shop"]]],
    [
      "--source names them",
      { flags: [`a=${url("x")}`, `b=${url("y")}`] },
      [
        ["a", "x"],
        ["b", "y"],
      ],
    ],
    [
      "the file names them, as text or object",
      { file: { a: url("x"), b: { url: url("y") } } },
      [
        ["a", "x"],
        ["b", "y"],
      ],
    ],
    [
      "the command line stands before the file",
      { flags: [`a=${url("x")}`], file: { a: url("z"), b: url("y") } },
      [
        ["a", "x"],
        ["b", "y"],
      ],
    ],
    ["the environment counts when nothing else does", { environment: { DATABASE_URL: url("env") } }, [["env", "env"]]],
    [
      "the environment adds none to others",
      { flags: [`a=${url("x")}`], environment: { DATABASE_URL: url("env") } },
      [["a", "x"]],
    ],
  ];
  test.each(plans)("%s", (_title, origins, expected) => {
    const planned = planSources(postgresKind, { ...none, ...origins });
    expect(planned.map(({ name, config }) => [name, config.database])).toEqual(expected);
  });

  const refused: readonly [string, Partial<SourceOrigins>, string, RegExp][] = [
    ["none at all", {}, "usage", /DATABASE_URL/],
    ["two of one name", { flags: [`a=${url("x")}`, `a=${url("y")}`] }, "usage", /named a\b/],
    ["two URLs of one database's name", { urls: [url("x"), url("x")] }, "usage", /--source name=url/],
    ["a flag without a name", { flags: [url("x")] }, "usage", /name=url/],
    ["a name with other characters", { file: { "a b": url("x") } }, "config_invalid", /letters, digits/],
    [
      "an option the database does not know",
      { file: { a: { url: url("x"), options: { nonsense: true } } } },
      "url_invalid",
      /nonsense/,
    ],
  ];
  test.each(refused)("%s are refused with the remedy", (_title, origins, code, words) => {
    try {
      planSources(postgresKind, { ...none, ...origins });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code });
      const { message, hint } = error as { message: string; hint: string }; // a CodedError, as just seen
      expect(`${message} ${hint}`).toMatch(words);
    }
  });

  test("a source in the file may bring its own password and schemas", async () => {
    const [own, other] = planSources(postgresKind, {
      ...none,
      file: { own: { url: url("x"), password: "p@ss/word", schemas: ["sales"] }, other: url("y") },
      schemas: ["public"],
    });
    expect(await own?.password?.()).toBe("p@ss/word");
    expect([own?.schemas, other?.schemas]).toEqual([["sales"], ["public"]]);
    expect(other?.password).toBeUndefined();
  });

  test("a source in the file says for itself how long its results are used again, also that they are not", () => {
    const file = { one: { url: url("x"), resultTtl: 5_000 }, none: { url: url("y"), resultTtl: 0 }, other: url("z") };
    const ttlOf = (shared: Partial<SourceOrigins>) =>
      planSources(postgresKind, { ...none, file, ...shared }).map(({ resultTtlMs }) => resultTtlMs);
    expect(ttlOf({})).toEqual([5_000, 0, 0]);
    expect(ttlOf({ resultTtlMs: 60_000 })).toEqual([5_000, 0, 60_000]);
  });
});

const isRunning = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0] !== "Z";
  } catch {
    return false;
  }
};

describe("a password command", () => {
  test("gives the first line it prints, anew each time, one run for those who ask at once", async () => {
    const counter = join(folder, "runs");
    const password = createPasswordCommand(`echo run >> '${counter}'; wc -l < '${counter}' | tr -d ' '; echo second`);
    expect(await Promise.all([password(), password()])).toEqual(["1", "1"]);
    expect(await password()).toBe("2");
  });

  test("that does not end in time is stopped with all it has started, and says so", async () => {
    const marker = join(folder, "child");
    const late = createPasswordCommand(`sleep 600 & echo $! > '${marker}'; wait; echo late`, 500);
    await expect(late()).rejects.toMatchObject({
      code: "authentication_failed",
      message: expect.stringContaining("did not end within 0.5 s"),
      hint: expect.stringContaining("--password-command"),
    });
    const pid = Number(await readFile(marker, "utf8"));
    await vi.waitUntil(() => !isRunning(pid), 10_000);
  });

  test.each([
    ["exit 3", "code 3"],
    ["true", "printed nothing"],
    ["echo hunter2; exit 1", "code 1"],
  ])("%s fails without showing what it printed", async (command, words) => {
    const error = await createPasswordCommand(command)().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "authentication_failed", message: expect.stringContaining(words) });
    expect(String(error)).not.toContain("hunter2");
  });
});

describe("the command", () => {
  test("--check prints the audit of every source and ends with 0", async () => {
    const { code, stdout } = await run(["--source", `shop=${database.url}`, "--check"]);
    expect(stdout).toMatch(/^shop: PostgreSQL \d+.*\n {2}user \S+, no TLS, read-only, [\d.]+ ms\n/);
    expect(code).toBe(0);
  });

  test("--check ends with 1 when a source does not answer, and still reports the others", async () => {
    const { code, stdout } = await run([
      "--source",
      `a=${database.url}`,
      "--source",
      `b=${url("no_such_database_here")}`,
      "--check",
    ]);
    expect(stdout).toMatch(/^a: PostgreSQL/);
    expect(stdout).toMatch(/^b: \[/m);
    expect(code).toBe(1);
  });

  test("--print-config prints lines to paste that need no secret in arguments", async () => {
    const { code, stdout } = await run(["--print-config", "claude-desktop"]);
    expect(JSON.parse(stdout)).toMatchObject({
      mcpServers: { database: { command: "npx", args: ["-y", "@database-interface/mcp-postgres"] } },
    });
    expect(code).toBe(0);
  });

  test("the config file gives sources and settings; flags stand before it", async () => {
    const path = join(folder, "servers.json");
    await writeFile(path, JSON.stringify({ sources: { shop: `\${SHOP_URL}` }, maxRows: 0 }));
    const wrong = await run(["--config", path, "--check"], { SHOP_URL: database.url });
    expect(wrong.stderr).toMatch(/maxRows.*at least 1/);
    const right = await run(["--config", path, "--max-rows", "5", "--check"], { SHOP_URL: database.url });
    expect(right.stdout).toMatch(/^shop: /);
    expect(right.code).toBe(0);
  });

  const refused: readonly [string, readonly string[], RegExp][] = [
    ["a mode that does not exist", ["--mode", "admin"], /read-only, approve, write/],
    ["a rule that names no column", ["--deny-columns", "ssn"], /names no column/],
    ["a mask that is none", ["--mask", "users.ssn=half"], /no way of masking/],
    ["a tool that does not exist", ["--tools", "qurey"], /query/],
    ["more connections than sensible", ["--pool", "5000"], /at most 100/],
    ["a time that is none", ["--timeout", "soon"], /duration/],
  ];
  test.each(refused)("refuses %s", async (_title, args, words) => {
    const { code, stderr } = await run([url("shop"), ...args]);
    expect(stderr).toMatch(words);
    expect(code).toBe(2);
  });

  test("--help is pinned", async () => {
    expect((await run(["--help"])).stdout).toMatchSnapshot();
  });
});
