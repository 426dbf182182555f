/** How long sessions live, by the clock, and what is left of them: over memory and a folder, whose clock is the same. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { createLog } from "../../mcp-core/src/host/log.js";
import type { KeptSession } from "../../mcp-gateway/src/sessions/session.js";
import { createSessionRecords, type SessionRecords } from "../../mcp-gateway/src/sessions/session-records.js";
import { openFileStore } from "../../mcp-gateway/src/store/file-store.js";
import { createMemoryStore } from "../../mcp-gateway/src/store/memory-store.js";
import type { Store } from "../../mcp-gateway/src/store/store.js";
import { createKeyRing } from "../../mcp-gateway/src/vault/key-ring.js";
import { createVault } from "../../mcp-gateway/src/vault/vault.js";
import { temporaryFolder } from "../gateway/gateways.js";

const minute = 60_000;
const life = { idleMs: 10 * minute, maxAgeMs: 60 * minute };
const log = createLog({ name: "t", stream: new PassThrough().resume() });
const forged = Buffer.alloc(16, 7).toString("base64url");

interface World extends AsyncDisposable {
  readonly records: SessionRecords;
  readonly store: Store;
  pass(ms: number): void;
  create(): Promise<{ reference: string; record: string }>;
  /** What a call with the session comes to. */
  use(reference: string, principal?: string): Promise<unknown>;
}

function openWorld(openStore: (now: () => number) => Store): World {
  let time = Date.parse("2026-01-01T00:00:00Z");
  const now = (): number => time;
  const store = openStore(now);
  const vault = createVault(createKeyRing({ keys: `k1:${Buffer.alloc(32, 1).toString("base64")}` }), { log });
  const records = createSessionRecords({ store, vault, life, onMoved: async () => {}, now });
  return {
    records,
    store,
    pass(ms) {
      time += ms;
    },
    async create() {
      const session: KeptSession = {
        ...{ id: "s-0000000000", principal: "ada", label: undefined },
        ...{ openedAt: time, endsAt: time + life.maxAgeMs, connections: [] },
      };
      const { reference, found } = await records.create(session);
      return { reference, record: found.record };
    },
    use: (reference, principal = "ada") =>
      records.find(principal, reference).then(
        () => "lives",
        ({ code, message, hint }: { code: string; message: string; hint: string }) => `${code} ${message} ${hint}`,
      ),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

describe.each<[string, (folder: string) => (now: () => number) => Store]>([
  ["memory", () => (now) => createMemoryStore({ now })],
  ["a folder", (folder) => (now) => openFileStore(folder, { now })],
])("over %s", (_name, storeIn) => {
  test("each call lets a session live on; without one it ends, and to its owner it is as one that never was", async () => {
    await using folder = await temporaryFolder();
    await using world = openWorld(storeIn(folder.path));
    const { reference } = await world.create();
    for (let call = 0; call < 4; call++) {
      world.pass(9 * minute);
      expect(await world.use(reference)).toBe("lives");
    }
    world.pass(10 * minute);
    const never = await world.use(forged);
    expect(never).toMatch(/^session_not_found /);
    const all = [reference, "", "x", reference.slice(0, -1), `${reference} `].map((one) => world.use(one));
    expect(new Set(await Promise.all([...all, world.use(reference, "bob")]))).toEqual(new Set([never]));
  });

  test("looking at it does not let it live on", async () => {
    await using folder = await temporaryFolder();
    await using world = openWorld(storeIn(folder.path));
    const { reference, record } = await world.create();
    world.pass(9 * minute);
    expect(await world.records.peek(record)).toMatchObject({ record });
    world.pass(minute);
    expect([await world.records.peek(record), await world.use(reference)]).toEqual([
      undefined,
      expect.stringMatching(/^session_not_found/),
    ]);
  });

  test("it ends after its whole life whatever calls it gets, and then nothing of it is kept", async () => {
    await using folder = await temporaryFolder();
    await using world = openWorld(storeIn(folder.path));
    const { reference } = await world.create();
    for (let call = 0; call < 11; call++) {
      world.pass(5 * minute);
      expect(await world.use(reference)).toBe("lives");
    }
    world.pass(5 * minute);
    expect(await world.use(reference)).toMatch(/^session_not_found /);
    expect(await world.store.list("")).toEqual([]);
  });

  test("a record that stands in another's place opens for nobody, and both are left as they are", async () => {
    await using folder = await temporaryFolder();
    await using world = openWorld(storeIn(folder.path));
    const [one, other] = [await world.create(), await world.create()];
    const read = async (record: string) => (await world.store.get(`session/${record}`))?.value ?? "";
    const [first, second] = [await read(one.record), await read(other.record)];
    const write = (record: string, text: string) => world.store.set(`session/${record}`, text, { ttlMs: life.idleMs });
    await write(one.record, second);
    await write(other.record, first);
    for (const { reference } of [one, other]) expect(await world.use(reference)).toMatch(/^record_damaged /);
    expect([await read(one.record), await read(other.record)]).toEqual([second, first]);
    await write(one.record, first);
    expect(await world.use(one.reference)).toBe("lives");
    for (const text of [
      first.slice(0, -1),
      first.slice(0, 40),
      `${first}A`,
      "",
      "v1.k1.",
      first.replace("v1.", "v2."),
    ]) {
      await write(one.record, text);
      expect([text, await world.use(one.reference)]).toEqual([text, expect.stringMatching(/^record_damaged /)]);
    }
  });
});

test("a folder loses the files of sessions that have ended at the next sweep, and no other", async () => {
  await using folder = await temporaryFolder();
  {
    await using world = openWorld((now) => openFileStore(folder.path, { now }));
    await world.create();
    world.pass(11 * minute);
    await world.create();
  }
  const count = async () => (await readdir(folder.path)).length;
  expect(await count()).toBe(2);
  const later = Date.parse("2026-01-01T00:12:00Z");
  await using after = openFileStore(folder.path, { now: () => later }); // sweeps when it is opened
  await after.ping();
  const [left = ""] = await readdir(folder.path);
  expect([await count(), JSON.parse(await readFile(join(folder.path, left), "utf8")).expiresAt]).toEqual([
    1,
    later + 9 * minute,
  ]);
});
