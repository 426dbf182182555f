/** What the table of eras cannot show: clients that cannot do something, servers that start again, words outside any call. */
import { describe, expect, test } from "vitest";
import { fixtureServer, startGateway, textOf, until } from "./gateways.js";

describe.each([
  ["legacy", "legacy"],
  ["legacy", "modern"],
  ["modern", "legacy"],
  ["modern", "modern"],
] as const)("%s client, %s server", (clientEra, serverEra) => {
  const start = () =>
    startGateway((journal) => ({
      mcpServers: { s: fixtureServer(`${serverEra}-server`, { env: { JOURNAL: journal } }) },
    }));

  test("a client that cannot be asked is told so, and the server lives on", async () => {
    await using gateway = await start();
    await using client = await gateway.connect(clientEra);
    const outcome = await client.callTool({ name: "s__ask", arguments: { what: "?" } }).then(
      ({ isError }) => (isError ? "error" : "ok"),
      () => "error",
    );
    expect(outcome).toBe("error");
    expect(textOf(await client.callTool({ name: "s__echo", arguments: { text: "still here" } }))).toBe("still here");
  });

  test("an update of a subscribed resource reaches the client, also after a restart, and holds the server awake", async () => {
    await using gateway = await startGateway((journal) => ({
      mcpServers: { s: fixtureServer(`${serverEra}-server`, { env: { JOURNAL: journal }, idleTimeout: "100ms" }) },
    }));
    await using client = await gateway.connect(clientEra);
    const updated: string[] = [];
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
      updated.push(params.uri);
    });
    const uri = `${serverEra}://notes/one`;
    const listening = clientEra === "modern" ? await client.listen({ resourceSubscriptions: [uri] }) : undefined;
    if (listening === undefined) await client.subscribeResource({ uri });
    else await until(() => gateway.gateway.report().servers[0]?.state === "running");
    const { starts } = gateway.gateway.report().servers[0] ?? {};
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(gateway.gateway.report().servers[0]).toMatchObject({ state: "running", starts });
    await client.callTool({ name: "s__touch", arguments: {} });
    await until(() => updated.length === 1);
    await client.callTool({ name: "s__die", arguments: {} });
    await client.callTool({ name: "s__touch", arguments: {} });
    await until(() => updated.length === 2);
    expect(updated).toEqual([uri, uri]);
    if (listening === undefined) await client.unsubscribeResource({ uri });
    else await listening.close();
    await until(() => gateway.gateway.report().servers[0]?.state === "asleep");
  });
});

describe("a legacy server that speaks outside any call", () => {
  const start = () => startGateway(() => ({ mcpServers: { s: fixtureServer("legacy-server") } }));
  type TestClient = Awaited<ReturnType<Awaited<ReturnType<typeof startGateway>>["connect"]>>;
  const listenTo = async (client: TestClient): Promise<unknown[]> => {
    const heard: unknown[] = [];
    client.setNotificationHandler("notifications/message", ({ params }) => void heard.push(params.data));
    await client.setLoggingLevel("debug");
    return heard;
  };

  test("is heard by the one client it has worked for", async () => {
    await using gateway = await start();
    await using client = await gateway.connect("legacy");
    const heard = await listenTo(client);
    expect(textOf(await client.callTool({ name: "s__shout_later", arguments: { text: "hey" } }))).toBe("later");
    expect(heard).toEqual([]);
    await until(() => heard.includes("hey"));
  });

  test("is heard by nobody once it has worked for several: whose it is cannot be known", async () => {
    await using gateway = await start();
    await using first = await gateway.connect("legacy");
    await using second = await gateway.connect("legacy");
    const heard = [await listenTo(first), await listenTo(second)];
    await first.callTool({ name: "s__shout_later", arguments: { text: "mine" } });
    await second.callTool({ name: "s__shout", arguments: { text: "yours" } });
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(heard).toEqual([[], ["yours"]]);
  });
});
