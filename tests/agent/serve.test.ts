/** `db-agent serve` as a process: its token, its end in order, and a password that is found nowhere. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCanary, holds, sqlStringOf } from "../support/canary.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable } from "../support/processes.js";
import { eventually, runAgent, runsStatement, temporaryFolder } from "./support.js";

const canary = createCanary();
const role = `serve_${process.pid}`;
const folder = temporaryFolder();
let database: TestDatabase;

beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(`CREATE ROLE ${role} LOGIN PASSWORD ${sqlStringOf(canary, false)}`);
});
afterAll(async () => {
  await database?.run(`DROP ROLE ${role}`);
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Starts the command and waits until it says where it serves. */
async function serve(args: readonly string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [executable("agent"), "serve", "--port", "0", ...args], {
    env: { ...process.env, TMPDIR: folder.path, DB_AGENT_TOKEN: "", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    log += chunk;
  });
  const exited = once(child, "exit");
  await eventually(() => log.includes('"event":"serving"') || child.exitCode !== null, "the address");
  const url = /"url":"([^"]+)"/.exec(log)?.[1] ?? "";
  const token = /shown this once: (\S+)/.exec(log)?.[1] ?? environment.DB_AGENT_TOKEN ?? "";
  const call = (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return {
    child,
    token,
    call,
    log: () => log,
    async end(): Promise<number | null> {
      child.kill("SIGTERM");
      const [code] = await exited;
      return code;
    },
  };
}

test("its token is made and shown once; at SIGTERM a statement ends first, new ones are refused, and it exits with 0", async () => {
  const server = await serve([`pg=${database.url}`]);
  expect(server.token).toMatch(/^[\w-]{43}$/);
  const { session } = (await (await server.call("POST", "/v1/sessions")).json()) as { session: string };
  const mark = `drain_${process.pid}`;
  const slow = server.call("POST", `/v1/sessions/${session}/query`, { sql: `SELECT pg_sleep(2), '${mark}' AS mark` });
  await eventually(() => runsStatement(database, mark), "the statement to run");
  const ended = server.end();
  await eventually(() => server.log().includes('"event":"draining"'), "the drain");
  await expect(server.call("GET", "/healthz")).rejects.toThrow();
  const answer = await slow;
  expect(answer.status).toBe(200);
  expect(await answer.text()).toContain(mark);
  expect(await ended).toBe(0);
  expect(server.log().split(server.token)).toHaveLength(2);
  expect(server.log()).not.toContain(session);
  expect(readdirSync(folder.path).filter((name) => name.startsWith("db-agent-"))).toEqual([]);
});

test("a password given to it is in no answer, no event, no log and no checkpoint", async () => {
  const store = join(folder.path, "sessions");
  const keys = `k:${Buffer.alloc(32, 7).toString("base64")}`;
  const server = await serve(["--store", `file:${store}`, `pg=${database.url}`], {
    DB_AGENT_TOKEN: "a-token-of-more-than-sixteen",
    MCP_KEYS: keys,
    DEBUG: "db-agent",
  });
  const { session } = (await (await server.call("POST", "/v1/sessions")).json()) as { session: string };
  const at = `/v1/sessions/${session}`;
  const good = Object.assign(new URL(database.url), {
    username: role,
    password: encodeURIComponent(canary.password),
  }).href;
  const answers: string[] = [];
  for (const [index, url] of [
    good,
    good.replace(database.name, "no_such_database"),
    good.replace(/:\d+\//, ":1/"),
    good.replace("postgres:", "oracle:"),
    good.replace("@", "@@:x/"),
    `${good}?nonsense=1`,
    good.replace("@", "x@"),
  ].entries()) {
    answers.push(await (await server.call("POST", `${at}/connect`, { url, name: `c${index}` })).text());
  }
  expect(JSON.parse(answers[0] ?? "")).toMatchObject([{ name: "c0", state: "up", check: { user: role } }]);
  const task = { connections: [{ name: "c0" }], statements: [{ sql: "SELECT current_user" }] };
  answers.push(await (await server.call("POST", `${at}/run`, task)).text());
  answers.push(await (await server.call("POST", `${at}/connect`, { url: good, nme: canary.password })).text());
  answers.push(await (await server.call("GET", at)).text());
  answers.push(await readSome(await server.call("GET", `${at}/events`)));
  expect(answers.at(-1)).toContain("event: done");
  expect(await server.end()).toBe(0);
  const files = readdirSync(store, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
  expect(files.length).toBeGreaterThan(0);
  const shown = await runAgent(["sessions", "show", session, "--store", `file:${store}`, "-o", "json"], {
    environment: { MCP_KEYS: keys },
  });
  expect(shown.stderr).toBe("");
  expect(shown.stdout).toContain(role);
  for (const text of [...answers, server.log(), ...files, shown.stdout, shown.stderr]) {
    expect(holds(text, canary), text).toBe(false);
  }
});

/** What is there of a stream that does not end. */
async function readSome(response: Response): Promise<string> {
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.split("event: done").length > 8) break;
  }
  return text;
}

describe("wrong usage is told before anything starts", () => {
  test.each([
    ["a port that is taken", (port: string) => ["--port", port], {}, "Choose another --port"],
    ["no token off loopback", () => ["--host", "0.0.0.0", "--no-auth"], {}, "only this machine"],
    ["a token that can be guessed", () => [], { DB_AGENT_TOKEN: "short" }, "openssl rand"],
    ["a token file that is missing", () => ["--auth-file", "/nowhere/tokens"], {}, "/nowhere/tokens"],
    ["a token file without a token", () => ["--auth-file", join(folder.path, "empty")], {}, "holds no token"],
  ])("%s", async (_, args, environment, message) => {
    writeFileSync(join(folder.path, "empty"), "# nothing\n");
    const taken = new URL(process.env.TEST_POSTGRES_URL ?? "").port || "5432";
    const { code, stderr } = await runAgent(["serve", ...args(taken), database.url], { environment });
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});
