/** A process killed outright around a write a human has allowed: in the next one it has happened at most once, and is told. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createAgent } from "../../agent/src/index.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { redisUrl } from "../support/services.js";
import { type HoldingProxy, openHoldingProxy } from "./holding-proxy.js";
import { runAgent, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 240_000 }); // four processes, each of which loads a graph; a claim in Redis lapses in a minute

const folder = temporaryFolder();
const databases: Record<string, TestDatabase> = {};
let config: string;
let gateway: RunningServer;
let proxy: HoldingProxy;
const environment = {
  MCP_KEYS: `k1:${randomBytes(32).toString("base64")}`,
  DB_AGENT_KNOWLEDGE: join(folder.path, "knowledge"),
  XDG_STATE_HOME: folder.path,
};
const increment = "UPDATE stock SET quantity = quantity + 1 WHERE id = 1";
const stores = { file: () => `file:${join(folder.path, "sessions")}`, redis: redisUrl } as const;

beforeAll(async () => {
  [databases.pg, databases.my] = await Promise.all([createPostgresDatabase(), createMysqlDatabase()]);
  config = join(folder.path, "gateway.json");
  const settings = { mode: "approve" };
  const named = Object.entries(databases).map(([name, { url }]) => [name, { url, settings }]);
  writeFileSync(config, JSON.stringify({ databases: Object.fromEntries(named) }), { mode: 0o600 });
  gateway = await startHttpServer(executable("mcp-gateway"), ["--config", config, "--port", "0"]);
  proxy = await openHoldingProxy(gateway.url);
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
  for (const database of Object.values(databases)) await database[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});
beforeEach(async () => {
  for (const database of Object.values(databases)) {
    await database.run("DROP TABLE IF EXISTS stock");
    await database.run("CREATE TABLE stock (id int PRIMARY KEY, quantity int NOT NULL)");
    await database.run("INSERT INTO stock VALUES (1, 10)");
  }
});

const quantity = async (source: string) =>
  Number((await databases[source]?.run("SELECT quantity FROM stock"))?.[0]?.quantity);

/** A session in which a write waits for its yes. */
async function propose(source: string, store: string): Promise<string> {
  await using agent = createAgent({ gateway: { url: gateway.url }, store, keys: environment.MCP_KEYS });
  const session = await agent.session();
  const { status } = await session.execute(increment, { source }).result;
  expect(status).toBe("waiting");
  return session.id;
}

/** Says yes in a process that is killed once something is kept back. */
async function killWhileApproving(session: string, store: string, kept: Promise<void>): Promise<void> {
  const { code, stdout } = await runAgent(["answer", session, "approve", "--store", store, "--gateway", proxy.url], {
    environment,
    async whileRunning(pid) {
      await kept;
      process.kill(pid, "SIGKILL");
    },
  });
  proxy.release();
  expect({ code, stdout: stdout.includes("Done") }).toEqual({ code: null, stdout: false });
}

/** Goes on in the next process, as soon as the store lets it. */
async function resume(session: string, store: string) {
  const args = ["resume", session, "-o", "json", "-q", "--store", store, "--gateway", gateway.url];
  let ended = await runAgent(args, { environment });
  await vi.waitUntil(
    async () => {
      if (!ended.stderr.includes("[session_busy]")) return true;
      ended = await runAgent(args, { environment });
      return false;
    },
    { timeout: 150_000, interval: 2_000 },
  );
  return ended;
}

const moments = {
  "before it is begun: it runs now": {
    keep: () => proxy.keepRequest('"method":"initialize"'),
    killed: 10,
    resumed: 11,
    code: 0,
    answer: { status: "answered", text: "Done: 1 row.", writes: [{ status: "done" }] },
  },
  "begun and on its way: unknown, and not repeated": {
    keep: () => proxy.keepRequest('"idempotency_key"'),
    killed: 10,
    resumed: 10,
    code: 1,
    answer: { status: "failed", writes: [{ status: "unknown", error: { code: "outcome_unknown" } }] },
  },
  "done and not yet answered: done, and not repeated": {
    keep: () => proxy.keepAnswers('"allow":true', "rows_affected"),
    killed: 11,
    resumed: 11,
    code: 0,
    answer: { status: "answered", text: "Done: 1 row.", writes: [{ status: "done" }] },
  },
} as const;

async function killAndResume(source: string, store: string, moment: keyof typeof moments): Promise<string> {
  const { keep, killed, resumed, code, answer } = moments[moment];
  const session = await propose(source, store);
  await killWhileApproving(session, store, keep());
  expect(await quantity(source)).toBe(killed);
  const ended = await resume(session, store);
  expect({ code: ended.code, answer: JSON.parse(ended.stdout) }).toMatchObject({ code, answer });
  expect(await quantity(source)).toBe(resumed);
  return session;
}

describe.each(["pg", "my"])("a process killed after a yes to a write on %s", (source) => {
  // the keys are this table's own
  test.each(Object.keys(moments) as (keyof typeof moments)[])("%s", async (moment) => {
    const store = stores.file();
    const session = await killAndResume(source, store, moment);
    const { resumed } = moments[moment];
    const again = await resume(session, store);
    expect(again).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("[nothing_to_resume]") });
    const late = await runAgent(["answer", session, "approve", "--store", store, "--gateway", gateway.url], {
      environment,
    });
    expect(late).toMatchObject({ code: 1, stderr: expect.stringContaining("[approval_unknown]") });
    expect(await quantity(source)).toBe(resumed);
  });
});

test("a session in Redis is free again once its dead process has not been heard of for a minute", async () => {
  await killAndResume("pg", stores.redis(), "done and not yet answered: done, and not repeated");
});
