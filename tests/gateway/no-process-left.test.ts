/**
 * However a server or the gateway ends, nothing that either has started is left within 5 s: through shells, launchers,
 * forks, and what has moved to a session of its own. Repeat with GATEWAY_KILL_REPETITIONS.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { createPostgresDatabase } from "../support/databases.js";
import { executable } from "../support/processes.js";
import { fixtureServer, isAlive, startGateway, temporaryFolder, until } from "./gateways.js";

const odd = (journal: string, args: readonly string[]) =>
  fixtureServer("odd-server", { args, env: { JOURNAL: journal } });
const launcher = fileURLToPath(new URL("./fixtures/launcher.mjs", import.meta.url));

/** Ways servers are wrapped, and how many processes each says it has started, itself included. */
const wrappers: Record<string, { entry(journal: string): object; processes: number }> = {
  "sh -c": {
    entry(journal) {
      const { command, args } = odd(journal, ["fork"]);
      return { command: "/bin/sh", args: ["-c", `${[command, ...args].join(" ")}; true`], env: { JOURNAL: journal } };
    },
    processes: 2,
  },
  "a launcher like npx": {
    entry(journal) {
      const { command, args } = odd(journal, ["fork"]);
      return { command: process.execPath, args: [launcher, command, ...args], env: { JOURNAL: journal } };
    },
    processes: 2,
  },
  "a forker": { entry: (journal) => odd(journal, ["fork"]), processes: 2 },
  "a stubborn one": { entry: (journal) => odd(journal, ["stubborn"]), processes: 1 },
  "a daemoniser": { entry: (journal) => odd(journal, ["daemon"]), processes: 2 },
};
const processes = Object.values(wrappers).reduce((sum, one) => sum + one.processes, 0);

let database: Awaited<ReturnType<typeof createPostgresDatabase>>;
beforeAll(async () => {
  database = await createPostgresDatabase();
  return () => database[Symbol.asyncDispose]();
});

const noted = async (journal: string): Promise<number[]> =>
  [...(await readFile(journal, "utf8")).matchAll(/^(?:start|child) (\d+)$/gm)].map(([, pid]) => Number(pid));

/** The built gateway with every wrapper and a database behind it, all running. */
async function startAll(folder: string) {
  const journal = join(folder, "journal");
  const path = join(folder, "gateway.json");
  await writeFile(journal, "");
  const write = (mcpServers: object) =>
    writeFile(path, JSON.stringify({ databases: { shop: database.url }, mcpServers }));
  await write(Object.fromEntries(Object.entries(wrappers).map(([name, { entry }]) => [name, entry(journal)])));
  const args = [executable("mcp-gateway"), "--config", path, "--port", "0", "--cache-dir", join(folder, "cache")];
  const gateway = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  gateway.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    log += chunk;
  });
  const exited = once(gateway, "exit");
  const started = () =>
    new Map(
      [...log.matchAll(/"server_started","server":"([^"]+)","pid":(\d+)/g)].map(([, name = "", pid]) => [
        name,
        Number(pid),
      ]),
    );
  return {
    gateway,
    exited,
    write,
    started,
    journal: () => readFile(journal, "utf8"),
    /** Every process there is. */
    async all() {
      const isComplete = async () =>
        started().size === 1 + Object.keys(wrappers).length && (await noted(journal)).length >= processes;
      await until(isComplete, 60_000).catch(async () => {
        throw new Error(`not all have started: ${(await noted(journal)).length} of ${processes}\n${log}`);
      });
      return new Set([...started().values(), ...(await noted(journal))]);
    },
    async [Symbol.asyncDispose]() {
      if (gateway.exitCode !== null || gateway.signalCode !== null) return;
      gateway.kill("SIGTERM");
      await exited;
    },
  };
}

const repetitions = Number(process.env.GATEWAY_KILL_REPETITIONS ?? 1);
const ends = ["stop", "crash", "SIGTERM", "SIGKILL"] as const;
const matrix = Array.from({ length: repetitions }, (_, run) => ends.map((end) => [end, run + 1] as const)).flat();

test.each(matrix)("within 5 s of %s, round %i", { timeout: 90_000 }, async (end) => {
  await using folder = await temporaryFolder();
  await using running = await startAll(folder.path);
  const all = await running.all();
  const database = running.started().get("databases:postgres") ?? 0;
  expect(all.size).toBeGreaterThanOrEqual(1 + processes + 2); // and the two that only start a server
  if (end === "crash") for (const pid of running.started().values()) process.kill(pid, "SIGKILL");
  else if (end === "stop") {
    await running.write({});
    all.delete(database);
  } else {
    running.gateway.kill(end);
    await running.exited;
  }
  const left = async () => (await Promise.all([...all].map(async (pid) => ((await isAlive(pid)) ? [pid] : [])))).flat();
  await until(async () => (await left()).length === 0, 5_000).catch(async () => expect(await left()).toEqual([]));
  // a second one would have a server drop what it is ending
  if (end === "SIGKILL") expect((await running.journal()).match(/ignored SIGTERM/g)).toHaveLength(1);
});

test("a server that forks and exits is a crash, and its child is gone", async () => {
  await using gateway = await startGateway((journal) => ({ mcpServers: { s: odd(journal, ["fork-and-exit"]) } }));
  await gateway.gateway.ready({ signal: AbortSignal.timeout(10_000) });
  expect(gateway.gateway.report().servers[0]).toMatchObject({ crashes: 1, lastError: "it exited with code 0" });
  const pids = await noted(join(gateway.folder, "journal"));
  await until(async () => (await Promise.all(pids.map(isAlive))).every((alive) => !alive), 5_000);
});
