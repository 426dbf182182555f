/** Remote servers behind the gateway: Streamable HTTP of both eras and legacy SSE, with the config's headers. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { startGateway, textOf, until } from "./gateways.js";

let database: TestDatabase;
let server: RunningServer;
const token = "c4nary-token";

beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run("CREATE TABLE far (id int)");
  server = await startHttpServer(executable("mcp-postgres"), [database.url, "--transport", "http", "--port", "0"], {
    MCP_TOKEN: token,
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const headers = { Authorization: `Bearer ${token}` };

describe.each([
  ["modern", "/mcp", { type: "http" }],
  ["legacy", "/mcp", { type: "http", era: "legacy" }],
  ["legacy", "/sse", { type: "sse" }],
] as const)("%s server at %s", (era, path, entry) => {
  test.each(["legacy", "modern"] as const)(
    "%s client: list, call, resource, progress and cancel",
    async (clientEra) => {
      await using gateway = await startGateway(() => ({
        mcpServers: { far: { ...entry, url: server.url + path, headers } },
      }));
      await using client = await gateway.connect(clientEra);
      expect((await client.listTools()).tools.map(({ name }) => name)).toContain("far__query");
      expect(gateway.gateway.report().servers[0]?.era).toBe(era);
      const answer = await client.callTool({ name: "far__query", arguments: { sql: "SELECT current_database()" } });
      expect(JSON.parse(textOf(answer)).rows).toEqual([[database.name]]);
      expect((await client.readResource({ uri: `schema://${database.name}/public/far` })).contents[0]).toMatchObject({
        text: expect.stringContaining("id"),
      });

      const marker = `remote_${era}_${path.slice(1)}_${clientEra}`;
      const running = async () =>
        Number(
          (
            await database.run(
              `SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%${marker}%'`,
            )
          )[0]?.n,
        );
      const abort = new AbortController();
      let ticks = 0;
      const call = client.callTool(
        {
          name: "far__query",
          arguments: {
            sql: `SELECT count(*) AS ${marker} FROM generate_series(1, 30000) a, generate_series(1, 300000) b`,
          },
        },
        { signal: abort.signal, onprogress: () => ticks++ },
      );
      call.catch(() => {});
      await until(async () => ticks > 0 && (await running()) === 1);
      abort.abort();
      await expect(call).rejects.toThrow();
      await until(async () => (await running()) === 0, 2_000);
      expect(gateway.log()).not.toContain(token);
    },
  );
});

test("a wrong token is said, without the token", async () => {
  const config = { url: `${server.url}/mcp`, headers: { Authorization: "Bearer wr0ng" } };
  await using gateway = await startGateway(() => ({ mcpServers: { far: config } }));
  await gateway.gateway.ready({ signal: AbortSignal.timeout(10_000) });
  expect(gateway.gateway.report().servers[0]?.lastError).toContain("HTTP status 401");
  expect(gateway.log()).not.toContain("wr0ng");
});

test("what a client sends never becomes a header of the request to a server", async () => {
  const seen: IncomingHttpHeaders[] = [];
  const spy = createServer((request, response) => {
    seen.push(request.headers);
    response.writeHead(503).end();
  });
  await new Promise<void>((resolve) => spy.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(spy.address() as AddressInfo).port}/mcp`; // listening on TCP
  try {
    await using gateway = await startGateway(() => ({ mcpServers: { far: { url, headers: { "X-Own": "yes" } } } }));
    await fetch(`${gateway.url}/mcp`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        authorization: "Bearer client",
        cookie: "a=b",
        "x-evil": "1",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
      }),
    });
    await until(() => seen.length > 0);
    for (const one of seen) expect(one).toMatchObject({ "x-own": "yes" });
    expect(JSON.stringify(seen)).not.toMatch(/client"|a=b|x-evil/);
  } finally {
    spy.close();
  }
});
