/** Every command as its users get it: through a node_modules/.bin link, and from a packed tarball installed alone. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mysqlUrl, postgresUrl } from "../support/services.js";
import { root } from "./sources.js";

const run = promisify(execFile);

const commands = [
  { name: "mcp-postgres", folder: "mcp-postgres", serves: () => [postgresUrl()] },
  { name: "mcp-mysql", folder: "mcp-mysql", serves: () => [mysqlUrl()] },
  { name: "mcp-gateway", folder: "mcp-gateway", serves: (config: string) => ["--config", config, "--stdio"] },
  { name: "db-agent", folder: "agent", serves: undefined },
] as const;

let work: string;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "dbi-bins-"));
});
afterAll(() => rm(work, { recursive: true, force: true }));

/** The tools a command serves over stdio; the gateway's come from a database server behind it. */
async function toolsOf(command: string, args: readonly string[]): Promise<string[]> {
  const client = new Client({ name: "house", version: "1.0.0" });
  await client.connect(new StdioClientTransport({ command, args: [...args], stderr: "ignore" }));
  try {
    return (await client.listTools()).tools.map(({ name }) => name);
  } finally {
    await client.close();
  }
}

async function gatewayConfig(): Promise<string> {
  const file = join(work, "gateway.json");
  const server = join(root, "mcp-postgres/dist/bin.js");
  const entry = { command: process.execPath, args: [server, postgresUrl()] };
  await writeFile(file, JSON.stringify({ mcpServers: { one: entry } }));
  return file;
}

describe.each(commands)("$name", ({ name, folder, serves }) => {
  const answers = async (file: string) => {
    const { stdout, stderr } = await run(file, ["--help"]);
    expect(stdout).toContain(name);
    expect(stderr).toBe("");
    const { stdout: version } = await run(file, ["--version"]);
    expect(version.trim()).toBe(JSON.parse(await readFile(join(root, folder, "package.json"), "utf8")).version);
    if (serves === undefined) return;
    const query = name === "mcp-gateway" ? "one__query" : "query"; // A pasted server keeps its own tools.
    expect(await toolsOf(file, serves(await gatewayConfig()))).toContain(query);
  };

  test("answers through a link", async () => {
    const link = join(work, name);
    await symlink(join(root, folder, "dist/bin.js"), link);
    await answers(link);
  });

  test("answers from its tarball, installed alone", { timeout: 180_000 }, async () => {
    const folderAlone = await mkdtemp(join(work, "alone-"));
    await run("npm", ["pack", "--silent", "--pack-destination", folderAlone, "--workspace", folder], { cwd: root });
    const [tarball = ""] = (await readdir(folderAlone)).filter((file) => file.endsWith(".tgz"));
    await run("npm", ["install", "--prefix", folderAlone, "--prefer-offline", "--no-audit", "--no-fund", tarball], {
      cwd: folderAlone,
      env: { ...process.env, npm_config_ignore_scripts: "true" },
    });
    await answers(join(folderAlone, "node_modules/.bin", name));
  });
});
