/**
 * Sessions of the Python predecessor are taken over. The records in fixtures/predecessor.json were sealed by Python's
 * `cryptography` 48 as its source has it: PBKDF2 over the secret below, Fernet, base64 once more.
 */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createLog } from "../../mcp-core/src/host/log.js";
import { runCommand } from "../../mcp-gateway/src/command.js";
import { createSessionRecords } from "../../mcp-gateway/src/sessions/session-records.js";
import { openFileStore } from "../../mcp-gateway/src/store/file-store.js";
import { createKeyRing } from "../../mcp-gateway/src/vault/key-ring.js";
import { createVault } from "../../mcp-gateway/src/vault/vault.js";
import { startGateway, temporaryFolder } from "../gateway/gateways.js";
import { type RedisServer, startRedisServer } from "../support/redis-servers.js";
import sealed from "./fixtures/predecessor.json" with { type: "json" };
import { person } from "./people.js";

const secret = "canary old secret of the predecessor";
const keys = `k1:${Buffer.alloc(32, 1).toString("base64")}`;
const templates = {
  pg: { server: "postgres", hosts: ["pg.example.com"] },
  my: { server: "mysql", hosts: ["my.example.com"] },
};
const names = Object.keys(sealed) as (keyof typeof sealed)[];
const keyOf = (name: keyof typeof sealed): string => `db_agent_session:${name}`;
const referenceOf = (name: keyof typeof sealed): string => `db_agent_ref:00000000000${names.indexOf(name) + 1}`;

let redis: RedisServer;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis?.[Symbol.asyncDispose]());
beforeEach(async () => {
  await redis.command("FLUSHALL");
  for (const name of names) {
    await redis.command("SET", keyOf(name), sealed[name]);
    await redis.command("SET", referenceOf(name), keyOf(name));
  }
  folder = await temporaryFolder();
  await writeFile(join(folder.path, "gateway.json"), JSON.stringify({ templates }));
  return () => folder[Symbol.asyncDispose]();
});

async function run(args: readonly string[], environment: Record<string, string> = {}) {
  const [stdout, stderr] = [new PassThrough({ encoding: "utf8" }), new PassThrough({ encoding: "utf8" })];
  const argv = ["import-sessions", "--config", join(folder.path, "gateway.json"), "--principal", "ada", ...args];
  const own = { ENCRYPTION_KEY: secret, MCP_KEYS: keys, MCP_IMPORT_FROM: `redis://${redis.address}` };
  const code = await runCommand({
    argv,
    environment: { ...own, ...environment },
    stdout,
    stderr,
    signal: AbortSignal.timeout(60_000),
  });
  const [out, error] = [String(stdout.read() ?? ""), String(stderr.read() ?? "")];
  expect(out + error).not.toContain("canary");
  return { code, out, error };
}

