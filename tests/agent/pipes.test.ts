/** Pipes that close: a reader of results who has had enough ends a command, one of what goes on beside them does not. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type ModelStub, startModelStub } from "../support/model-stub.js";
import { executable } from "../support/processes.js";
import { drafted, isDraft } from "./conversation.js";
import { childrenOf, eventually, secludedEnvironment, temporaryFolder, withoutPassword } from "./support.js";

let database: TestDatabase;
let stub: ModelStub;
const folder = temporaryFolder();
beforeAll(async () => {
  [database, stub] = await Promise.all([createPostgresDatabase(), startModelStub()]);
  await database.run("CREATE TABLE nuts (id int); INSERT INTO nuts VALUES (1), (2)");
  stub.otherwise((request) =>
    isDraft(request) ? drafted("SELECT count(*) AS n FROM nuts") : { text: "There are 2." },
  );
});
afterAll(async () => {
  await stub?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function file(name: string, content: object): string {
  const path = join(folder.path, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

const question = "How many nuts are there?";
const url = () => withoutPassword(database.url).url;
const commands: Readonly<Record<string, { readonly args: () => readonly string[]; readonly result: RegExp }>> = {
  query: { args: () => ["query", "SELECT count(*) AS n FROM nuts", url(), "-o", "csv"], result: /^n\r\n2\r\n$/ },
  inspect: { args: () => ["inspect", url()], result: /nuts/ },
  check: { args: () => ["check", url()], result: /PostgreSQL/ },
  run: {
    args: () => [
      "run",
      file("task.json", { statements: [{ sql: "SELECT count(*) AS n FROM nuts" }] }),
      url(),
      "-o",
      "json",
    ],
    result: /"ok": true/,
  },
  "run --events": {
    args: () => [
      "run",
      file("task.json", { statements: [{ sql: "SELECT count(*) AS n FROM nuts" }] }),
      url(),
      "--events",
    ],
    result: /"type":"done".*"ok":true/,
  },
  ask: { args: () => ["ask", question, url()], result: /There are 2/ },
  eval: {
    args: () => [
      "eval",
      file("cases.json", { name: "cases", cases: [{ name: "nuts", question, sql: "SELECT count(*) FROM nuts" }] }),
      url(),
    ],
    result: /1 of 1 right/,
  },
  "the prompt's script": { args: () => [url()], result: /2/ },
};

/** Runs a command one of whose outputs is closed before anything is written there. */
async function runClosed(args: readonly string[], closed: "stdout" | "stderr") {
  using temporary = temporaryFolder();
  const child = spawn(process.execPath, [executable("agent"), ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: secludedEnvironment(temporary.path, { databaseUrl: database.url, modelUrl: stub.url }),
  });
  const said = { stdout: "", stderr: "" };
  child[closed].destroy();
  const open = closed === "stdout" ? "stderr" : "stdout";
  child[open].setEncoding("utf8").on("data", (chunk: string) => {
    said[open] += chunk;
  });
  const gateways = new Set<number>();
  const watch = setInterval(() => {
    for (const { pid } of childrenOf(child.pid ?? 0)) gateways.add(pid);
  }, 50);
  child.stdin.on("error", () => {}); // it may have ended already
  child.stdin.end("SELECT count(*) AS n FROM nuts;\n");
  const [code] = await once(child, "close");
  clearInterval(watch);
  await eventually(() => [...gateways].every((pid) => !existsSync(`/proc/${pid}`)), "its gateway to end");
  return { code, ...said, left: readdirSync(temporary.path).filter((name) => name.startsWith("db-agent-")) };
}

describe.each(Object.entries(commands))("%s", (_, { args, result }) => {
  test("to a reader that has gone ends without a word", async () => {
    const { code, stderr, left } = await runClosed(args(), "stdout");
    expect({ code, left }).toEqual({ code: 0, left: [] });
    expect(stderr).not.toMatch(/EPIPE|✗|internal| {4}at /);
  });

  test("gives its whole result where nobody hears the rest", async () => {
    const { code, stdout, left } = await runClosed(args(), "stderr");
    expect({ code, left }).toEqual({ code: 0, left: [] });
    expect(stdout).toMatch(result);
  });
});
