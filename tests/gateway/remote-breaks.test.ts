/** A remote server's connection breaks: no call waits for an answer that cannot come, and what was lost is made good. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type RunningServer, startHttpServer } from "../support/processes.js";
import { fixtureServer, startGateway, type TestGateway, textOf, until } from "./gateways.js";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function startRemote(era: "legacy" | "modern", journal: string): Promise<RunningServer> {
  const [file = ""] = fixtureServer(`${era}-server`).args;
  const server = await startHttpServer(file, [], { LISTEN: "yes", JOURNAL: journal });
  open.push(server);
  return server;
}

async function openGateway(entry: object): Promise<TestGateway> {
  const gateway = await startGateway(() => ({ mcpServers: { far: entry } }));
  open.push(gateway);
  return gateway;
}

describe.each([
  ["modern", "mcp", { type: "http" }],
  ["legacy", "mcp", { type: "http" }],
  ["legacy", "sse", { type: "sse" }],
] as const)("a %s server at /%s", (era, path, entry) => {
  test.each([
    ["before its answer has begun", {}],
    ["in the middle of its answer", { onprogress: () => {} }],
  ])("that dies %s: the outcome is unknown, and the next call is not run", async (_, options) => {
    const server = await startRemote(era, "");
    const gateway = await openGateway({ ...entry, url: `${server.url}/${path}` });
    await using client = await gateway.connect("modern");
    const died = await client.callTool({ name: "far__die", arguments: {} }, options);
    expect(JSON.parse(textOf(died))).toMatchObject({ code: "outcome_unknown", retryable: false });
    let next = { code: "", retryable: false };
    // a kept connection may be found broken only when something has been sent on it
    await until(async () => {
      next = JSON.parse(textOf(await client.callTool({ name: "far__echo", arguments: { text: "?" } })));
      return next.code !== "outcome_unknown";
    });
    expect(next).toMatchObject({ code: "server_unavailable", retryable: true });
    expect(gateway.gateway.report().servers[0]?.lastError).toMatch(
      /could not be reached \(ECONNREFUSED\)|connection failed/,
    );
  });
});

/** Forwards to a server, and can break what is open. */
async function startRelay(target: string): Promise<{ url: string; cut(): void; readonly listens: number }> {
  const streams = new Set<ServerResponse>();
  let listens = 0;
  const relay: Server = createServer(async (incoming: IncomingMessage, outgoing) => {
    const body = Buffer.concat(await incoming.toArray());
    if (body.includes("subscriptions/listen")) listens++;
    streams.add(outgoing);
    outgoing.once("close", () => streams.delete(outgoing));
    const { method = "GET", url = "/", headers } = incoming;
    const { host: _, "content-length": __, connection: ___, ...kept } = headers;
    const answer = await fetch(target + url, {
      method,
      headers: kept as Record<string, string>, // none of these is a list
      ...(method === "POST" ? { body } : {}),
    });
    const { "content-encoding": _e, "content-length": _l, ...rest } = Object.fromEntries(answer.headers);
    outgoing.writeHead(answer.status, rest).flushHeaders();
    if (answer.body === null) return outgoing.end();
    const reader = answer.body.getReader();
    outgoing.once("close", () => void reader.cancel().catch(() => {}));
    for (let part = await reader.read(); !part.done && !outgoing.destroyed; part = await reader.read())
      outgoing.write(part.value);
    outgoing.end();
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  open.push({
    async [Symbol.asyncDispose]() {
      relay.closeAllConnections();
      relay.close();
    },
  });
  return {
    url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`, // listening on TCP
    cut: () => streams.forEach((stream) => void stream.destroy()),
    get listens() {
      return listens;
    },
  };
}

test("a stream of changes that breaks off is opened again, and what was missed is fetched", async () => {
  const server = await startRemote("modern", "");
  const relay = await startRelay(server.url);
  const gateway = await openGateway({ type: "http", url: `${relay.url}/mcp` });
  await using client = await gateway.connect("modern");
  const updated: string[] = [];
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => void updated.push(params.uri));
  await using _listening = await listen(client, "modern://notes/one");
  const names = async () => (await client.listTools()).tools.map(({ name }) => name);
  await client.callTool({ name: "far__echo", arguments: { text: "up" } });
  await until(() => relay.listens === 2); // for its lists, and for the resource
  relay.cut();
  const direct = await startGateway(() => ({ mcpServers: { far: { type: "http", url: `${server.url}/mcp` } } }));
  open.push(direct);
  await using other = await direct.connect("modern");
  const grown = textOf(await other.callTool({ name: "far__grow", arguments: {} })); // unseen: nobody listens right now
  await until(() => relay.listens === 4);
  await until(async () => (await names()).includes(`far__${grown}`));
  await until(() => updated.includes("modern://notes/one"));
  expect(gateway.gateway.report().servers[0]).toMatchObject({ crashes: 0, starts: 1 });
});

async function listen(client: Awaited<ReturnType<TestGateway["connect"]>>, uri: string): Promise<AsyncDisposable> {
  const listening = await client.listen({ resourceSubscriptions: [uri] });
  return { [Symbol.asyncDispose]: async () => void (await listening.close()) };
}

test("a legacy session is ended at the server when the gateway no longer needs it", async () => {
  const gateway = await startGateway(() => ({}));
  open.push(gateway);
  const journal = `${gateway.folder}/journal`;
  const server = await startRemote("legacy", journal);
  gateway.gateway.reload({ mcpServers: { far: { type: "http", url: `${server.url}/mcp`, idleTimeout: "100ms" } } });
  await using client = await gateway.connect("modern");
  await client.callTool({ name: "far__echo", arguments: { text: "up" } });
  await until(async () => (await gateway.journal()).includes("session ended"));
});
