/**
 * Where a password is once it was given: in the environment of the one server that connects with it, and nowhere else on
 * this machine, whatever it was given for and whatever became of it.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { freePort } from "../../mcp-core/src/sample/private-server.js";
import type { Instance } from "../../mcp-postgres/src/instance.js";
import { until } from "../gateway/gateways.js";
import { type Canary, createCanary, holds, processesWith } from "../support/canary.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { startPostgres } from "../support/postgres-standby.js";
import { type RedisServer, startRedisServer } from "../support/redis-servers.js";
import { openSubject, type Subject, type Target, type Templates, ways } from "./canary-gateway.js";
import { createMysqlUser, createPostgresUser, type DatabaseUser, testTemplates } from "./people.js";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 }); // each cell starts several servers

const engines = ["pg", "my"] as const;

let postgres: Instance; // of its own: it asks everybody for a password
let databases: Readonly<Record<"pg" | "my", TestDatabase>>;
let redis: RedisServer;
let templates: Templates;
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedisServer()]);
  databases = { pg: await createPostgresDatabase(postgres.url("postgres")), my: await createMysqlDatabase() };
  const away = { hosts: [`127.0.0.1:${await freePort()}`], private: true };
  templates = {
    ...testTemplates({ pg: databases.pg.url }),
    "pg-away": { server: "postgres", ...away },
    "my-away": { server: "mysql", ...away },
  };
});
afterAll(async () => {
  for (const one of [databases?.pg, databases?.my, postgres, redis]) await one?.[Symbol.asyncDispose]();
});

const createUser = (engine: "pg" | "my", { password }: Canary): Promise<DatabaseUser> =>
  engine === "pg"
    ? createPostgresUser(postgres.url("postgres"), password)
    : createMysqlUser(databases.my.name, password);

test.each<[string, (password: string) => string]>([
  ["as it is", (password) => password],
  ["in a URL", encodeURIComponent],
  ["in a form", (password) => String(new URLSearchParams({ password }))],
  ["in JSON", (password) => JSON.stringify({ password })],
  ["in JSON in JSON", (password) => JSON.stringify({ text: JSON.stringify({ password }) })],
  ["in HTML", (password) => password.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;")],
  ["in base64", (password) => Buffer.from(password).toString("base64")],
  ["in base64 behind a name", (password) => Buffer.from(`u:${password}`).toString("base64url")],
  ["in base64 behind a longer name", (password) => Buffer.from(`us:${password}`).toString("base64")],
  ["in hexadecimal", (password) => Buffer.from(password).toString("hex").toUpperCase()],
  ["among other bytes", (password) => Buffer.from(`\0\xff${password}\0`, "latin1").toString("latin1")],
])("a password that is written %s is found", (_name, write) => {
  const canary = createCanary();
  expect([holds(write(canary.password), canary), holds(write(createCanary().password), canary)]).toEqual([true, false]);
});

describe.each<[string, number, () => string]>([
  ["memory", 0, () => "memory"],
  ["a folder", 1, () => "folder"],
  ["Redis", 2, () => `redis://${redis.address}`],
])("over %s", (_store, row, storeOf) => {
  /** They take turns. */
  const engineOf = (column: number): "pg" | "my" => engines[(row + column) % 2] ?? "my";

  let subject: Subject;
  beforeAll(async () => {
    subject = await openSubject(storeOf(), { redis, templates });
  });
  afterAll(() => subject?.[Symbol.asyncDispose]());

  /** These are in the environments of so many processes, all of them servers, and nowhere else. */
  async function expectOnly(
    subject: Subject,
    when: string,
    canaries: readonly (readonly [Canary, number])[],
  ): Promise<void> {
    for (const [canary, count] of canaries) {
      const where = () => processesWith(canary, "environ");
      await until(async () => (await where()).length === count, 90_000);
      expect(await subject.pids(), when).toEqual(expect.arrayContaining(await where()));
      expect(await processesWith(canary, "cmdline"), when).toEqual([]);
    }
    for (const [place, text] of await subject.look()) {
      expect(text.length, `${when}: ${place} is seen`).toBeGreaterThan(0);
      for (const [canary] of canaries) expect(holds(text, canary), `${when}: a password is in ${place}`).toBe(false);
    }
  }

  test.concurrent.each(ways.map(([way, open], column) => [way, engineOf(column), open] as const))(
    "given by %s, for %s",
    async (_way, engine, open) => {
      const [right, wrong, lost, next] = [createCanary(), createCanary(), createCanary(), createCanary()];
      await using user = await createUser(engine, right);
      const way = await open(subject);
      const { name: database } = databases[engine];
      const target = (name: string): Target => ({ name, template: engine, database, user: user.user });
      const kept = Number(way.keepsWhatFails);

      expect(await way.give(target("first"), right.password)).toBe("ok");
      await expectOnly(subject, "connected", [[right, 1]]);

      expect(await way.give(target("second"), wrong.password)).toMatch(/was not accepted/);
      await expectOnly(subject, "of a wrong password", [[right, 1], [wrong, kept]]); // biome-ignore format: a row
      if (way.keepsWhatFails) await way.take("second");

      expect(await way.give({ ...target("third"), template: `${engine}-away` }, lost.password)).toMatch(
        /could be reached/,
      );
      await expectOnly(subject, "of a host that is away", [[right, 1], [wrong, 0], [lost, kept]]); // biome-ignore format: a row
      if (way.keepsWhatFails) await way.take("third");

      await user.setPassword(next.password);
      await way.take("first");
      expect(await way.give(target("fourth"), next.password)).toBe("ok");
      await expectOnly(subject, "after a rotation", [[right, 0], [lost, 0], [next, 1]]); // biome-ignore format: a row

      await way.end();
      const all = [right, wrong, lost, next];
      await expectOnly(
        subject,
        "at the end",
        all.map((canary) => [canary, 0]),
      );
    },
  );

  test.concurrent("that came in in every way, of sessions that nobody ends", async () => {
    await using resting = await openSubject(storeOf(), { redis, templates, flags: ["--session-timeout", "20s"] });
    const given = ways.slice(0, 3).map(async ([, open], column) => {
      const engine = engineOf(column + 1);

      const canary = createCanary();
      await using user = await createUser(engine, canary);
      const way = await open(resting);
      const target = { name: "db", template: engine, database: databases[engine].name, user: user.user };
      expect(await way.give(target, canary.password)).toBe("ok");
      await expectOnly(resting, "at rest", [[canary, 0]]);
    });
    await Promise.all(given);
  });
});
