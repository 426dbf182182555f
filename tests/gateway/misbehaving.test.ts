/** Servers that do what none should: each is said to be what it is, what can be used is used, and the others work on. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { fixtureServer, isAlive, startGateway, textOf, until } from "./gateways.js";

const odd = (journal: string, args: readonly string[], options: object = {}) =>
  fixtureServer("odd-server", { args, env: { JOURNAL: journal }, ...options });
const startsIn = (lines: readonly string[]) => lines.filter((line) => line.startsWith("start "));

test.each([
  ["prints rubbish", ["rubbish"], { startTimeout: "4s" }, "printed what is no JSON-RPC on stdout"],
  ["never answers", ["silent"], { startTimeout: "600ms" }, "did not finish the handshake within 600 ms"],
  ["answers too late", ["late", "3000"], { startTimeout: "600ms" }, "did not finish the handshake within 600 ms"],
  ["exits at once", ["exit", "0"], {}, "it exited with code 0"],
])("one that %s is unavailable, with a reason; the others work", async (_, args, options, reason) => {
  await using gateway = await startGateway((journal) => ({
    mcpServers: { bad: odd(journal, args, options), good: odd("", ["good"]) },
  }));
  await using client = await gateway.connect("modern");
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["good__echo"]);
  expect((await client.callTool({ name: "good__echo", arguments: {} })).isError).toBeFalsy();
  await until(() => gateway.gateway.report().servers[0]?.lastError?.includes(reason) === true);
  const [bad = ""] = startsIn(await gateway.journal());
  await until(async () => !(await isAlive(Number(bad.split(" ")[1]))));
});

test("an answer that comes after its call was given up is nobody's", async () => {
  await using gateway = await startGateway((journal) => ({ mcpServers: { s: odd(journal, ["wait", "400"]) } }));
  await using client = await gateway.connect("modern");
  const abort = new AbortController();
  const given = (call: number) => client.callTool({ name: "s__echo", arguments: { call } });
  const abandoned = client.callTool({ name: "s__echo", arguments: { call: 1 } }, { signal: abort.signal });
  const ended = expect(abandoned).rejects.toThrow();
  await until(() => gateway.gateway.report().servers[0]?.active === 1);
  abort.abort();
  await ended;
  const answers = await Promise.all([2, 3].map(given));
  expect(answers).toMatchObject([{ given: { call: 2 } }, { given: { call: 3 } }]);
  expect(gateway.gateway.report().servers[0]).toMatchObject({ active: 0, crashes: 0 });
});

test("two servers with equal tools both list them, and each call goes to its own", async () => {
  await using gateway = await startGateway((journal) => ({
    mcpServers: { a: odd(journal, ["good"]), b: odd(journal, ["good"]) },
  }));
  await using client = await gateway.connect("modern");
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["a__echo", "b__echo"]);
  for (const [index, name] of ["a", "b"].entries()) {
    const { pid } = gateway.gateway.report().servers[index] ?? {};
    expect(await client.callTool({ name: `${name}__echo`, arguments: {} })).toMatchObject({ pid });
  }
});

test.each([
  ["a command that does not exist", { command: "/no/such/command" }, "does not exist"],
  [
    "a command that is not executable",
    { command: fileURLToPath(new URL("../../package.json", import.meta.url)) },
    "is not executable",
  ],
  ["a working directory that does not exist", { command: process.execPath, cwd: "/no/such/folder" }, "does not exist"],
  ["a remote server that is not there", { url: "http://127.0.0.1:47123/mcp" }, "could not be reached"],
])("%s is said", async (_, entry, reason) => {
  await using gateway = await startGateway(() => ({ mcpServers: { bad: entry } }));
  await gateway.gateway.ready({ signal: AbortSignal.timeout(20_000) });
  expect(gateway.gateway.report().servers[0]?.lastError).toContain(reason);
});

test.each([
  ["flood", ["flood"]],
  ["chatty", ["chatty"]],
  ["late", ["late", "700"]],
])("%s works all the same", async (_, args) => {
  await using gateway = await startGateway((journal) => ({ mcpServers: { s: odd(journal, args) } }));
  await using client = await gateway.connect("modern");
  expect(JSON.parse(textOf(await client.callTool({ name: "s__echo", arguments: { a: 1 } }))).arguments).toEqual({
    a: 1,
  });
});

test("of 100 MB on stderr the log gets a few lines each second and says how many it dropped", {
  timeout: 90_000,
}, async () => {
  await using gateway = await startGateway((journal) => ({ mcpServers: { s: odd(journal, ["flood"]) } }));
  await using client = await gateway.connect("modern");
  await client.callTool({ name: "s__echo", arguments: {} });
  const dropped = () =>
    [...gateway.log().matchAll(/"server_stderr_dropped".*"lines":(\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);
  const logged = () => gateway.log().match(/"server_stderr",/g)?.length ?? 0;
  await until(() => dropped() + logged() === 100_000, 60_000);
  expect(gateway.log().length).toBeLessThan(5_000_000);
});
