/** What an administrator does with a running gateway: sees and closes everybody's sessions, drains it, alike by command and REST. */
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCommand } from "../../mcp-gateway/src/command.js";
import { toSpan } from "../../mcp-gateway/src/remote-commands.js";
import { createPostgresUser, type DatabaseUser, person, testTemplates } from "../sessions/people.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { fixtureServer, startGateway, type TestGateway, textOf, until } from "./gateways.js";

/** Runs the command in this process. */
async function run(argv: readonly string[], environment: Record<string, string> = {}) {
  const texts = { stdout: "", stderr: "" };
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  for (const name of ["stdout", "stderr"] as const)
    streams[name].setEncoding("utf8").on("data", (chunk: string) => {
      texts[name] += chunk;
    });
  const code = await runCommand({ argv, environment, ...streams });
  await new Promise(setImmediate);
  return { code, ...texts };
}

describe("sessions", () => {
  let database: TestDatabase;
  let user: DatabaseUser;
  let gateway: TestGateway;
  beforeAll(async () => {
    database = await createPostgresDatabase();
    user = await createPostgresUser();
    gateway = await startGateway(() => ({ templates: testTemplates() }), { sessions: { sessionTimeout: 3_600_000 } });
  });
  afterAll(async () => {
    for (const one of [gateway, user, database]) await one?.[Symbol.asyncDispose]();
  });

  test("everybody's are listed with owner, places, age and time left; one is closed by its id", async () => {
    const [ada, bob] = [person(gateway.gateway, "ada"), person(gateway.gateway, "bob")];
    const hers = await ada.openSession();
    await bob.rest("POST", "/v1/sessions", { label: "red \u001b[31m" });
    const { setPassword: _, ...credentials } = user;
    const connection = { template: "pg", name: "mine", database: database.name, ...credentials };
    expect((await ada.rest("POST", `/v1/sessions/${hers}/connections`, connection)).status).toBe(201);

    const shown = await run(["sessions", "--url", gateway.url]);
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    const [heading, first, second] = shown.stdout.split("\n");
    expect(heading).toMatch(/^SESSION +PRINCIPAL +CONNECTIONS +AGE +TTL +LABEL$/);
    const place = `mine=${user.user}@127.0.0.1:\\d+/${database.name}`;
    expect(first).toMatch(new RegExp(`^s-[0-9a-f]{10} +ada +${place} +\\d+s +(59m( \\d+s)?|1h)$`));
    expect(second).toMatch(/^s-[0-9a-f]{10} +bob +\d+s +(59m( \d+s)?|1h) +red �\[31m$/);
    expect(shown.stdout).not.toContain(hers);

    const listed = JSON.parse((await run(["sessions", "-o", "json", "--url", gateway.url])).stdout);
    expect(listed).toMatchObject({
      unreadable: 0,
      sessions: [{ principal: "ada", connections: [{ name: "mine" }] }, {}],
    });
    expect(JSON.stringify(listed)).not.toContain(user.password);
    const { id } = listed.sessions[0];
    expect(await run(["sessions", "close", id, "--url", gateway.url])).toMatchObject({
      code: 0,
      stdout: `Closed ${id}.\n`,
    });
    expect(await ada.tool("list_connections", { session: hers })).toMatchObject({ code: "session_not_found" });
    await until(() => gateway.gateway.report().servers.every((one) => !one.id.startsWith("session:")));
    expect(await run(["sessions", "close", id, "--url", gateway.url])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("[session_not_found]"),
    });
    expect(await run(["sessions", "close", "../drain", "--url", gateway.url])).toMatchObject({ code: 1 });
    expect(await run(["sessions", "close"])).toMatchObject({ code: 2 });
  });

  test("spans of time are told by their two largest units", () => {
    expect([0, 59, 61, 3_600, 3_661, 90_061].map(toSpan)).toEqual(["0s", "59s", "1m 1s", "1h", "1h 1m", "1d 1h"]);
  });
});

