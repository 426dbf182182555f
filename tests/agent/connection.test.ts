/** The one connection: made lazily, made again after a crash, gone without a trace; and the tools on it outlive a crash. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createConnection } from "../../agent/src/gateway/connection.js";
import { locateGateway } from "../../agent/src/gateway/locate.js";
import { isDatabaseUrl, nameSource, parseDatabases } from "../../agent/src/gateway/sources.js";
import { type Agent, createAgent } from "../../agent/src/index.js";
import { loadTools } from "../../agent/src/tools.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable, startHttpServer } from "../support/processes.js";
import { childrenOf, eventually, runsStatement, slowStatement, temporaryFolder } from "./support.js";

let database: TestDatabase;
const temporary = temporaryFolder();
beforeAll(async () => {
  process.env.TMPDIR = temporary.path;
  database = await createPostgresDatabase();
});
afterAll(async () => {
  await eventually(() => readdirSync(temporary.path).length === 0, "every temporary file to be gone, crashes included");
  temporary[Symbol.dispose]();
  await database?.[Symbol.asyncDispose]();
});

const gatewayBelow = (pid: number): number => {
  const [found] = childrenOf(pid).filter((child) => /mcp-gateway/.test(child.command));
  if (found === undefined) throw new Error("No gateway was started.");
  return found.pid;
};
const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);
const open = (): Agent => createAgent({ gateway: { databases: { db: database.url } } });
const one = async (agent: Agent) => (await agent.query("SELECT 1 AS one")).rows;

describe("a gateway started for us", () => {
  test("is started by the first use only, and ends with the agent, its servers too", async () => {
    const agent = open();
    expect(childrenOf(process.pid).filter(({ command }) => /mcp-gateway/.test(command))).toEqual([]);
    expect(await one(agent)).toEqual([[1]]);
    const gateway = gatewayBelow(process.pid);
    const servers = childrenOf(gateway).map(({ pid }) => pid);
    expect(servers.length).toBeGreaterThan(0);
    await agent[Symbol.asyncDispose]();
    await agent[Symbol.asyncDispose]();
    for (const pid of [gateway, ...servers]) await eventually(() => !isAlive(pid), `process ${pid} to end`);
    await expect(agent.query("SELECT 1")).rejects.toMatchObject({ code: "connection_lost" });
  });

  test("that crashes is started again by the next call; the call it took down says its outcome is unknown", async () => {
    await using agent = open();
    const mark = `crash_${process.pid}`;
    const running = agent.query(slowStatement(mark));
    const outcome = running.catch((error: unknown) => error);
    await eventually(() => runsStatement(database, mark), "the statement");
    process.kill(gatewayBelow(process.pid), "SIGKILL");
    expect(await outcome).toMatchObject({ code: "connection_lost", retryable: true });
    expect(await one(agent)).toEqual([[1]]);
  });

  test("that crashes leaves LangChain's tools alive", async () => {
    await using connection = createConnection({ databases: { db: database.url } }, "0.0.0");
    const toolbox = await loadTools(connection);
    expect([...toolbox.tools.keys()]).toContain("query");
    expect(await toolbox.call("query", { sql: "SELECT 1 AS one" })).toContain('"rows":[[1]]');
    process.kill(gatewayBelow(process.pid), "SIGKILL");
    await eventually(
      () =>
        toolbox.call("query", { sql: "SELECT 2 AS two" }).then(
          (text) => text.includes('"rows":[[2]]'),
          () => false,
        ),
      "the same tool to answer",
    );
  });

  test("ends when the agent's own process is killed", async () => {
    using own = temporaryFolder(); // who is killed outright leaves its folder, with names of variables in it
    const child = spawn(process.execPath, [executable("agent"), database.url], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: own.path },
    });
    child.stdin.write("SELECT 1 AS one;\n");
    await once(child.stdout, "data");
    const gateway = gatewayBelow(child.pid ?? 0);
    const servers = childrenOf(gateway).map(({ pid }) => pid);
    child.kill("SIGKILL");
    for (const pid of [gateway, ...servers]) await eventually(() => !isAlive(pid), `process ${pid} to end`);
  });

  test("that is still starting does not hold up a cancelled call", async () => {
    await using agent = open();
    const controller = new AbortController();
    const first = agent.query("SELECT 1", { signal: controller.signal });
    controller.abort();
    await expect(first).rejects.toMatchObject({ code: "cancelled" });
    await expect(agent.query("SELECT 1", { signal: controller.signal })).rejects.toMatchObject({ code: "cancelled" });
    expect(await one(agent)).toEqual([[1]]);
  });

  test("that cannot start says why", async () => {
    await using agent = createAgent({ gateway: { config: "/nowhere/gateway.json" } });
    await expect(one(agent)).rejects.toMatchObject({
      code: "gateway_failed",
      message: expect.stringContaining("/nowhere/gateway.json"),
    });
    await using missing = createAgent({ gateway: { command: "/nowhere/mcp-gateway" } });
    await expect(one(missing)).rejects.toMatchObject({ code: "gateway_missing" });
  });
});

test("a running gateway that is restarted on its address is connected to again", async () => {
  using folder = temporaryFolder();
  const config = join(folder.path, "gateway.json");
  writeFileSync(config, JSON.stringify({ databases: { db: database.url } }));
  const first = await startHttpServer(executable("mcp-gateway"), ["--config", config, "--port", "0"]);
  await using agent = createAgent({ gateway: { url: first.url } });
  expect(await one(agent)).toEqual([[1]]);
  await first[Symbol.asyncDispose]();
  await expect(one(agent)).rejects.toMatchObject({ code: "gateway_unreachable", report: { retryable: true } });
  await using _second = await startHttpServer(executable("mcp-gateway"), [
    "--config",
    config,
    "--port",
    new URL(first.url).port,
  ]);
  expect(await one(agent)).toEqual([[1]]);
});

describe("a tool's answer", () => {
  test("an error passes through LangChain with its code and hint", async () => {
    await using connection = createConnection({ databases: { db: database.url } }, "0.0.0");
    const toolbox = await loadTools(connection);
    await expect(toolbox.call("query", { sql: "SELECT nope" })).rejects.toMatchObject({
      code: "column_not_found",
      report: { sqlstate: "42703" },
    });
    await expect(toolbox.call("no_such_tool", {})).rejects.toMatchObject({ code: "tool_unknown" });
  });
});

describe("where the gateway is found", () => {
  test("beside this package", () => {
    expect(locateGateway("1.2.3", {}, "/")).toMatchObject({
      command: process.execPath,
      args: [expect.stringContaining("mcp-gateway")],
    });
  });
  test("what its manifest names is there", () => {
    const { args } = locateGateway("1.2.3");
    expect(readFileSync(String(args[0]), "utf8")).toMatch(/^#!/);
  });
});

describe("names of databases", () => {
  test.each([
    ["postgres://me:secret@host:5432/shop?sslmode=require", [], "shop"],
    ["postgres://host/shop", ["shop"], "shop_2"],
    ["mysql://host/a%20b.c", [], "a_b_c"],
    ["mysql://host", [], "mysql"],
    ["postgres:///?host=/run/postgresql", [], "postgres"],
    [`postgres://h/${"x".repeat(60)}`, [], "x".repeat(40)],
  ])("%s beside %j is %s", (url, taken, name) => {
    expect(nameSource(url, taken)).toBe(name);
  });
  test("given ones are kept, others derived, duplicates numbered", () => {
    expect(Object.keys(parseDatabases(["a=postgres://h/x", "postgres://h/x", "postgres://i/x"]))).toEqual([
      "a",
      "x",
      "x_2",
    ]);
  });
  test.each(["shop", "secret-word", "http://host/x", "a b=postgres://h/x"])(
    "%j is refused and not echoed",
    (argument) => {
      expect(() => parseDatabases([argument])).toThrow(
        expect.objectContaining({ code: "usage", message: expect.not.stringContaining(argument) }),
      );
    },
  );
  test("a web address is no database", () => {
    expect([isDatabaseUrl("https://x"), isDatabaseUrl("mariadb://x")]).toEqual([false, true]);
  });
});
