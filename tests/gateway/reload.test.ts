/** A new config while the gateway runs: what it leaves alone goes on, calls in progress end, clients hear of it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { executable } from "../support/processes.js";
import { fixtureServer, isAlive, startGateway, temporaryFolder, textOf, until } from "./gateways.js";

const legacy = (journal: string, env: Record<string, string> = {}) =>
  fixtureServer("legacy-server", { env: { JOURNAL: journal, ...env } });
const pids = (lines: readonly string[]) =>
  lines.filter((line) => line.startsWith("start ")).map((line) => Number(line.slice(6)));

test("a call in progress ends on the server it began on, while new calls go to the changed one", async () => {
  await using gateway = await startGateway((journal) => ({
    mcpServers: { s: legacy(journal), kept: legacy(journal) },
  }));
  await using client = await gateway.connect("legacy");
  await client.callTool({ name: "kept__echo", arguments: { text: "up" } });
  await client.callTool({ name: "s__echo", arguments: { text: "up" } });
  const before = gateway.gateway.report().servers.map(({ pid }) => pid);
  const slow = client.callTool({ name: "s__slow", arguments: { ms: 2_000 } });
  await until(async () => (await gateway.journal()).includes("slow begins"));
  const journal = join(gateway.folder, "journal");
  const change = gateway.gateway.reload({
    mcpServers: { s: legacy(journal, { CHANGED: "yes" }), kept: legacy(journal), more: legacy(journal) },
  });
  expect(change).toEqual({ added: ["more"], removed: [], changed: ["s"], kept: ["kept"] });
  expect(textOf(await client.callTool({ name: "s__echo", arguments: { text: "new" } }))).toBe("new");
  const after = gateway.gateway.report().servers.map(({ pid }) => pid);
  expect(after[0]).not.toBe(before[0]);
  expect(after[1]).toBe(before[1]);
  expect(textOf(await slow)).toBe("done");
  await until(async () => !(await isAlive(before[0] ?? 0)), 5_000);
  expect(textOf(await client.callTool({ name: "more__echo", arguments: { text: "more" } }))).toBe("more");
});

test.each(["legacy", "modern"] as const)("a %s client is told, and lists the new tools", async (era) => {
  await using gateway = await startGateway((journal) => ({ mcpServers: { s: legacy(journal) } }));
  const told: string[][] = [];
  await using client = await gateway.connect(era);
  client.setNotificationHandler("notifications/tools/list_changed", async () => {
    told.push((await client.listTools()).tools.map(({ name }) => name));
  });
  using _listening = era === "modern" ? await listen(client) : { [Symbol.dispose]: () => {} };
  gateway.gateway.reload({ mcpServers: { other: legacy(join(gateway.folder, "journal")) } });
  await until(() => told.some((names) => names.includes("other__echo") && !names.includes("s__echo")));
  const gone = await client.callTool({ name: "s__echo", arguments: { text: "?" } }).catch((error: unknown) => error);
  expect(String(gone)).toContain("There is no tool of this name");
});

async function listen(client: Awaited<ReturnType<Awaited<ReturnType<typeof startGateway>>["connect"]>>) {
  const subscription = await client.listen({ toolsListChanged: true });
  return { [Symbol.dispose]: () => void subscription.close() };
}

test("a config that is wrong changes nothing and says where", async () => {
  await using gateway = await startGateway((journal) => ({ mcpServers: { s: legacy(journal) } }));
  await using client = await gateway.connect("modern");
  expect(() => gateway.gateway.reload({ mcpServers: { s: { comand: "x", command: "y" } } })).toThrow(
    /`mcpServers.s.comand`.* is not a known key/,
  );
  expect(textOf(await client.callTool({ name: "s__echo", arguments: { text: "still" } }))).toBe("still");
});

test("the command watches its file, takes SIGHUP, and keeps what it has when the file is broken", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "gateway.json");
  const journal = join(folder.path, "journal");
  const write = async (text: string): Promise<void> => {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  };
  const secret = join(folder.path, "other", "..", "secret");
  await writeFile(join(folder.path, "secret"), "one");
  const config = (...names: string[]) => ({
    mcpServers: Object.fromEntries(names.map((name) => [name, legacy(journal)])),
    settings: { port: 0 },
  });
  await write(JSON.stringify(config("a")));
  const gateway = spawn(
    process.execPath,
    [executable("mcp-gateway"), "--config", path, "--cache-dir", join(folder.path, "cache")],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  gateway.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    log += chunk;
  });
  const exited = once(gateway, "exit");
  try {
    await until(() => log.includes('"listening"') && log.includes("server_started"));
    await write('{"mcpServers": {\n  "a": }');
    await until(() => /config_not_reloaded.*line 2, column 8/.test(log));
    await write(JSON.stringify({ ...config("a", "b"), settings: { port: 1 } }));
    await until(() => /config_reloaded","added":\["b"\],"removed":\[\],"changed":\[\],"kept":1/.test(log));
    await until(() => log.includes("settings_need_restart"));
    await write(JSON.stringify({ mcpServers: { b: legacy(journal, { KEY: `\${file:${secret}}` }) } }));
    await until(() => /"removed":\["a"\],"changed":\["b"\]/.test(log));
    await writeFile(join(folder.path, "secret"), "two"); // in the watched folder or not: a signal always reads again
    gateway.kill("SIGHUP");
    await until(() => /"added":\[\],"removed":\[\],"changed":\["b"\]/.test(log));
    expect(gateway.exitCode).toBeNull();
  } finally {
    gateway.kill("SIGTERM");
    await exited;
  }
  for (const pid of pids((await readFile(journal, "utf8")).split("\n"))) expect(await isAlive(pid)).toBe(false);
});
