/** The process that stops what a killed mcp-mysql leaves running: when it is there, and what it does in the end. */
import { execFileSync } from "node:child_process";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { executable } from "../support/processes.js";
import { eventually } from "./open.js";

let database: TestDatabase;
beforeAll(async () => {
  database = await createMysqlDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

/** A built server over stdio, and what can be asked of it. */
async function start() {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [executable("mcp-mysql"), database.url, "--timeout", "20s"],
    stderr: "ignore",
  });
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(transport);
  const pid = transport.pid ?? 0;
  return {
    client,
    pid,
    query: (sql: string) => client.callTool({ name: "query", arguments: { sql } }),
    watchdogs: () => childrenOf(pid).filter(({ command }) => command.includes("watchdog-process")),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

function childrenOf(pid: number): { readonly pid: number; readonly command: string }[] {
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" }).trim().split("\n");
  return lines.flatMap((line) => {
    const [child, parent, ...command] = line.trim().split(/\s+/);
    return Number(parent) === pid ? [{ pid: Number(child), command: command.join(" ") }] : [];
  });
}

const endless = (marker: string) =>
  `SELECT COUNT(*) AS ${marker} FROM information_schema.collations a, information_schema.collations b,
    information_schema.collations c, information_schema.collations d WHERE a.id + b.id + c.id + d.id < 0`;

const sessions = async (condition: string): Promise<number> =>
  (
    await database.run(`SELECT id FROM information_schema.processlist
      WHERE id <> CONNECTION_ID() AND db = '${database.name}' AND ${condition}`)
  ).length;
const isRunning = async (marker: string) => (await sessions(`command = 'Query' AND info LIKE '%${marker}%'`)) === 1;

/** Milliseconds until the statement is gone. */
async function outlived(marker: string): Promise<number> {
  const start = performance.now();
  await eventually(async () => !(await isRunning(marker)));
  return performance.now() - start;
}

test("it is not there before the first connection, and up before the first statement", async () => {
  await using server = await start();
  await server.client.listTools();
  expect(server.watchdogs()).toEqual([]);
  const call = server.query(endless("first"));
  call.catch(() => {});
  await eventually(() => isRunning("first"));
  expect(server.watchdogs()).toHaveLength(1);
  // The first thing it ever ran, killed as soon as it runs.
  process.kill(server.pid, "SIGKILL");
  expect(await outlived("first")).toBeLessThan(1_000);
});

test("nothing of what it knows is in its arguments or environment", async () => {
  await using server = await start();
  await server.query("SELECT 1");
  const [watchdog] = server.watchdogs();
  const shown = execFileSync("ps", ["eww", "-o", "args=", "-p", String(watchdog?.pid)], { encoding: "utf8" });
  expect(shown).toContain("watchdog-process");
  expect(shown).not.toContain(database.name);
});

test("one that was killed is replaced, and knows the sessions of before", async () => {
  await using server = await start();
  await server.query("SELECT 1");
  const [first] = server.watchdogs();
  process.kill(first?.pid ?? 0, "SIGKILL");
  await eventually(async () => server.watchdogs().some(({ pid }) => pid !== first?.pid));
  const call = server.query(endless("replaced"));
  call.catch(() => {});
  await eventually(() => isRunning("replaced"));
  process.kill(server.pid, "SIGKILL");
  expect(await outlived("replaced")).toBeLessThan(1_000);
});

test("an orderly end takes it along, and leaves no session", async () => {
  const server = await start();
  await server.query("SELECT 1");
  const [watchdog] = server.watchdogs();
  await server.client.close();
  await eventually(async () => (await sessions("true")) === 0);
  await eventually(async () => {
    try {
      return process.kill(watchdog?.pid ?? 0, 0) && false;
    } catch {
      return true;
    }
  });
});
