/** The life of a served command as a process: whatever ends it, it ends by itself and leaves nothing. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildChild } from "./build-child.js";

let built: Awaited<ReturnType<typeof buildChild>>;
beforeAll(async () => {
  built = await buildChild();
});
afterAll(() => built?.[Symbol.asyncDispose]());

interface Running {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Waits for a text on either stream. */
  says(text: string | RegExp): Promise<string>;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

function start(...args: string[]): Running {
  const child = spawn(process.execPath, [built.file, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {});
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    async says(text) {
      for (;;) {
        const found = (stdout + stderr).match(text)?.[0];
        if (found !== undefined) return found;
        if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}:\n${stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    ended: once(child, "close").then(([code, signal]) => code ?? signal),
  };
}

const send = (running: Running, message: object) =>
  running.child.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const initialize = {
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } },
};

async function startStdio(): Promise<Running> {
  const running = start();
  send(running, initialize);
  await running.says('"id":1');
  send(running, { method: "notifications/initialized" });
  send(running, { id: 2, method: "tools/call", params: { name: "wait", arguments: {} } });
  send(running, { id: 3, method: "tools/call", params: { name: "witness", arguments: {} } });
  await running.says('started\\\\":1');
  return running;
}

const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };

/** Over HTTP, with a call in progress, a session's stream and an SSE stream open. */
async function startHttp(...args: string[]): Promise<Running & { url: string; cut: Promise<unknown> }> {
  const running = start("--transport", "http", ...args);
  const url = new URL((await running.says(/http:\/\/[^"]+/)) ?? "").origin;
  const opened = await fetch(`${url}/mcp`, {
    method: "POST",
    headers: json,
    body: JSON.stringify({ jsonrpc: "2.0", ...initialize }),
  });
  const headers = { ...json, "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" };
  await opened.text();
  const stream = await fetch(`${url}/mcp`, { headers });
  const sse = await fetch(`${url}/sse`);
  const call = { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "wait", arguments: {} } };
  const waiting = await fetch(`${url}/mcp`, { method: "POST", headers, body: JSON.stringify(call) });
  expect([stream.status, sse.status, waiting.status]).toEqual([200, 200, 200]);
  const cut = Promise.allSettled([stream.text(), sse.text(), waiting.text()]);
  return { ...running, url, cut };
}

describe("over stdio, with a call in progress", () => {
  test.each<[string, (running: Running) => unknown]>([
    ["the end of stdin", ({ child }) => child.stdin?.end()],
    [
      "a reader that has gone",
      (running) => {
        running.child.stdout?.destroy();
        send(running, { id: 9, method: "ping" });
      },
    ],
    ["SIGTERM", ({ child }) => child.kill("SIGTERM")],
    ["SIGINT", ({ child }) => child.kill("SIGINT")],
  ])("%s ends it", async (_name, end) => {
    const running = await startStdio();
    end(running);
    expect(await running.ended).toBe(0);
    expect(running.stderr()).toContain("ended by itself");
  });

  test("stdout carries messages only", async () => {
    const running = await startStdio();
    running.child.stdin?.write("this is no JSON\n\n");
    send(running, { id: 4, method: "nonsense" });
    await running.says('"id":4');
    running.child.stdin?.end();
    expect(await running.ended).toBe(0);
    for (const line of running.stdout().trim().split("\n")) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
    for (const line of running
      .stderr()
      .trim()
      .split("\n")
      .filter((one) => one.startsWith("{")))
      JSON.parse(line);
    expect(running.stderr()).toMatch(/"event":"printed","text":"printed by a library: Error: no postgres/);
    expect(running.stderr()).toMatch(/"event":"printed".*while it serves/);
    expect(running.stdout() + running.stderr()).not.toContain("canary");
  });
});

describe("over HTTP, with a call in progress and streams open", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("%s ends it", async (signal) => {
    const running = await startHttp();
    running.child.kill(signal);
    expect(await running.ended).toBe(0);
    await running.cut;
    expect(running.stderr()).toContain("ended by itself");
    await expect(fetch(`${running.url}/healthz`)).rejects.toThrow();
  });

  test("a second signal ends it at once", async () => {
    const running = await startHttp("--drain", "600000");
    running.child.kill("SIGTERM");
    const again = setInterval(() => running.child.kill("SIGTERM"), 1_000);
    expect(await running.ended).toBe(143);
    clearInterval(again);
    await running.cut;
  });

  test("the same signal passed on by a parent is no second one", async () => {
    const running = await startHttp();
    running.child.kill("SIGINT");
    running.child.kill("SIGTERM");
    expect(await running.ended).toBe(0);
    await running.cut;
    expect(running.stderr()).toContain("ended by itself");
  });
});

test("a busy port is one readable line and exit code 1", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo; // a listening TCP server has one
  const running = start("--transport", "http", "--port", String(port));
  expect(await running.ended).toBe(1);
  other.close();
  const lines = running
    .stderr()
    .trim()
    .split("\n")
    .filter((line) => line !== "ended by itself");
  expect(lines).toEqual([
    expect.stringMatching(`^child: \\[port_in_use\\] Port ${port} on 127.0.0.1 is already in use\\. .*--port`),
  ]);
});
