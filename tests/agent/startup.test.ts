/** What a command loads, by the list of its modules: LangChain only where a graph runs. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { executable, startHttpServer } from "../support/processes.js";
import { postgresUrl } from "../support/services.js";
import { runAgent, temporaryFolder } from "./support.js";

const hook = fileURLToPath(new URL("module-list.mjs", import.meta.url));

async function modulesOf(
  args: readonly string[],
  input = "",
  given: Readonly<Record<string, string>> = {},
): Promise<string> {
  using folder = temporaryFolder();
  const file = join(folder.path, "modules");
  writeFileSync(file, "");
  const { code, stderr } = await runAgent(args, {
    nodeArgs: ["--import", hook],
    environment: { ...given, MODULE_LIST: file },
    input,
  });
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return readFileSync(file, "utf8");
}

test.each([
  ["query --help", ["query", "--help"], /fastest-levenshtein/],
  ["query", ["query", "SELECT 1", postgresUrl(), "-q"], /@modelcontextprotocol\/sdk/],
  ["inspect", ["inspect", postgresUrl()], /@modelcontextprotocol\/sdk/],
  ["the prompt", [postgresUrl()], /@modelcontextprotocol\/sdk/],
])("%s loads no LangChain", async (_, args, loaded) => {
  const modules = await modulesOf(args, "SELECT 1;");
  expect(modules).toMatch(loaded);
  expect(modules).not.toMatch(/@langchain/);
});

test.each([["query", "SELECT 1"], ["inspect"], ["check"]])(
  "%s through a gateway that runs loads no SDK either",
  async (...args) => {
    using folder = temporaryFolder();
    const config = join(folder.path, "gateway.json");
    writeFileSync(config, JSON.stringify({ databases: { db: postgresUrl() } }));
    await using gateway = await startHttpServer(executable("mcp-gateway"), ["--config", config, "--port", "0"]);
    const modules = await modulesOf([...args, "--gateway", gateway.url], "", { MCP_GATEWAY_TOKEN: "" });
    expect(modules).toMatch(/valibot/);
    expect(modules).not.toMatch(/@langchain|@modelcontextprotocol|zod/);
  },
);

test("help of a command loads neither MCP nor schemas", async () => {
  expect(await modulesOf(["query", "--help"])).not.toMatch(/@modelcontextprotocol|valibot|zod/);
});

test("--help is written down by the build, loads no package, and says what the command line says", async () => {
  expect(await modulesOf(["--help"])).not.toMatch(/node_modules/);
  const { stdout } = await runAgent(["--help"]);
  const laidOut = await runAgent(["--help", "--help"]);
  expect(laidOut.stdout).toMatch(/db-agent query <sql>/);
  expect(stdout).toBe(laidOut.stdout);
});

test("run does load it: the list sees what it should", async () => {
  expect(await modulesOf(["run", "-", postgresUrl(), "-q"], "{}")).toMatch(/@langchain\/langgraph/);
});