test("only administrators may", async () => {
  const tokens = [
    { principal: "ada", token: "a-token-of-ada", roles: ["use", "write"] },
    { principal: "root", token: "a-token-of-root", roles: ["admin"] },
  ];
  const authenticate = async (token: string) => {
    const found = tokens.find((one) => one.token === token);
    return found && { principal: { id: found.principal, roles: new Set(found.roles as "use"[]) } };
  };
  await using gateway = await startGateway(() => ({}), {}, { authenticators: [{ authenticate, challenge: {} }] });
  for (const argv of [
    ["sessions"],
    ["drain"],
    ["drain", "--undo"],
    ["sessions", "close", "s-0123456789"],
    ["status"],
  ]) {
    const refused = await run([...argv, "--url", gateway.url], { MCP_TOKEN: "a-token-of-ada" });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("[role_required]")]);
    const unknown = await run([...argv, "--url", gateway.url], { MCP_TOKEN: "another-token" });
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("[unauthorized]")]);
  }
  expect(await run(["sessions", "--url", gateway.url], { MCP_TOKEN: "a-token-of-root" })).toMatchObject({ code: 0 });
});

describe("drain", () => {
  test("what runs ends, nothing new begins, readiness says so, and it can be taken back", async () => {
    await using gateway = await startGateway((journal) => ({
      mcpServers: { s: fixtureServer("modern-server", { env: { JOURNAL: journal } }) },
      templates: testTemplates(),
    }));
    await using client = await gateway.connect("modern");
    const ada = person(gateway.gateway, "ada");
    const slow = client.callTool({ name: "s__slow", arguments: { ms: 10_000 } });
    await until(async () => (await gateway.journal()).includes("slow begins"));

    const impatient = await run(["drain", "--wait", "0s", "--url", gateway.url]);
    expect(impatient.code).toBe(1);
    expect(impatient.stdout).toMatch(/^1 still at work:\nWHAT +PRINCIPAL +FOR\ns__slow +local +\d+s\n$/);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);

    const refused = await client.callTool({ name: "s__echo", arguments: { text: "hello" } });
    expect(JSON.parse(textOf(refused))).toMatchObject({ code: "draining", retryable: true });
    expect(textOf(await client.callTool({ name: "open_session", arguments: {} }))).toContain('"draining"');
    const answer = await ada.rest("POST", "/v1/sessions", {});
    expect([answer.status, answer.body.code, answer.headers.get("retry-after")]).toEqual([503, "draining", "1"]);
    await expect(client.readResource({ uri: "modern://notes/one" })).rejects.toThrow("drained");
    expect((await client.listTools()).tools.length).toBeGreaterThan(0);

    const patient = await run(["drain", "--wait", "30s", "--url", gateway.url]);
    expect(patient).toMatchObject({ code: 0, stdout: "Drained: nothing is at work, and nothing new begins.\n" });
    expect(textOf(await slow)).toBe("done");

    expect(await run(["drain", "--undo", "-o", "json", "--url", gateway.url])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"draining": false'),
    });
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    expect(textOf(await client.callTool({ name: "s__echo", arguments: { text: "hello" } }))).toBe("hello");
  });

  test("a call that had asked its client something goes on", async () => {
    await using gateway = await startGateway(() => ({ mcpServers: { s: fixtureServer("legacy-server") } }));
    await using client = await gateway.connect("modern", { elicitation: { form: {} } });
    let asked = 0;
    client.setRequestHandler("elicitation/create", async () => {
      asked++;
      await run(["drain", "--wait", "0s", "--url", gateway.url]);
      return { action: "accept", content: { name: "Ada" } };
    });
    const answer = await client.callTool({ name: "s__ask", arguments: { what: "who?" } });
    expect([asked, textOf(answer)]).toEqual([1, expect.stringContaining("Ada")]);
  });
});
