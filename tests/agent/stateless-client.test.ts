/** One-off commands ask a running gateway without a session; whatever does not speak that is asked the other way. */

import { writeFileSync } from "node:fs";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStateless } from "../../agent/src/gateway/stateless-client.js";
import type { Progress, ToolClient } from "../../agent/src/gateway/tool-client.js";
import { openOneOff } from "../../agent/src/one-off.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { eventually, runsStatement, slowStatement, temporaryFolder } from "./support.js";

let database: TestDatabase;
let gateway: RunningServer;
const folder = temporaryFolder();
const token = "a-token-of-at-least-thirty-two-characters";

beforeAll(async () => {
  database = await createPostgresDatabase();
  const config = join(folder.path, "gateway.json");
  writeFileSync(config, JSON.stringify({ databases: { db: database.url } }));
  gateway = await startHttpServer(executable("mcp-gateway"), ["--config", config, "--port", "0"], { MCP_TOKEN: token });
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const closing = new AbortController().signal;
const listeners = { closing, onClosed() {}, onToolsChanged() {}, allows: () => false };
const open = (url: string, given = token): Promise<ToolClient> =>
  openStateless({ url, token: given }, "1.2.3", listeners);

const isRunning = (mark: string): Promise<boolean> => runsStatement(database, mark);

describe("a gateway of ours", () => {
  test("lists its tools, answers calls, and tells a tool's error as a result", async () => {
    await using client = await open(gateway.url);
    const { tools } = await client.listTools(undefined);
    expect(tools.map(({ name }) => name)).toContain("query");
    expect(await client.listTools(undefined)).toMatchObject({ tools });
    const answer = await client.callTool("query", { sql: "SELECT 41 + 1 AS n" }, {});
    expect(answer).toMatchObject({ content: [{ type: "text", text: expect.stringContaining("42") }] });
    const wrong = await client.callTool("query", { sql: "SELECT nothing" }, {});
    expect(wrong).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("nothing") }] });
  });

  test("tells how far a long call is, and stops its statement when it is cancelled", async () => {
    await using databases = openOneOff({ url: gateway.url, token });
    const mark = `stateless_${process.pid}`;
    const cancel = new AbortController();
    const progress: Progress[] = [];
    const outcome = databases
      .query(slowStatement(mark), { signal: cancel.signal, onProgress: (one) => progress.push(one) })
      .catch((error: unknown) => error);
    await eventually(() => isRunning(mark), "the statement to run");
    await eventually(() => progress.length > 0, "progress");
    cancel.abort();
    expect(await outcome).toMatchObject({ code: "cancelled" });
    await eventually(async () => !(await isRunning(mark)), "the statement to stop");
  });

  test("refuses a wrong token, and an unknown tool by its name", async () => {
    await expect(open(gateway.url, "wrong")).rejects.toMatchObject({ code: "unauthorized" });
    await using databases = openOneOff({ url: gateway.url, token });
    await expect(databases.query("SELECT 1", { source: "bd" })).resolves.toMatchObject({ rows: [[1]] });
    await using client = await open(gateway.url);
    await expect(client.callTool("qurey", {}, {})).rejects.toMatchObject({ code: -32602 });
  });
});

test("a server of the era with sessions is asked in its own way", async () => {
  const file = fileURLToPath(new URL("../gateway/fixtures/legacy-server.mjs", import.meta.url));
  await using server = await startHttpServer(file, [], { LISTEN: "http" });
  await using client = await open(server.url);
  expect(await client.callTool("echo", { text: "once more" }, {})).toMatchObject({ content: [{ text: "once more" }] });
});

/** A gateway's worst days: a line of its own making for each request. */
async function serve(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

const query = { name: "query", inputSchema: { type: "object", properties: { sql: { type: "string" } } } };

/** Lists one tool, and leaves the answer to a call to the row. */
const listing =
  (call: (response: ServerResponse, id: number) => void): RequestListener =>
  (request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const { id, method } = JSON.parse(body);
      if (method === "tools/call") return call(response, id);
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id, result: { resultType: "complete", tools: [query] } }));
    });
  };

const events = (...messages: object[]): string =>
  messages.map((message) => `event: message\ndata: ${JSON.stringify(message)}\n\n`).join("");

describe("a gateway with troubles", () => {
  test.each<[string, (response: ServerResponse, id: number) => void, string, RegExp]>([
    ["hangs up", (response) => response.socket?.destroy(), "connection_lost", /unknown/],
    [
      "hangs up in the middle of JSON",
      (response) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": 100 });
        response.write('{"jsonrpc"', () => response.socket?.destroy());
      },
      "connection_lost",
      /unknown/,
    ],
    [
      "ends a stream without an answer",
      (response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.end(": nothing\n\n");
      },
      "connection_lost",
      /unknown/,
    ],
    [
      "is too busy",
      (response) => {
        response.writeHead(503, { "content-type": "text/plain" });
        response.end("later");
      },
      "gateway_unreachable",
      /503: later/,
    ],
    [
      "is a page for people",
      (response) => {
        response.writeHead(200, { "content-type": "text/html" });
        response.end("<html>");
      },
      "gateway_unreachable",
      /none of MCP/,
    ],
    [
      "answers with a result of another kind",
      (response, id) => {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ jsonrpc: "2.0", id, result: { content: "text" } }));
      },
      "gateway_unreachable",
      /none of MCP/,
    ],
    [
      "takes the token back",
      (response) => {
        response.writeHead(401, { "content-type": "application/json" });
        response.end("{}");
      },
      "unauthorized",
      /token/,
    ],
    [
      "finds the arguments wrong",
      (response, id) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.end(events({ jsonrpc: "2.0", id, error: { code: -32602, message: "sql is missing" } }));
      },
      "parameter_invalid",
      /sql is missing/,
    ],
  ])("that %s", async (_, call, code, said) => {
    await using server = await serve(listing(call));
    await using databases = openOneOff({ url: server.url });
    const error = await databases.query("SELECT 1").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(JSON.stringify((error as { report: object }).report)).toMatch(said);
  });

  test("whose answer comes in pieces, after notes of its own", async () => {
    const result = { content: [{ type: "text", text: '{"columns":[{"name":"é"}],"rows":[["é"]]}' }] };
    await using server = await serve(
      listing((response, id) => {
        response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
        const bytes = Buffer.from(
          `: hello\n\n${events({ jsonrpc: "2.0", method: "notifications/message", params: {} }, { jsonrpc: "2.0", id, result })}`,
        );
        let at = 0;
        const next = (): void => {
          if (at >= bytes.length) return void response.end();
          response.write(bytes.subarray(at, at + 7), () => setImmediate(next));
          at += 7;
        };
        next();
      }),
    );
    await using client = await open(server.url);
    expect(await client.callTool("query", {}, {})).toEqual(result);
  });
});
