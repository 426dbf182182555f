/** Sessions over processes: a run of one process is read, listed and deleted by others, and by nobody without the keys. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCanary, holds, sqlStringOf } from "../support/canary.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { postgresUrl, redisUrl } from "../support/services.js";
import { runAgent, temporaryFolder } from "./support.js";

const folder = temporaryFolder();
const canary = createCanary();
const role = `sessions_${process.pid}`;
let database: TestDatabase;
beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(`CREATE ROLE ${role} LOGIN PASSWORD ${sqlStringOf(canary, false)}`);
});
afterAll(async () => {
  folder[Symbol.dispose]();
  await database?.run(`DROP ROLE ${role}`);
  await database?.[Symbol.asyncDispose]();
});
const newKeys = (): string => `k1:${randomBytes(32).toString("base64")}`;
const task = JSON.stringify({
  name: "Kept",
  statements: [{ name: "answer", sql: `SELECT '{"lc":1,"type":"constructor","id":["x"]}' AS cell, 40 + 2 AS answer` }],
});

test.each([
  ["a folder", () => `file:${join(folder.path, "sessions")}`],
  ["Redis", redisUrl],
])("a run is remembered in %s by its reference id, across processes", async (_, storeOf) => {
  const environment = { MCP_KEYS: newKeys(), DB_AGENT_STORE: storeOf() };
  const url = Object.assign(new URL(database.url), { username: role, password: encodeURIComponent(canary.password) });
  const ran = await runAgent(["run", "-", `shop=${url.href}`, "-o", "json"], { environment, input: task });
  expect(ran.code).toBe(0);
  const { session }: { session: string } = JSON.parse(ran.stdout);
  expect(ran.stderr).toContain(`Session ${session}`);

  const listed = await runAgent(["sessions", "list", "-o", "json"], { environment });
  expect(JSON.parse(listed.stdout)).toEqual([expect.objectContaining({ session })]);
  const shown = await runAgent(["sessions", "show", session, "-o", "json"], { environment });
  expect(JSON.parse(shown.stdout)).toEqual(JSON.parse(ran.stdout));
  expect(holds(shown.stdout + listed.stdout + ran.stderr, canary)).toBe(false);

  const stranger = await runAgent(["sessions", "show", session], {
    environment: { ...environment, MCP_KEYS: newKeys() },
  });
  expect({ code: stranger.code, stdout: stranger.stdout }).toEqual({ code: 1, stdout: "" });
  expect(stranger.stderr).toContain("[store_sealed]");

  const deleted = await runAgent(["sessions", "delete", session], { environment });
  expect(deleted.code).toBe(0);
  const gone = await runAgent(["sessions", "show", session], { environment });
  expect(gone.stderr).toContain("[session_unknown]");
});

test("a file store holds no password, no statement and no row in clear, and says when its key will not last", async () => {
  const path = join(folder.path, "passing");
  const { code, stderr } = await runAgent(["run", "-", postgresUrl(), "--store", `file:${path}`], { input: task });
  expect(code).toBe(0);
  expect(stderr).toContain("set MCP_KEYS");
  const files = readdirSync(path, { recursive: true, encoding: "utf8" }).map((name) => join(path, name));
  const text = files.map((file) => (statSync(file).isFile() ? readFileSync(file, "utf8") : "")).join("\n");
  expect(text).toContain("s1.process.");
  expect(text).not.toMatch(/SELECT|answer|Kept|postgres:/);
});
