import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fixtureServer, isAlive, startGateway, temporaryFolder, textOf, until } from "./gateways.js";

const legacy = (journal: string, options: object = {}) =>
  fixtureServer("legacy-server", { env: { JOURNAL: journal }, ...options });
const odd = (journal: string, args: readonly string[], options: object = {}) =>
  fixtureServer("odd-server", { args, env: { JOURNAL: journal }, ...options });
const starts = (lines: readonly string[]) => lines.filter((line) => line.startsWith("start "));
const reportOf = (text: string) =>
  JSON.parse(text) as { code: string; message: string; hint: string; retryable: boolean };

test("50 calls at once start one process", async () => {
  await using folder = await temporaryFolder();
  const config = (journal: string) => ({ mcpServers: { s: legacy(journal) } });
  {
    await using warm = await startGateway(config, { cacheFolder: folder.path });
    await warm.gateway.ready({ signal: AbortSignal.timeout(10_000) });
  }
  await using gateway = await startGateway(config, { cacheFolder: folder.path });
  await using client = await gateway.connect("modern");
  expect(starts(await gateway.journal())).toEqual([]);
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => client.callTool({ name: "s__echo", arguments: { text: String(index) } })),
  );
  expect(answers.map(textOf)).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
  expect(starts(await gateway.journal())).toHaveLength(1);
});

test("what is remembered is listed without starting anything, also by health checks and metrics", async () => {
  await using folder = await temporaryFolder();
  const config = (journal: string) => ({ mcpServers: { s: legacy(journal) } });
  let listed: unknown;
  {
    await using gateway = await startGateway(config, { cacheFolder: folder.path });
    await using client = await gateway.connect("legacy");
    listed = [
      (await client.listTools()).tools,
      (await client.listPrompts()).prompts,
      (await client.listResources()).resources,
    ];
  }
  await using gateway = await startGateway(config, { cacheFolder: folder.path });
  await using client = await gateway.connect("legacy");
  expect([
    (await client.listTools()).tools,
    (await client.listPrompts()).prompts,
    (await client.listResources()).resources,
  ]).toEqual(listed);
  for (const path of ["/healthz", "/readyz", "/metrics", "/v1/servers"])
    expect((await fetch(gateway.url + path)).status).toBe(200);
  expect(starts(await gateway.journal())).toEqual([]);
  expect(gateway.gateway.report().servers[0]).toMatchObject({ state: "asleep", starts: 0 });
});

test("an idle server is stopped and starts again on need", async () => {
  await using gateway = await startGateway((journal) => ({
    mcpServers: { s: legacy(journal, { idleTimeout: "150ms" }) },
  }));
  await using client = await gateway.connect("modern");
  await client.callTool({ name: "s__echo", arguments: { text: "one" } });
  const pid = Number(starts(await gateway.journal())[0]?.split(" ")[1]);
  await until(async () => !(await isAlive(pid)) && gateway.gateway.report().servers[0]?.state === "asleep");
  expect(textOf(await client.callTool({ name: "s__echo", arguments: { text: "two" } }))).toBe("two");
  expect(gateway.gateway.report().servers[0]).toMatchObject({ state: "running", starts: 2, crashes: 0 });
});

describe("a server that dies during a call", () => {
  test.each([
    ["die", "outcome_unknown", false],
    ["die_reading", "connection_lost", true],
  ])("%s: the answer is %s, the call is not repeated", async (tool, code, retryable) => {
    await using gateway = await startGateway((journal) => ({ mcpServers: { s: legacy(journal) } }));
    await using client = await gateway.connect("modern");
    const result = await client.callTool({ name: `s__${tool}`, arguments: {} });
    expect(result.isError).toBe(true);
    expect(reportOf(textOf(result))).toMatchObject({ code, retryable });
    expect((await gateway.journal()).filter((line) => line === "died").length).toBe(tool === "die" ? 1 : 0);
    expect(textOf(await client.callTool({ name: "s__echo", arguments: { text: "back" } }))).toBe("back");
    expect(gateway.gateway.report().servers[0]).toMatchObject({ crashes: 1, starts: 2 });
  });
});

test("a server that keeps dying is a crash loop: answered at once, while it rests, and tried again later", async () => {
  await using gateway = await startGateway(
    (journal) => ({ mcpServers: { s: legacy(journal), good: odd(journal, ["good"]) } }),
    {
      life: { backoffMs: 300, crashLoopAfter: 3 },
    },
  );
  await using client = await gateway.connect("modern");
  for (let crash = 0; crash < 3; crash++) await client.callTool({ name: "s__die", arguments: {} });
  const [report] = gateway.gateway.report().servers;
  expect(report).toMatchObject({ state: "crash_loop", crashes: 3, lastError: "it exited with code 3" });
  const refused = await client.callTool({ name: "s__echo", arguments: { text: "?" } });
  expect(reportOf(textOf(refused))).toMatchObject({
    code: "crash_loop",
    retryable: true,
    message: expect.stringContaining("failed 3 times in a row"),
  });
  expect(starts(await gateway.journal())).toHaveLength(3 + 1);
  expect((await client.callTool({ name: "good__echo", arguments: {} })).isError).toBeFalsy();
  await until(async () => textOf(await client.callTool({ name: "s__echo", arguments: { text: "back" } })) === "back");
});

