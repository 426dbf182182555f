/** Finding out what era a server speaks: asked once, remembered for a day, and never a reason to be unavailable. */
import { readdir } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { createDiscovery } from "../../mcp-gateway/src/discovery.js";
import { createGreeting } from "../../mcp-gateway/src/greeting.js";
import type { Member } from "../../mcp-gateway/src/member.js";
import { fixtureServer, startGateway, temporaryFolder, textOf } from "./gateways.js";

const odd = (journal: string, args: readonly string[]) =>
  fixtureServer("odd-server", { args, env: { JOURNAL: journal } });
const soon = () => ({ signal: AbortSignal.timeout(10_000) });

test("the era is remembered on disk: the next start asks in that era at once", async () => {
  await using folder = await temporaryFolder();
  const greetings: string[][] = [];
  for (let start = 0; start < 2; start++) {
    await using gateway = await startGateway((journal) => ({ mcpServers: { s: odd(journal, ["telling"]) } }), {
      cacheFolder: folder.path,
    });
    await using client = await gateway.connect("modern");
    await client.callTool({ name: "s__echo", arguments: {} });
    greetings.push((await gateway.journal()).slice(1, 3));
  }
  expect(greetings).toEqual([
    ["server/discover", "initialize"],
    ["initialize", "notifications/initialized"],
  ]);
});

test("a remembered era is tried first for a day, and is only a guess", () => {
  const day = 24 * 3_600_000;
  let now = day;
  const greeting = createGreeting({ era: "legacy", foundAt: day }, () => now);
  expect(greeting.first()).toBe("legacy");
  greeting.answered("legacy");
  now = 2 * day;
  expect(greeting.first()).toBe("modern");
  greeting.answered("legacy");
  expect(greeting.found).toEqual({ era: "legacy", foundAt: now });
  greeting.answered("modern");
  expect(greeting.first()).toBe("modern");
});

test("a modern server takes the place of a legacy one: it is found to be modern", async () => {
  await using folder = await temporaryFolder();
  const entry = (isModern: boolean) => ({ command: "/bin/sh", args: ["-c", "exec node $SERVER"], isModern });
  const eras: unknown[] = [];
  for (const isModern of [false, true]) {
    const { command, args } = entry(isModern);
    const server = fixtureServer(isModern ? "modern-server" : "legacy-server").args[0] ?? "";
    const config = { mcpServers: { s: { command, args, env: { SERVER: server } } } };
    await using gateway = await startGateway(() => config, { cacheFolder: folder.path });
    await using client = await gateway.connect("modern");
    expect(textOf(await client.callTool({ name: "s__echo", arguments: { text: "hi" } }))).toBe("hi");
    await vi.waitUntil(() => gateway.gateway.report().servers[0]?.era === (isModern ? "modern" : "legacy"));
    eras.push(gateway.gateway.report().servers[0]?.era);
  }
  expect(eras).toEqual(["legacy", "modern"]);
});

test("a modern server that is slow to start is not taken for a legacy one", async () => {
  await using gateway = await startGateway(
    () => ({
      mcpServers: { s: fixtureServer("modern-server", { env: { SLOW_START: "3300" }, startTimeout: "20s" }) },
    }),
    { life: { maxBackoffMs: 1 } },
  );
  await gateway.gateway.ready(soon());
  expect(gateway.gateway.report().servers[0]).toMatchObject({ era: "modern", crashes: 0 });
});

test("a legacy server that ends when it is asked what it does not know is greeted as one at once, and from then on", async () => {
  await using gateway = await startGateway((journal) => ({ mcpServers: { s: odd(journal, ["touchy"]) } }));
  await gateway.gateway.ready(soon());
  expect(gateway.gateway.report().servers[0]).toMatchObject({ era: "legacy", starts: 1, crashes: 0 });
  expect((await gateway.journal()).filter((line) => !line.startsWith("start"))).toEqual([
    "server/discover",
    "initialize",
    "notifications/initialized",
    "tools/list",
  ]);
});

test("once it is ready, what it has learned is on disk", async () => {
  await using gateway = await startGateway((journal) => ({ mcpServers: { s: odd(journal, ["good"]) } }));
  await gateway.gateway.ready(soon());
  const files = await readdir(`${gateway.folder}/cache`);
  expect(files.filter((name) => /^[0-9a-f]{32}\.json$/.test(name))).toHaveLength(1);
});

test("who asks whether it is ready starts nothing; who lists tries a server again that could not be listed", async () => {
  vi.useFakeTimers({ toFake: ["performance", "Date"] });
  let attempts = 0;
  const broken = {
    plan: { id: "s" },
    listing: undefined,
    discover: () => Promise.reject(new Error(`no ${++attempts}`)),
  };
  const log = { warn: () => {} };
  const discovery = createDiscovery({
    members: () => [broken as unknown as Member],
    recall: async () => {},
    withinMs: 10,
    signal: soon().signal,
    log: log as never,
  });
  try {
    discovery.look();
    await discovery.whenSettled(soon().signal);
    vi.advanceTimersByTime(60_000);
    await discovery.whenSettled(soon().signal);
    expect(attempts).toBe(1);
    await discovery.whenListed(soon().signal);
    expect(attempts).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});
