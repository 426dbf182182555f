/** Nothing is lost between any client era and any server era: each cell of the table below is the same behaviour. */
import { describe, expect, test } from "vitest";
import { fixtureServer, startGateway, textOf, until } from "./gateways.js";

const elicitation = { elicitation: { form: {} } };

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

  test("tools, resources, templates, prompts and completions pass", async () => {
    await using gateway = await start();
    await using client = await gateway.connect(clientEra);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain("s__echo");
    expect(textOf(await client.callTool({ name: "s__echo", arguments: { text: "grüße 🎈" } }))).toBe("grüße 🎈");
    expect(gateway.gateway.report().servers[0]?.era).toBe(serverEra);
    expect(client.getInstructions()).toContain(`Instructions of the ${serverEra} fixture.`);

    const scheme = serverEra;
    expect((await client.listResources()).resources.map(({ uri }) => uri)).toEqual([`${scheme}://notes/one`]);
    expect((await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
      `${scheme}://notes/{name}`,
    ]);
    expect((await client.readResource({ uri: `${scheme}://notes/alpha` })).contents[0]).toMatchObject({
      text: "note alpha",
    });
    expect((await client.listPrompts()).prompts.map(({ name }) => name)).toEqual(["s__greet"]);
    expect((await client.getPrompt({ name: "s__greet", arguments: { who: "you" } })).messages[0]).toMatchObject({
      content: { text: "Hello you" },
    });
    const completed = await client.complete({
      ref: { type: "ref/resource", uri: `${scheme}://notes/{name}` },
      argument: { name: "name", value: "b" },
    });
    expect(completed.completion.values).toEqual(["beta"]);
  });

  test("progress arrives, cancellation reaches the server", async () => {
    await using gateway = await start();
    await using client = await gateway.connect(clientEra);
    const steps: unknown[] = [];
    const result = await client.callTool(
      { name: "s__slow", arguments: { ms: 200 } },
      { onprogress: ({ progress, message }) => steps.push([progress, message]) },
    );
    expect(textOf(result)).toBe("done");
    expect(steps.slice(0, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((step) => [step, `step ${step}`]));

    const abort = new AbortController();
    const call = client.callTool({ name: "s__slow", arguments: { ms: 20_000 } }, { signal: abort.signal });
    call.catch(() => {});
    await until(async () => (await gateway.journal()).filter((line) => line === "slow begins").length === 2);
    abort.abort();
    await expect(call).rejects.toThrow();
    await until(async () => (await gateway.journal()).includes("slow cancelled"));
  });

  test.each([
    ["accept", { action: "accept", content: { name: "Ada" } }],
    ["decline", { action: "decline" }],
  ] as const)("a question reaches the person, who may %s", async (_, reply) => {
    await using gateway = await start();
    await using client = await gateway.connect(clientEra, elicitation);
    const asked: string[] = [];
    client.setRequestHandler("elicitation/create", ({ params }) => {
      asked.push(params.message);
      return reply;
    });
    const answer = JSON.parse(textOf(await client.callTool({ name: "s__ask", arguments: { what: "Who are you?" } })));
    expect(answer).toMatchObject(reply);
    expect(asked).toEqual(["Who are you?"]);
  });

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

  test("a change of a server's tools reaches the client", async () => {
    await using gateway = await start();
    await using client = await gateway.connect(clientEra);
    let changes = 0;
    client.setNotificationHandler("notifications/tools/list_changed", () => {
      changes++;
    });
    if (clientEra === "modern") await client.listen({ toolsListChanged: true });
    const names = async () => (await client.listTools()).tools.map(({ name }) => name);
    expect(await names()).not.toContain("s__grown");
    await client.callTool({ name: "s__grow", arguments: {} });
    await until(async () => changes > 0 && (await names()).includes("s__grown"));
    expect(textOf(await client.callTool({ name: "s__grown", arguments: {} }))).toBe("grown");
  });

  test("log messages reach the client that asked for them", async () => {
    await using gateway = await start();
    await using client = await gateway.connect(clientEra);
    const heard: unknown[] = [];
    client.setNotificationHandler("notifications/message", ({ params }) => {
      heard.push(params.data);
    });
    if (clientEra === "legacy") await client.setLoggingLevel("debug");
    const _meta = clientEra === "modern" ? { "io.modelcontextprotocol/logLevel": "debug" } : {};
    await client.callTool({ name: "s__shout", arguments: { text: "hey" }, _meta });
    await until(() => heard.length > 0);
    expect(heard).toEqual(["hey"]);
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
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(gateway.gateway.report().servers[0]).toMatchObject({ state: "running", starts: 1 });
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
