/** A password given with a question or in a task is in nothing that leaves the process or outlives it, however it is written. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { SealedCheckpointer } from "../../agent/src/checkpoint.js";
import { openStore } from "../../agent/src/store/open-store.js";
import { readKeys } from "../../agent/src/store/seal.js";
import { createCanary, holds, sqlStringOf } from "../support/canary.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type ModelStub, startModelStub } from "../support/model-stub.js";
import { redisUrl } from "../support/services.js";
import { drafted, isDraft } from "./conversation.js";
import { commandLinesBelow, runAgent, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 240_000 });

const secret = createCanary();
const role = `canary_question_${process.pid}`;
const MCP_KEYS = `k1:${randomBytes(32).toString("base64")}`;
let database: TestDatabase;
let stub: ModelStub;
let url: string;
/** The process that asks, and the command lines there were when the model was asked. */
let asking = 0;
let lines: string[] = [];

beforeAll(async () => {
  [database, stub] = await Promise.all([createPostgresDatabase(), startModelStub()]);
  await database.run(`CREATE TABLE nuts (id int); INSERT INTO nuts VALUES (1), (2); GRANT SELECT ON nuts TO PUBLIC`);
  await database.run(`CREATE ROLE ${role} LOGIN PASSWORD ${sqlStringOf(secret, false)}`);
  url = Object.assign(new URL(database.url), { username: role, password: encodeURIComponent(secret.password) }).href;
  stub.otherwise((request) => {
    lines.push(...commandLinesBelow(asking)); // it waits for this answer, and so is there
    return isDraft(request) ? drafted("SELECT count(*) AS n FROM nuts") : { text: "There are 2." };
  });
});
afterAll(async () => {
  await database?.run(`REVOKE ALL ON nuts FROM PUBLIC; DROP ROLE ${role}`);
  await stub?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

function expectNone(where: string, text: string): void {
  if (holds(text, secret)) throw new Error(`${where} holds the password:\n${text}`);
}

const contentsOf = (folder: string, but: readonly string[]): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !but.includes(entry.name))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))
    .join("\n");

/** What a session's checkpoints say once their seal is open. */
async function checkpointsOf(word: string, session: string): Promise<string> {
  await using store = await openStore(word, {});
  const texts: string[] = [];
  const saver = new SealedCheckpointer(store, readKeys({ MCP_KEYS }));
  for await (const tuple of saver.list({ configurable: { thread_id: session } })) texts.push(JSON.stringify(tuple));
  return texts.join("\n");
}

const withoutPassword = (given: string) => Object.assign(new URL(given), { password: "" }).href;
const ways = {
  "in the URL": (given: string) => ({ args: ["ask", "How many nuts?", `hr=${given}`], input: "" }),
  "in a file": (given: string, folder: string) => ({
    args: ["ask", "How many nuts?", `hr=${withoutPassword(given)}`, "--password-file", join(folder, "password")],
    input: "",
  }),
  "in a task": (given: string) => ({
    args: ["run", "-", "--events"],
    input: JSON.stringify({
      connections: [{ name: "hr", url: given }],
      inspect: { tables: ["nuts"] },
      statements: [{ sql: "SELECT current_user" }],
      questions: [{ text: "How many nuts?" }],
    }),
  }),
};

test.each([
  ["in the URL", "a folder"],
  ["in a file", "Redis"],
  ["in a task", "Redis"],
] as const)("a password %s, the session in %s", async (way, kept) => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "password"), secret.password, { mode: 0o600 });
  const store = kept === "Redis" ? redisUrl() : `file:${join(folder.path, "sessions")}`;
  const give = ways[way];
  const environment = {
    DB_AGENT_MODEL: "stub",
    DB_AGENT_MODEL_URL: stub.url,
    DB_AGENT_STORE: store,
    DB_AGENT_KNOWLEDGE: join(folder.path, "knowledge"),
    XDG_STATE_HOME: folder.path,
    TMPDIR: folder.path,
    DEBUG: "db-agent",
    MCP_KEYS,
  };
  const given = [url, url.replace(database.name, "no_such_database"), `${url}?nonsense=1`];
  for (const [index, one] of given.entries()) {
    const isRight = index === 0;
    const before = stub.requests.length;
    lines = [];
    const { code, stdout, stderr } = await runAgent(give(one, folder.path).args, {
      environment,
      input: give(one, folder.path).input,
      async whileRunning(pid) {
        asking = pid;
      },
    });
    expect({ code, stdout, stderr }).toMatchObject({ code: isRight ? 0 : expect.any(Number) });
    if (isRight) expect(lines.length).toBeGreaterThanOrEqual(2);
    expectNone("argv", lines.join("\n"));
    expectNone("stdout", stdout);
    expectNone("stderr", stderr);
    expectNone("a prompt", JSON.stringify(stub.requests.slice(before)));
    const session = /^Session (\S+)$/m.exec(stderr)?.[1];
    if (isRight) expect(session).toBeDefined();
    const opened = session === undefined ? "" : await checkpointsOf(store, session);
    if (isRight) expect(opened).toContain("nuts");
    expectNone("a checkpoint", opened);
  }
  expectNone("what is left in files", contentsOf(folder.path, ["password"]));
});