const toFolder = (...more: string[]): string[] => ["--store", `file:${folder.path}/store`, ...more];
const dump = async (): Promise<string> => {
  const texts = names.flatMap((name) => [keyOf(name), referenceOf(name)]).map((key) => redis.command("GET", key));
  return (await Promise.all(texts)).join();
};
const lines = async (file: string): Promise<{ old: string; session: string; id: string }[]> =>
  (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

test("a dry run says what would be done and writes nothing", async () => {
  const before = await dump();
  const { code, out } = await run(toFolder("--dry-run", "--max-age", "36500d"));
  expect(code).toBe(0);
  const told = Object.fromEntries(
    out
      .trim()
      .split("\n")
      .map((line) => [/session:(\w+)/.exec(line)?.[1] ?? "sum", line]),
  );
  expect(told).toEqual({
    config: `${keyOf("config")}: would become mysql ada@my.example.com:3306/shop by template my`,
    collected: `${keyOf("collected")}: would become postgres ada@pg.example.com:5432/ada by template pg`,
    empty: expect.stringMatching(/skipped: has no complete connection$/),
    elsewhere: expect.stringMatching(/skipped: This host and port are not among .*target_forbidden/),
    old: `${keyOf("old")}: would become mysql ada@my.example.com:3306/shop by template my`,
    otherKey: expect.stringMatching(/skipped: does not open with this key, or is too old$/),
    sum: "3 to import, 3 skipped.",
  });
  expect(await dump()).toBe(before);
  await using gateway = await startGateway(() => ({ templates }), {
    sessions: { store: `file:${folder.path}/store`, keys },
  });
  expect((await person(gateway.gateway, "ada").rest("GET", "/v1/sessions")).body.sessions).toEqual([]);
});

test("an import makes sessions with new references and opens them; old records stay; a second one imports nothing twice", async () => {
  const before = await dump();
  const file = join(folder.path, "new.jsonl");
  const first = await run(toFolder("--references", file, "--max-age", "3650d"));
  expect([first.code, first.out.trim().split("\n").at(-1)]).toEqual([0, "2 imported, 4 skipped."]);
  expect(await dump()).toBe(before);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const made = await lines(file);
  expect(new Set(made.map(({ old }) => old))).toEqual(new Set([referenceOf("config"), referenceOf("collected")]));

  const log = createLog({ name: "t", stream: new PassThrough().resume() });
  await using store = openFileStore(join(folder.path, "store"));
  const vault = createVault(createKeyRing({ keys }), { log });
  const life = { idleMs: 60_000, maxAgeMs: 60_000 };
  const records = createSessionRecords({ store, vault, life, onMoved: async () => {} });
  const passwords = [];
  for (const { session: reference } of made) {
    const { record, session } = await records.find("ada", reference);
    const [connection] = session.connections;
    if (connection === undefined) throw new Error("each has one");
    passwords.push(records.openPassword(connection.password, { record, reference, connection: connection.name }));
  }
  expect(new Set(passwords)).toEqual(new Set(["canary-söcret", "canary-twice"]));

  const again = await run(toFolder("--references", join(folder.path, "again.jsonl"), "--max-age", "3650d"));
  expect([again.code, again.out.match(/has been imported already/g)?.length]).toEqual([1, 2]);

  await using gateway = await startGateway(() => ({ templates }), {
    sessions: { store: `file:${folder.path}/store`, keys },
  });
  const ada = person(gateway.gateway, "ada");
  expect((await ada.rest("GET", "/v1/sessions")).body.sessions).toHaveLength(2);
  const shown = await ada.rest("GET", `/v1/sessions/${made[0]?.session}`);
  expect(shown).toMatchObject({ status: 200, body: { id: made[0]?.id, label: "imported" } });
  expect((await person(gateway.gateway, "bob").rest("GET", `/v1/sessions/${made[0]?.session}`)).status).toBe(404);
});

test("old records go only when that is asked for, and only those that were imported", async () => {
  const file = join(folder.path, "new.jsonl");
  await run(toFolder("--references", file, "--max-age", "3650d", "--template", "my", "--delete-imported"));
  expect(await redis.command("EXISTS", keyOf("config"), referenceOf("config"))).toContain(":0");
  for (const name of names.filter((one) => one !== "config"))
    expect(await redis.command("EXISTS", keyOf(name), referenceOf(name))).toContain(":2");
  expect(await lines(file)).toHaveLength(1);
});

test("with the wrong key nothing opens, and the exit code says so", async () => {
  const { code, out } = await run(toFolder("--dry-run"), { ENCRYPTION_KEY: "another secret" });
  expect([code, out.trim().split("\n").at(-1)]).toEqual([1, "0 to import, 6 skipped."]);
});

test.each<[string, string[], Record<string, string>, RegExp]>([
  ["a store that ends with the command", ["--references", "x"], {}, /store memory ends with this command/],
  ["no lasting key", ["--store", "file:/tmp/nowhere", "--references", "x"], { MCP_KEYS: "" }, /No key is configured/],
  ["no file for references", ["--store", "file:/tmp/nowhere"], {}, /--references/],
  ["no old key", ["--dry-run"], { ENCRYPTION_KEY: "" }, /ENCRYPTION_KEY|oldKey/],
  ["a Redis that is not there", ["--dry-run"], { MCP_IMPORT_FROM: "redis://:canary@127.0.0.1:1" }, /store_unavailable.*--from/],
  ["a key on the command line", ["--dry-run", "--old-key", "x"], {}, /old-key/],
])("%s is refused", async (_name, args, environment, expected) => {
  const { code, error } = await run(args, environment);
  expect([code === 0, error]).toEqual([false, expect.stringMatching(expected)]);
}); // biome-ignore format: a table
