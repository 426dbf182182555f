/** Spans with the real SDK: one trace through client, gateway, server and database, errors on it, and nothing in it that a caller wrote. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { textOf } from "../gateway/gateways.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { startTraced, type WrittenSpan } from "./spans.js";

const server = 1;
const client = 2;
const failed = 2;

/** A client's own trace context. */
function newTrace() {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
}

const of = (spans: readonly WrittenSpan[], traceId: string) => spans.filter((span) => span.traceId === traceId);

describe.each([
  ["mcp-postgres", createPostgresDatabase, "postgresql", "$1"],
  ["mcp-mysql", createMysqlDatabase, "mysql", "?"],
] as const)("through the gateway to %s", (command, create, system, mark) => {
  let own: TestDatabase;
  beforeAll(async () => {
    own = await create();
    await own.run("CREATE TABLE things (id int, name varchar(40))");
    await own.run("INSERT INTO things VALUES (1, 'a'), (2, 'b')");
  });
  afterAll(() => own[Symbol.asyncDispose]());

  test.each(["legacy", "modern"] as const)("one trace, each span under the one that asked, %s", async (era) => {
    await using gateway = await startTraced("mcp-gateway", [], { databases: { shop: own.url } });
    await using asking = await gateway.connect(era);
    const trace = newTrace();
    await asking.callTool({
      name: "query",
      arguments: { sql: `SELECT name FROM things WHERE name <> ${mark} AND id < 4711`, params: ["hunter2"] },
      _meta: { traceparent: trace.traceparent },
    });
    await expect.poll(async () => of(await gateway.spans(1), trace.traceId).length, { timeout: 15_000 }).toBe(4);
    const spans = of(await gateway.spans(4), trace.traceId);
    const [front, onward, behind, statement] = ["outermost", "outermost", command, command].map((service, index) =>
      spans.find((span) => span.service === service && span.kind === [server, client, server, client][index]),
    );
    expect([front?.parent, onward?.parent, behind?.parent, statement?.parent]).toEqual([
      trace.spanId,
      front?.spanId,
      onward?.spanId,
      behind?.spanId,
    ]);
    for (const span of [front, onward, behind]) {
      expect(span?.name).toBe("tools/call query");
      expect(span?.attributes).toMatchObject({ "mcp.method.name": "tools/call", "gen_ai.tool.name": "query" });
    }
    expect(front?.attributes["network.transport"]).toBe("tcp");
    expect(front?.attributes["mcp.session.id"] === undefined).toBe(era === "modern");
    expect(statement?.name).toBe("SELECT things");
    expect(statement?.attributes).toMatchObject({
      "db.system.name": system,
      "db.operation.name": "SELECT",
      "db.collection.name": "things",
      "db.namespace": own.name,
      "server.address": new URL(own.url).hostname,
      "db.response.returned_rows": 2,
    });
    expect(spans.every(({ status }) => status.code === 0)).toBe(true);
    expect(await gateway.text()).not.toMatch(/hunter2|4711|traceparent/);
  });

  test("what fails is on every span, by its code, and says nothing of what was asked", async () => {
    await using gateway = await startTraced("mcp-gateway", [], { databases: { shop: own.url } });
    await using asking = await gateway.connect("modern");
    const trace = newTrace();
    const { isError } = await asking.callTool({
      name: "query",
      arguments: { sql: "SELECT 'hunter2' FROM no_such_thing" },
      _meta: { traceparent: trace.traceparent },
    });
    expect(isError).toBe(true);
    await expect
      .poll(async () => of(await gateway.spans(1), trace.traceId).filter(({ name }) => name.startsWith("SELECT")), {
        timeout: 15_000,
      })
      .toHaveLength(1);
    const spans = of(await gateway.spans(1), trace.traceId).filter(({ kind, name }) => kind && !/^\w+_\w+ /.test(name));
    expect(spans.map(({ attributes }) => attributes["error.type"]).sort()).toEqual([
      "table_not_found",
      "tool_error",
      "tool_error",
      "tool_error",
    ]);
    expect(spans.every(({ status }) => status.code === failed && status.message === undefined)).toBe(true);
    expect(await gateway.text()).not.toMatch(/hunter2|no_such_thing/);
  });
});

test("a name that is no tool's stays out of span names and attributes", async () => {
  await using gateway = await startTraced("mcp-gateway", [], { mcpServers: {} });
  await using asking = await gateway.connect("modern");
  await asking.callTool({ name: "hunter2", arguments: {} }).catch(() => {});
  await expect.poll(async () => (await gateway.text()).includes('"tools/call"')).toBe(true);
  expect(await gateway.text()).not.toContain("hunter2");
});

test("a database server alone takes the context of HTTP headers where the request has none", async () => {
  await using own = await createPostgresDatabase();
  await using program = await startTraced("mcp-postgres", [own.url, "--transport", "http"]);
  const trace = newTrace();
  const answer = await fetch(`${program.url}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "query",
      traceparent: trace.traceparent,
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name: "query",
        arguments: { sql: "SELECT 1" },
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    }),
  });
  expect(answer.status).toBe(200);
  await answer.text();
  await expect.poll(async () => of(await program.spans(1), trace.traceId).length).toBe(2);
  const [call] = of(await program.spans(2), trace.traceId).filter(({ kind }) => kind === server);
  expect([call?.parent, call?.attributes["gen_ai.tool.name"]]).toEqual([trace.spanId, "query"]);
});

test("without a set-up nothing is loaded, and the client's context still reaches the server", async () => {
  expect(Reflect.get(globalThis, Symbol.for("opentelemetry.js.api.1"))).toBeUndefined();
  const { createTracing } = await import("../../mcp-core/src/host/tracing.js");
  const tracing = createTracing({ name: "test", version: "1" });
  expect([
    tracing.isOn,
    await tracing.run({ name: "x", kind: "server", attributes: {} }, async (span) => span),
  ]).toEqual([false, undefined]);
  const { fixtureServer, startGateway } = await import("../gateway/gateways.js");
  await using gateway = await startGateway(() => ({ mcpServers: { odd: fixtureServer("odd-server") } }));
  await using asking = await gateway.connect("modern");
  const { traceparent } = newTrace();
  const told = JSON.parse(
    textOf(await asking.callTool({ name: "odd__echo", arguments: {}, _meta: { traceparent, tracestate: "a=b" } })),
  );
  expect(told._meta).toMatchObject({ traceparent, tracestate: "a=b" });
});
