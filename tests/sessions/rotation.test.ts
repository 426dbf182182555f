/** Keys change while sessions live: what an old key sealed opens, moves to the new one as it is used, and the old can go. */
import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { runCommand } from "../../mcp-gateway/src/command.js";
import { startGateway, temporaryFolder, until } from "../gateway/gateways.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { type RedisServer, startRedisServer } from "../support/redis-servers.js";
import { createMysqlUser, type DatabaseUser, type Person, person, testTemplates } from "./people.js";

vi.setConfig({ testTimeout: 120_000 }); // each start is a gateway with its servers

let database: TestDatabase;
let user: DatabaseUser;
let redis: RedisServer;
beforeAll(async () => {
  database = await createMysqlDatabase();
  user = await createMysqlUser(database.name);
  redis = await startRedisServer();
});
afterAll(async () => {
  for (const one of [user, database, redis]) await one?.[Symbol.asyncDispose]();
});

const key = (kid: string, fill: number): string => `${kid}:${Buffer.alloc(32, fill).toString("base64")}`;
const [old, fresh] = [key("old", 1), key("fresh", 2)];

/** A place for sessions, and everything that stands in it. */
interface Place extends AsyncDisposable {
  readonly word: string;
  dump(): Promise<string>;
}

async function openFolder(): Promise<Place> {
  const folder = await temporaryFolder();
  const path = join(folder.path, "sessions");
  return {
    word: `file:${path}`,
    async dump() {
      const texts = (await readdir(path)).map((name) => readFile(join(path, name), "utf8"));
      return (await Promise.all(texts)).join("\n");
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

async function openRedis(): Promise<Place> {
  const prefix = `t-${randomBytes(4).toString("hex")}`;
  return {
    word: `redis://${redis.address}?prefix=${prefix}`,
    async dump() {
      const keys = (await redis.command("KEYS", `${prefix}:*`)).match(/^t-\S+/gm) ?? [];
      return (await Promise.all(keys.map((one) => redis.command("GET", one)))).join("\n");
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** A gateway over a place with these secrets, and Ada in front of it. */
async function start(place: Place, secrets: { keys?: string; passphrase?: string }) {
  const gateway = await startGateway(() => ({ templates: testTemplates() }), {
    sessions: { store: place.word, ...secrets },
  });
  const ada = person(gateway.gateway, "ada");
  await until(async () => (await ada.rest("GET", "/v1/sessions")).status === 200, 30_000); // also on a slow machine
  return { ada, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
}

async function openSession(ada: Person): Promise<string> {
  const session = await ada.openSession();
  const { password } = user;
  const given = { template: "my", database: database.name, user: user.user, password };
  expect(await ada.rest("POST", `/v1/sessions/${session}/connections`, given)).toMatchObject({ status: 201 });
  return session;
}

/** Needs the password: MariaDB asks for it. */
const whoAmI = async (ada: Person, session: string): Promise<unknown> => {
  const { rows, code } = await ada.tool("query", { session, sql: "SELECT current_user()" });
  return code ?? (rows as string[][])[0]?.[0];
};
const listed = async (ada: Person): Promise<number> =>
  ((await ada.rest("GET", "/v1/sessions")).body.sessions as unknown[]).length;

describe.each([
  ["a folder", openFolder],
  ["Redis", openRedis],
] as const)("in %s", (_name, openPlace) => {
  test("a new key in front takes over what is used, and then the old one can go", async () => {
    await using place = await openPlace();
    const sessions: string[] = [];
    {
      await using before = await start(place, { keys: old });
      sessions.push(await openSession(before.ada), await openSession(before.ada));
      expect(await place.dump()).not.toContain("fresh");
    }
    const [used = "", unused = ""] = sessions;
    {
      await using both = await start(place, { keys: `${fresh},${old}` });
      expect(await listed(both.ada)).toBe(2);
      expect(await whoAmI(both.ada, used)).toBe(`${user.user}@%`);
      expect(await place.dump()).toContain(".old.");
      expect(await listed(both.ada)).toBe(2);
    }
    {
      await using after = await start(place, { keys: fresh });
      expect(await whoAmI(after.ada, used)).toBe(`${user.user}@%`);
      expect(await whoAmI(after.ada, unused)).toBe("session_not_found");
      expect(await listed(after.ada)).toBe(1);
    }
    {
      await using back = await start(place, { keys: `${fresh},${old}` });
      expect(await whoAmI(back.ada, unused)).toBe(`${user.user}@%`); // it was left as it is
      expect(await place.dump()).not.toContain(".old.");
    }
    await using without = await start(place, { keys: old });
    expect(await whoAmI(without.ada, used)).toBe("session_not_found");
  });

  test("two gateways with the keys in different order lose no call", async () => {
    await using place = await openPlace();
    await using first = await start(place, { keys: `${old},${fresh}` });
    await using second = await start(place, { keys: `${fresh},${old}` });
    const session = await openSession(first.ada);
    for (let round = 0; round < 15; round++) {
      const calls = [first, second, first, second].map(({ ada }) => whoAmI(ada, session));
      expect(new Set(await Promise.all(calls))).toEqual(new Set([`${user.user}@%`]));
    }
    expect([await listed(first.ada), await listed(second.ada)]).toEqual([1, 1]);
  });
});

test("from a passphrase to a key", async () => {
  await using place = await openFolder();
  let session = "";
  {
    await using before = await start(place, { passphrase: "correct horse battery" });
    session = await openSession(before.ada);
  }
  {
    await using both = await start(place, { keys: fresh, passphrase: "correct horse battery" });
    expect(await whoAmI(both.ada, session)).toBe(`${user.user}@%`);
  }
  await using after = await start(place, { keys: fresh });
  expect(await whoAmI(after.ada, session)).toBe(`${user.user}@%`);
  expect(await place.dump()).not.toContain("passphrase-");
});

test.each<[string, Record<string, string>, RegExp]>([
  ["too short", { MCP_KEYS: `${old},broken:c2hvcnQtY2FuYXJ5` }, /The key broken of MCP_KEYS has 12 bytes instead of 32/],
  ["not base64", { MCP_KEYS: "broken:canary!canary" }, /The key broken of MCP_KEYS is not base64/],
  ["a passphrase too short", { MCP_PASSPHRASE: "canary" }, /MCP_PASSPHRASE is shorter than 12/],
])("a key that is %s stops the start by its name and is not shown", async (_name, environment, expected) => {
  await using folder = await temporaryFolder();
  const [stdout, stderr] = [new PassThrough(), new PassThrough({ encoding: "utf8" })];
  const config = join(folder.path, "gateway.json");
  await writeFile(config, JSON.stringify({ templates: testTemplates() }));
  const argv = ["--config", config, "--stdio", "--cache-dir", folder.path];
  const code = await runCommand({ argv, environment, stdout, stderr, signal: AbortSignal.timeout(10_000) });
  const told = String(stderr.read());
  expect([code, told]).toEqual([2, expect.stringMatching(expected)]);
  expect(told).not.toMatch(/canary|c2hvcnQ/);
}); // biome-ignore format: a table
