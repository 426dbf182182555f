/** gateway.json: what hosts write is taken as it is, what is wrong is refused with its place, secrets are never shown. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { runCommand } from "../../mcp-gateway/src/command.js";
import { parseConfig } from "../../mcp-gateway/src/config.js";
import { planServers } from "../../mcp-gateway/src/servers.js";
import { createMysqlDatabase, createPostgresDatabase } from "../support/databases.js";
import { isAlive, startGateway, temporaryFolder, textOf } from "./gateways.js";

describe("taken as it is", () => {
  test.each<[string, object, string[]]>([
    [
      "Claude Desktop",
      { mcpServers: { files: { command: "npx", args: ["-y", "x"], env: { A: "1" } } } },
      ["files: npx -y x"],
    ],
    [
      "VS Code",
      { servers: { files: { type: "stdio", command: "node", args: ["a.js"], cwd: "/tmp" } } },
      ["files: node a.js"],
    ],
    [
      "Claude Code, remote",
      {
        mcpServers: {
          far: { type: "http", url: "https://example.com/mcp?key=s3cret", headers: { Authorization: "Bearer s3cret" } },
        },
      },
      ["far: https://example.com/mcp"],
    ],
    [
      "Windsurf, remote",
      { mcpServers: { far: { serverUrl: "https://example.com/sse", disabled: false } } },
      ["far: https://example.com/sse"],
    ],
    [
      "Cline",
      {
        mcpServers: {
          off: { command: "x", disabled: true },
          on: { command: "y", autoApprove: [], alwaysAllow: ["a"] },
        },
      },
      ["on: y"],
    ],
    ["an empty config", {}, []],
  ])("%s", (_, config, expected) => {
    const plans = planServers(parseConfig(config), { environment: {}, workingDirectory: "/" });
    expect(plans.map(({ id, summary }) => `${id}: ${summary}`)).toEqual(expected);
  });

  test("databases of one kind and equal settings share a server, others get their own", () => {
    const config = {
      databases: {
        a: "postgres://h/a",
        b: { url: "postgresql://h/b", schemas: ["x"] },
        c: { server: "postgres", url: "postgres://h/c", settings: { maxRows: 5 } },
        d: "mariadb://h/d",
        e: { url: "mysql://h/e", settings: {} },
      },
    };
    const plans = planServers(parseConfig(config), { environment: {}, workingDirectory: process.cwd() });
    expect(plans.map(({ id, databases }) => [id, databases?.sources])).toEqual([
      ["databases:postgres", ["a", "b"]],
      ["databases:postgres-2", ["c"]],
      ["databases:mysql", ["d", "e"]],
    ]);
  });
});

describe("refused with its place", () => {
  test.each<[unknown, string, string]>([
    [[], "The config must be one object", ""],
    [{ mcpserver: {} }, "`mcpserver` in the config is not a known key", "Did you mean mcpServers?"],
    [{ mcpServers: {}, servers: {} }, "`servers` in the config cannot stand beside mcpServers", ""],
    [{ mcpServers: { a: {} } }, "`mcpServers.a` in the config has neither command nor url", ""],
    [{ mcpServers: { a: "npx" } }, "`mcpServers.a` in the config must be an object", ""],
    [
      { mcpServers: { a: { command: "x", arg: [] } } },
      "`mcpServers.a.arg` in the config is not a known key",
      "Did you mean args?",
    ],
    [{ mcpServers: { a: { command: "x", args: [1] } } }, "`mcpServers.a.args.0` in the config must be text", ""],
    [{ mcpServers: { a: { command: "x", env: { A: 1 } } } }, "`mcpServers.a.env.A` in the config must be text", ""],
    [{ mcpServers: { a: { command: "" } } }, "`mcpServers.a.command` in the config must not be empty", ""],
    [{ mcpServers: { a: { url: "ftp://x" } } }, "`mcpServers.a.url` in the config must be an http or https URL", ""],
    [
      { mcpServers: { a: { command: "x", idleTimeout: "soon" } } },
      "`mcpServers.a.idleTimeout` in the config must be a duration",
      "",
    ],
    [
      { mcpServers: { a: { command: "x", maxCalls: 0 } } },
      "`mcpServers.a.maxCalls` in the config must be at least 1",
      "",
    ],
    [
      { databases: { a: "oracle://u:s3cret@h/x" } },
      "`databases.a` in the config is not the URL of a known database",
      "postgres://",
    ],
    [
      { databases: { a: { server: "mysql", url: "postgres://u:s3cret@h/x" } } },
      "`databases.a.url` in the config is not a URL of the server mysql",
      "mysql://",
    ],
    [
      { databases: { a: { server: "oracle", url: "x" } } },
      "`databases.a.server` in the config must be postgres or mysql",
      "",
    ],
    [
      { databases: { a: { url: "postgres://h/x", option: {} } } },
      "`databases.a.option` in the config is not a known key",
      "Did you mean options?",
    ],
    [
      { databases: { a: { url: "mysql://h/x", replicas: ["h2"] } } },
      "`databases.a.replicas` in the config is not for the server mysql",
      "",
    ],
    [{ databases: { a: {} } }, "`databases.a.url` in the config is missing", ""],
    [{ databases: { "a b": "postgres://h/x" } }, "`databases.a b` in the config must be a name", ""],
  ])("%j", (config, message, hint) => {
    const parse = () => parseConfig(config);
    expect(parse).toThrowError(
      expect.objectContaining({ code: "config_invalid", message: expect.stringContaining(message) }),
    );
    expect(parse).toThrowError(expect.objectContaining({ hint: expect.stringContaining(hint) }));
    expect(parse).not.toThrowError(/s3cret/);
  });
});

test("a database's replicas and their lag reach its server", async () => {
  await using database = await createPostgresDatabase();
  const { host } = new URL(database.url);
  await using gateway = await startGateway(() => ({
    databases: { shop: { url: database.url, replicas: [host], maxReplicaLag: "5s" } },
  }));
  await using client = await gateway.connect("modern");
  expect(textOf(await client.callTool({ name: "check_connection", arguments: {} }))).toMatch(/replica/);
});

async function run(argv: readonly string[], environment: Record<string, string> = {}) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const text = { stdout: "", stderr: "" };
  stdout.setEncoding("utf8").on("data", (chunk: string) => (text.stdout += chunk));
  stderr.setEncoding("utf8").on("data", (chunk: string) => (text.stderr += chunk));
  const code = await runCommand({ argv, environment, stdout, stderr, signal: AbortSignal.timeout(20_000) });
  return { code, ...text };
}

describe("the command", () => {
  test.each<[string, string | undefined, number, RegExp]>([
    ["no config", undefined, 2, /\[usage\] There is no config file to read\. Pass --config gateway\.json/],
    ["not JSON", '{"mcpServers": {,}}', 2, /\[config_invalid\].*line 1, column 17/],
    [
      "an unset variable",
      `{"databases":{"a":"postgres://u:\${NO_SUCH}@h/x"}}`,
      2,
      /\[variable_unset\] The variable NO_SUCH, used at databases\.a/,
    ],
    [
      "a variable within a variable",
      `{"databases":{"a":"postgres://\${A:-\${B}}@h/x"}}`,
      2,
      /\[config_invalid\] A \$\{ at databases\.a .* is not closed, or holds another\./,
    ],
    ["an unknown setting", '{"settings":{"prot":1}}', 2, /\[config_invalid\] Unknown key `prot`.*Did you mean `port`/],
    [
      "a port out of range",
      '{"settings":{"port":70000}}',
      2,
      /\[config_invalid\] `port` in the config file must be at most 65535/,
    ],
    [
      "an unknown key",
      '{"database":{}}',
      2,
      /\[config_invalid\] `database` in the config is not a known key\. Did you mean databases/,
    ],
  ])("%s: exit code and one line", async (_, content, code, line) => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "gateway.json");
    if (content !== undefined) await writeFile(file, content);
    const ended = await run(content === undefined ? [] : ["--config", file]);
    expect(ended.code).toBe(code);
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
    expect(ended.stderr).toMatch(line);
  });

  test("variables that name each other are taken as they are: nothing goes round in a circle", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "gateway.json");
    await writeFile(file, `{"mcpServers":{"s":{"command":"\${A}","args":["\${B}","$\${A}"]}}}`);
    const { code, stdout } = await run(["check", "--config", file], { A: `\${B}`, B: `\${A}` });
    expect([code, stdout]).toEqual([0, `s: \${B} \${A} \${A}\n`]);
  });

  test("check says what would be started, with no secret in it", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "gateway.json");
    await writeFile(
      file,
      JSON.stringify({
        databases: { shop: "postgres://u:s3cret@h/shop" },
        mcpServers: { files: { command: "npx", args: ["-y", "x"], env: { T: "s3cret" } } },
      }),
    );
    const { code, stdout } = await run(["check", "--config", file]);
    expect(code).toBe(0);
    expect(stdout).toBe("databases:postgres: mcp-postgres for shop\nfiles: npx -y x\n");
  });

  test("status shows a running gateway's servers; without one it says so", async () => {
    await using gateway = await startGateway(() => ({ mcpServers: { far: { url: "http://127.0.0.1:47123/mcp" } } }));
    await gateway.gateway.ready({ signal: AbortSignal.timeout(10_000) });
    const shown = await run(["status", "--url", gateway.url]);
    expect(shown.stdout).toMatch(/^SERVER +STATE[\s\S]*\nfar +\S+ /);
    expect(JSON.parse((await run(["status", "--url", gateway.url, "-o", "json"])).stdout).servers[0]).toMatchObject({
      id: "far",
    });
    const none = await run(["status", "--url", "http://127.0.0.1:47123"]);
    expect(none).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("[connection_failed] No gateway answers at http://127.0.0.1:47123."),
    });
  });
});

describe("databases", () => {
  test("one tool set, routed by source; no password in any argument or file", async () => {
    await using postgres = await createPostgresDatabase();
    await using mysql = await createMysqlDatabase();
    const secret = "c4nary-secret";
    await using gateway = await startGateway(() => ({
      databases: {
        shop: postgres.url.replace("://", `://`),
        other: { url: postgres.url, password: secret },
        archive: mysql.url,
      },
    }));
    await using client = await gateway.connect("modern");
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual([
      "query",
      "search_objects",
      "describe_table",
      "explain",
      "check_connection",
    ]);
    expect(tools[0]?.inputSchema.properties?.source).toEqual({
      enum: ["shop", "other", "archive"],
      description: "postgres: shop, other; mysql: archive",
    });
    const current = async (source: string, sql: string) =>
      JSON.parse(textOf(await client.callTool({ name: "query", arguments: { sql, source } }))).rows[0][0];
    expect(await current("shop", "SELECT current_database()")).toBe(postgres.name);
    expect(await current("archive", "SELECT database()")).toBe(mysql.name);
    const unknown = await client.callTool({ name: "query", arguments: { sql: "SELECT 1", source: "shp" } });
    expect(JSON.parse(textOf(unknown))).toMatchObject({ code: "source_unknown", hint: "Did you mean shop?" });
    expect(JSON.parse(textOf(await client.callTool({ name: "query", arguments: { sql: "SELECT 1" } })))).toMatchObject({
      code: "source_required",
    });
    for (const { pid } of gateway.gateway.report().servers) {
      if (pid === undefined || !(await isAlive(pid))) throw new Error("a server does not run");
      const args = await readFile(`/proc/${pid}/cmdline`, "utf8");
      expect(args).not.toContain(secret);
      expect(args).not.toContain("://");
      const config = args.split("\0")[args.split("\0").indexOf("--config") + 1] ?? "";
      await expect(readFile(config)).rejects.toMatchObject({ code: "ENOENT" }); // read, and gone
    }
    expect(gateway.log()).not.toContain(secret);
  });

  test("a single source needs no argument, and a further one costs at most 40 bytes", async () => {
    await using database = await createPostgresDatabase();
    const listOf = async (count: number): Promise<string> => {
      const databases = Object.fromEntries(
        Array.from({ length: count }, (_, index) => [`source_${index}`, database.url]),
      );
      await using gateway = await startGateway(() => ({ databases }));
      await using client = await gateway.connect("modern");
      return JSON.stringify((await client.listTools()).tools);
    };
    const [one, two, twelve] = await Promise.all([listOf(1), listOf(2), listOf(12)]);
    expect(one).not.toContain('"source"');
    expect((twelve.length - two.length) / 10).toBeLessThanOrEqual(40);
  });
});
