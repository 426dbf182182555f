/**
 * Clients that are slow or send too much, on every listener of ours: they are cut off in time, and the others are served
 * meanwhile.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Route } from "../../mcp-core/src/host/index.js";
import { openRouteServer } from "../../mcp-core/src/host/index.js";
import { openLog, openServer } from "./serving.js";

interface Listener extends AsyncDisposable {
  readonly url: string;
}

const post: Route = {
  method: "POST",
  path: "/post",
  access: "public",
  handle: async (request) => new Response(String((await request.text()).length)),
};
const alive: Route = { method: "GET", path: "/healthz", access: "public", handle: async () => new Response("alive") };

const listeners: Readonly<Record<string, () => Promise<Listener>>> = {
  "a server's": () => openServer({ routes: [post] }),
  "the pages' own": () => openRouteServer({ routes: [post, alive], log: openLog().log }),
};

const head = (...lines: string[]): string => ["POST /post HTTP/1.1", "host: localhost", ...lines].join("\r\n");
const dripMs = 400;

/** What a client sends first, and then again and again. */
const slow: Readonly<Record<string, readonly [first: string, again: string]>> = {
  "says nothing": ["", ""],
  "never ends its headers": [`${head()}\r\n`, "x-more: x\r\n"],
  "stops within its headers": [`${head()}\r\nx-mo`, ""],
  "drips its body": [`${head("content-length: 10000")}\r\n\r\n`, "x"],
  "drips chunks": [`${head("transfer-encoding: chunked")}\r\n\r\n`, "1\r\nx\r\n"],
  "stops within its body": [`${head("content-length: 10000")}\r\n\r\nxxx`, ""],
};

/** Longer than the longest time of ours (30 s for a request, looked at every two), shorter than for ever. */
const cutMs = 60_000;

/** Sends; resolves to what was answered when the server has closed the connection. */
async function converse(url: string, send: (socket: Socket) => () => void): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) }).setEncoding("utf8");
  let answer = "";
  socket.on("data", (chunk: string) => {
    answer += chunk;
  });
  socket.on("error", () => {}); // a reset is a way to be cut off
  const closed = once(socket, "close", { signal: AbortSignal.timeout(cutMs) });
  const stop = send(socket);
  try {
    await closed;
    return answer;
  } finally {
    stop();
    socket.destroy();
  }
}

const sendAgain = (text: string, everyMs: number) => (socket: Socket) => {
  const timer = setInterval(() => text !== "" && socket.writable && socket.write(text), everyMs);
  return () => clearInterval(timer);
};

describe.concurrent.each(Object.entries(listeners))("%s listener", (_name, open) => {
  let listener: Listener;
  beforeAll(async () => {
    listener = await open();
  });
  afterAll(() => listener?.[Symbol.asyncDispose]());

  test("cuts off who is slow, all at once, while others are served", async () => {
    const all = Object.entries(slow).map(async ([name, [first, again]]) => {
      const answer = await converse(listener.url, (socket) => {
        socket.write(first);
        return sendAgain(again, dripMs)(socket);
      });
      expect([name, answer.split("\r\n")[0]]).toEqual([name, expect.stringMatching(/^(HTTP\/1\.1 408 .*|)$/)]);
    });
    for (let round = 0; round < 5; round++) {
      expect((await fetch(`${listener.url}/healthz`)).status).toBe(200);
      const answer = await fetch(`${listener.url}/post`, { method: "POST", body: "four" });
      expect([answer.status, await answer.text()]).toEqual([200, "4"]);
    }
    await Promise.all(all);
  }, 90_000);

  test.each<[string, string, string, RegExp]>([
    ["a header of a megabyte", `${head(`x-large: ${"x".repeat(1_048_576)}`)}\r\n\r\n`, "", /^HTTP\/1\.1 431 /],
    ["a thousand headers", `${head(...Array.from({ length: 3_000 }, (_, n) => `x-${n}: ${n}`))}\r\n\r\n`, "", /^HTTP\/1\.1 431 /],
    ["a path of a megabyte", `POST /${"x".repeat(1_048_576)} HTTP/1.1\r\nhost: localhost\r\n\r\n`, "", /^HTTP\/1\.1 431 /],
    ["a body that says it is of ten gigabytes", `${head("content-length: 1000000000")}\r\n\r\n`, "", /^HTTP\/1\.1 413 /],
    ["a body without an end", `${head("transfer-encoding: chunked")}\r\n\r\n`, `10000\r\n${"x".repeat(65_536)}\r\n`, /^HTTP\/1\.1 413 /],
    ["what is no HTTP", "\u0016\u0003\u0001nonsense\r\n\r\n", "", /^HTTP\/1\.1 400 /],
  ])("refuses %s", async (_what, first, again, expected) => {
    const answer = await converse(listener.url, (socket) => {
      socket.write(first);
      return sendAgain(again, 1)(socket);
    });
    expect(answer.split("\r\n")[0]).toMatch(expected);
    expect((await fetch(`${listener.url}/healthz`)).status).toBe(200);
  }, 90_000); // biome-ignore format: a table
});