describe("of 20 servers 3 hang and 1 crashes", () => {
  const good = Array.from({ length: 16 }, (_, index) => `good${index}`);
  const config = (journal: string) => ({
    mcpServers: {
      ...Object.fromEntries(["h1", "h2", "h3"].map((name) => [name, odd(journal, ["silent"])])),
      bad: odd(journal, ["exit", "1"]),
      ...Object.fromEntries(good.map((name) => [name, odd(journal, [name])])),
    },
  });
  const headers = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/list",
  };
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { _meta } });
  const list = async (url: string) => {
    const began = performance.now();
    const text = await (await fetch(`${url}/mcp`, { method: "POST", headers, body })).text();
    return { text, ms: performance.now() - began };
  };
  const toolsIn = (text: string) =>
    (JSON.parse(text) as { result: { tools: { name: string }[] } }).result.tools.map(({ name }) => name);

  test("every list comes within 2 s, also the first ones; known once, 100 are the same to the byte", async () => {
    await using gateway = await startGateway(config);
    const early = await Promise.all(Array.from({ length: 5 }, () => list(gateway.url)));
    for (const { ms } of early) expect(ms).toBeLessThan(2_000);
    await until(async () => toolsIn((await list(gateway.url)).text).length === good.length, 20_000);
    const texts = new Set<string>();
    let slowest = 0;
    for (let run = 0; run < 100; run++) {
      const { text, ms } = await list(gateway.url);
      texts.add(text);
      slowest = Math.max(slowest, ms);
    }
    expect(texts.size).toBe(1);
    const [text = ""] = texts;
    expect(toolsIn(text)).toEqual(good.map((name) => `${name}__echo`));
    expect(slowest).toBeLessThan(2_000);
    expect(JSON.parse(text).result._meta["database-interface/servers"]).toEqual({
      ...Object.fromEntries(["h1", "h2", "h3", "bad"].map((name) => [name, "unknown"])),
      ...Object.fromEntries(good.map((name) => [name, "fresh"])),
    });
  });

  test("a client that introduces itself finds all good ones, and calls of theirs are not held up", async () => {
    await using gateway = await startGateway(config, { discoveryMs: 8_000 });
    await using client = await gateway.connect("legacy");
    expect((await client.listTools()).tools).toHaveLength(good.length);
    const times: number[] = [];
    const call = async (name: string) => {
      const began = performance.now();
      expect((await client.callTool({ name: `${name}__echo`, arguments: {} })).isError).toBeFalsy();
      times.push(performance.now() - began);
    };
    for (let round = 0; round < 5; round++) for (const name of good) await call(name);
    const hanging = client.callTool({ name: "h1__echo", arguments: {} }).catch(() => {});
    const quiet =
      times
        .splice(0)
        .toSorted((a, b) => a - b)
        .at(-2) ?? 0;
    for (let round = 0; round < 5; round++) for (const name of good) await call(name);
    const beside = times.toSorted((a, b) => a - b).at(-2) ?? 0;
    expect(beside).toBeLessThan(quiet * 5 + 100);
    await hanging;
  });
});

test("clients take turns: one with many calls waiting does not hold up another, nor take all places", async () => {
  await using gateway = await startGateway((journal) => ({
    mcpServers: { s: odd(journal, ["wait", "100"], { maxCalls: 4, maxCallsPerClient: 3 }) },
  }));
  await using greedy = await gateway.connect("legacy");
  await using modest = await gateway.connect("legacy");
  await modest.callTool({ name: "s__echo", arguments: {} });
  let done = 0;
  const many = Array.from({ length: 60 }, () => greedy.callTool({ name: "s__echo", arguments: {} }).then(() => done++));
  await until(() => done > 0);
  expect(gateway.gateway.report().servers[0]?.active).toBeLessThanOrEqual(3);
  await modest.callTool({ name: "s__echo", arguments: {} });
  expect(done).toBeLessThan(20);
  await Promise.all(many);
});

test("two clients of one legacy server: a question of unknown address is put to neither", async () => {
  await using gateway = await startGateway((journal) => ({ mcpServers: { s: legacy(journal) } }));
  await using first = await gateway.connect("legacy", { elicitation: { form: {} } });
  await using second = await gateway.connect("legacy", { elicitation: { form: {} } });
  const asked: string[] = [];
  for (const [name, client] of Object.entries({ first, second })) {
    client.setRequestHandler("elicitation/create", () => {
      asked.push(name);
      return { action: "accept", content: { name } };
    });
  }
  const long = second.callTool({ name: "s__slow", arguments: { ms: 1_500 } });
  await until(async () => (await gateway.journal()).includes("slow begins"));
  const answer = await first.callTool({ name: "s__ask", arguments: { what: "?" } });
  expect(answer.isError).toBe(true);
  expect(asked).toEqual([]);
  await long;
  expect(textOf(await first.callTool({ name: "s__ask", arguments: { what: "?" } }))).toContain('"name":"first"');
});

test("a cap holds: never more in progress, the rest waits, then is told that it is busy", async () => {
  await using folder = await temporaryFolder();
  const gate = join(folder.path, "open");
  await using gateway = await startGateway(
    (journal) => ({ mcpServers: { s: odd(journal, ["gate", gate], { maxCalls: 10 }) } }),
    { life: { maxQueued: 30 } },
  );
  await using client = await gateway.connect("legacy");
  let busy = 0;
  const calls = Array.from({ length: 60 }, async () => {
    const answer = await client.callTool({ name: "s__echo", arguments: {} });
    if (answer.isError) expect(reportOf(textOf(answer))).toMatchObject({ code: "busy", retryable: true });
    if (answer.isError) busy++;
    return answer;
  });
  await until(() => busy === 20);
  expect(gateway.gateway.report().servers[0]).toMatchObject({ active: 10, queued: 30 });
  await writeFile(gate, "");
  const done = (await Promise.all(calls)).filter((answer) => textOf(answer) === "waited");
  expect(done).toHaveLength(40);
  expect(Math.max(...done.map(({ most }) => Number(most)))).toBe(10);
});
