/**
 * Redis that is away, full, restarted or tampered with, seen through a gateway: calls without a session go on, the others
 * are told the truth within two seconds, nothing is done locally instead, and all is well again without a restart.
 */
import { afterAll, expect, test } from "vitest";
import { type RedisServer, startRedisServer } from "../support/redis-servers.js";
import { away, createMatrix, type Expected, lost, well } from "./matrix.js";
import { keyOf, openSubject } from "./subject.js";

const matrix = createMatrix("Redis, one server");
afterAll(() => matrix.print());

/** It writes every change to its disk, so that a restart loses nothing. */
const lasting = ["appendonly yes", "appendfsync always"];
const forged = Buffer.alloc(16, 7).toString("base64url");
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("absent at the start", async () => {
  await using server = await startRedisServer();
  await server.kill();
  await using subject = await openSubject(`redis://${server.address}`);
  await matrix.during("absent at the start", subject, forged, away);
  await server.start();
  await matrix.after("absent at the start", subject, forged, lost);
  await matrix.during("absent at the start", subject, await subject.openSession(), well);
});

interface Fault {
  readonly break: (server: RedisServer) => unknown;
  /** What is answered as long as it lasts; without it, it has passed at once. */
  readonly broken?: Expected;
  readonly heal?: (server: RedisServer) => unknown;
  readonly healed: Expected;
}

const setMemory = (bytes: string) => (server: RedisServer) => server.command("CONFIG", "SET", "maxmemory", bytes);
const restart = async (server: RedisServer): Promise<void> => {
  await server.kill();
  await server.start();
};
const freezeFor = (ms: number) => async (server: RedisServer) => {
  server.freeze();
  await pause(ms);
};
const thaw = (server: RedisServer): void => server.thaw();

const faults: Readonly<Record<string, Fault>> = {
  killed: { break: (server) => server.kill(), broken: away, heal: (server) => server.start(), healed: well },
  frozen: { break: freezeFor(0), broken: away, heal: thaw, healed: well },
  "frozen for long": { break: freezeFor(4_500), broken: away, heal: thaw, healed: well },
  restarted: { break: restart, healed: well },
  emptied: { break: (server) => server.command("FLUSHALL"), broken: lost, healed: lost },
  "restarted empty": {
    break: async (server) => {
      await server.command("FLUSHALL");
      await restart(server);
    },
    healed: lost,
  },
  full: { break: setMemory("1"), broken: { ...well, opened: away.opened }, heal: setMemory("0"), healed: well },
};

test.each(Object.entries(faults))("%s", async (name, fault) => {
  await using server = await startRedisServer(lasting);
  await using subject = await openSubject(`redis://${server.address}`);
  const session = await subject.openSession();
  await fault.break(server);
  if (fault.broken !== undefined) await matrix.during(name, subject, session, fault.broken);
  await fault.heal?.(server);
  await matrix.after(name, subject, session, fault.healed);
});

/** Changes the records whose key has a word; resolves to what puts them back. */
async function rewrite(server: RedisServer, word: string, change: (value: string) => string) {
  const keys = (await server.command("KEYS", `*:${word}/*`)).split("\r\n").filter((line) => line.includes(`${word}/`));
  expect(keys).not.toEqual([]);
  const before = await Promise.all(
    keys.map(async (key) => [key, (await server.command("GET", key)).split("\r\n")[1] ?? ""] as const),
  );
  const write = (key: string, value: string) => server.command("SET", key, value, "KEEPTTL");
  for (const [key, value] of before) await write(key, change(value));
  return async () => {
    for (const [key, value] of before) await write(key, value);
  };
}

const flipLast = (value: string): string => value.slice(0, -6) + (value.at(-6) === "A" ? "B" : "A") + value.slice(-5);
const damaged: Expected = { inSession: "record_damaged", shown: "500 record_damaged", opened: "201" };
const unknown: Expected = { inSession: "key_unknown", shown: "503 key_unknown", opened: "201" };

test.each<[fault: string, word: string, change: (value: string) => string, expected: Expected]>([
  ["tampered: one character", "session", flipLast, damaged],
  ["tampered: cut", "session", (value) => value.slice(0, -40), damaged],
  ["tampered: nonsense", "session", () => "nonsense", damaged],
  ["tampered: empty", "session", () => "", damaged],
  ["tampered: the list of sessions", "index", flipLast, well],
  ["of an unknown key", "session", (value) => value.replace(".k1.", ".k9."), unknown],
])("%s", async (fault, word, change, expected) => {
  await using server = await startRedisServer();
  await using subject = await openSubject(`redis://${server.address}`);
  const session = await subject.openSession();
  const restore = await rewrite(server, word, change);
  await matrix.during(fault, subject, session, expected);
  await restore();
  await matrix.after(fault, subject, session, well);
});

test("started with another key, the session is none; with the right one again it goes on", async () => {
  await using server = await startRedisServer();
  const url = `redis://${server.address}`;
  let session = "";
  {
    await using subject = await openSubject(url);
    session = await subject.openSession();
    await expect(openSubject(url, keyOf("k2", 2))).rejects.toMatchObject({ code: "keys_differ" });
  }
  for (const [fault, keys, expected] of [
    ["wrong key", keyOf("k2", 2), lost],
    ["wrong key of the same name", keyOf("k1", 3), lost],
    ["the right key under another name", keyOf("k3", 1), unknown],
  ] as const) {
    await using other = await openSubject(url, keys);
    await matrix.during(fault, other, session, expected);
    await matrix.during(`${fault}: its own session`, other, await other.openSession(), well);
  }
  await using again = await openSubject(url);
  expect((await fetch(`${again.gateway.url}/v1/sessions/${session}`)).status).toBe(200);
}, 120_000);
