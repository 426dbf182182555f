/** `mcp-gateway audit`: verify names the first broken line and says so by its exit code; tail filters and follows. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { runCommand } from "../../mcp-gateway/src/command.js";
import { fixtureServer, temporaryFolder, until } from "../gateway/gateways.js";
import { executable } from "../support/processes.js";
import { changeLines, filesIn, openFolder, openTrail, recordsIn, writeTrail } from "./folders.js";

/** The command in this process; `stop` is a person's Ctrl-C. */
function start(...argv: string[]) {
  const controller = new AbortController();
  let text = "";
  const stdout = new PassThrough();
  stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const code = runCommand({
    argv: ["audit", ...argv],
    stdout,
    stderr: new PassThrough(),
    environment: {},
    signal: controller.signal,
  });
  return { code, text: () => text, stop: () => controller.abort() };
}

async function run(...argv: string[]) {
  const command = start(...argv);
  const code = await command.code;
  await new Promise(setImmediate);
  return { code, text: command.text() };
}

// line 1 is the header, line n + 1 the call n, line 12 the end
const damages: readonly [string, (lines: string[]) => string[], string, number][] = [
  ["edited", (l) => l.with(5, (l[5] ?? "").replace('"call":5', '"call":50')), "edited", 6],
  ["deleted", (l) => l.toSpliced(5, 1), "deleted", 6],
  ["moved", (l) => [...l.slice(0, 4), l[5] ?? "", l[4] ?? "", ...l.slice(6)], "reordered", 5],
  ["cut off", (l) => l.slice(0, -1), "truncated", 12],
];

test.each(damages)("one line %s: verify names it and exits with 1", async (_, change, kind, line) => {
  await using folder = await openFolder();
  await writeTrail(folder.path, 10);
  expect(await run("verify", folder.path)).toMatchObject({ code: 0, text: expect.stringMatching(/^whole: /) });
  const [name = ""] = await filesIn(folder.path);
  await changeLines(join(folder.path, name), change);
  const told = await run("verify", folder.path);
  expect([told.code, told.text.split("\n")[0]]).toEqual([
    1,
    expect.stringMatching(`^BROKEN: test-server\\.001: ${name}:${line}: ${kind}\\.`),
  ]);
  const [report] = JSON.parse((await run("verify", folder.path, "--output", "json")).text);
  expect(report.breach).toMatchObject({ kind, file: name, line });
});

const callers = [
  { event: "call", principal: "ada", source: "shop", outcome: "ok" },
  { event: "call", principal: "bob", source: "shop", outcome: "read_only" },
  { event: "call", principal: "ada", source: "hr", outcome: "read_only" },
  { event: "session", principal: "ada", action: "opened" },
];

test("tail shows the newest records that are asked for, in order of time", async () => {
  await using folder = await openFolder();
  {
    await using trail = await openTrail(folder.path, { maxFileBytes: 1_500 });
    for (let round = 0; round < 5; round++) for (const one of callers) await trail.append(one);
  }
  expect((await filesIn(folder.path)).length).toBeGreaterThan(2);
  const shown = async (...argv: string[]) =>
    (await run("tail", folder.path, ...argv)).text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  expect((await shown("-n", "1")).map(({ event }) => event)).toEqual(["close"]);
  expect(await shown("--principal", "ada", "--outcome", "read_only")).toHaveLength(5);
  expect(await shown("--source", "shop", "-n", "3")).toMatchObject([
    { principal: "bob" },
    { principal: "ada" },
    { principal: "bob" },
  ]);
  expect(await shown("--event", "session", "-n", "100")).toHaveLength(5);
  expect(await shown("--tool", "nothing")).toEqual([]);
  const sequences = (await shown("-n", "100")).map(({ sequence }) => sequence);
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
});

test("tail -f goes on through new files and new chains until it is stopped", async () => {
  await using folder = await openFolder();
  await using trail = await openTrail(folder.path, { maxFileBytes: 2_000 });
  await trail.append({ ...callers[0], n: 0 });
  const following = start("tail", folder.path, "-f", "-n", "1", "--principal", "ada");
  const seen = () =>
    following
      .text()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line).n);
  await until(() => seen().length === 1);
  for (let n = 1; n <= 20; n++) await trail.append({ ...(n % 2 === 0 ? callers[1] : callers[0]), n });
  await until(() => seen().length === 11);
  expect(seen()).toEqual([0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
  await using other = await openTrail(folder.path);
  await other.append({ ...callers[0], n: 21 });
  await until(() => seen().includes(21));
  following.stop();
  expect(await following.code).toBe(0);
});

test("a disk that is full: with --audit-required the gateway refuses calls and is not ready; the trail stays whole", async () => {
  await using folder = await temporaryFolder();
  const audit = join(folder.path, "audit");
  const config = join(folder.path, "gateway.json");
  await writeFile(config, JSON.stringify({ mcpServers: { s: fixtureServer("modern-server") } }));
  // files as large as the process may make them stand for a full disk; the limit is the gateway's own
  const flags = [
    "--config",
    config,
    "--port",
    "0",
    "--audit",
    audit,
    "--audit-required",
    "--cache-dir",
    join(folder.path, "cache"),
  ];
  const child = spawn(
    "bash",
    ["-c", 'ulimit -f 24; exec "$@"', "bash", process.execPath, executable("mcp-gateway"), ...flags],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  try {
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
    });
    await until(() => log.includes('"listening"'), 30_000);
    const url = new URL(/"url":"([^"]+)"/.exec(log)?.[1] ?? "").origin;
    const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
    const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
    const outcomes: string[] = [];
    while (outcomes.length < 200 && outcomes.at(-1) !== "refused") {
      const answer = await client.callTool({ name: "s__echo", arguments: { text: "hello" } });
      const isRefused = JSON.stringify(answer.content).includes("audit_unavailable");
      outcomes.push(isRefused ? "refused" : "ok");
    }
    expect(outcomes.length).toBeGreaterThan(10);
    expect(outcomes.at(-1)).toBe("refused");
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    await client.close();
    expect(log).toMatch(/"event":"audit_unavailable","reason":"E(FBIG|NOSPC)"/);
  } finally {
    const exited = child.exitCode === null ? once(child, "exit") : undefined;
    child.kill("SIGTERM");
    await exited;
  }
  expect((await recordsIn(audit)).filter(({ event }) => event === "call").length).toBeGreaterThan(10);
  expect((await run("verify", audit)).code).toBe(0);
});
