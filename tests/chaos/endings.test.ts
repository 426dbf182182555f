/**
 * How a call can end before its answer, on every transport and server: cancelled, left, timed out, or with its client,
 * server or gateway killed. The statement is gone from the database within a second, only ours, and the next call works.
 * CHAOS_REPETITIONS=100 CHAOS_LANES=4 for the figures: so many statements at once.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestDatabase } from "../support/databases.js";
import type { RunningServer } from "../support/processes.js";
import { openBystander } from "./bystanders.js";
import { type Engine, engines, repetitions, until } from "./engines.js";
import {
  type Connected,
  createLauncher,
  databaseServerPid,
  type Launcher,
  type Target,
  type Transport,
  targets,
  transports,
} from "./targets.js";

/** What a statement may outlive its call by. */
const goneMs = 1_000;
/** So long that a statement nobody stops is late; so short that a timeout is soon. */
const longMs = 20_000;
const shortMs = 500;
/** What a client, a server and a gateway may take to start and to reach the database, on a machine with more to do. */
const startMs = 60_000;
const lanes = Number(process.env.CHAOS_LANES ?? 1);
/** The gateway takes a server that fails five times in a row for one in a crash loop, and waits. */
const killsPerGateway = 4;

const bystander = `bystander_${process.pid}`;
const databases = new Map<Engine, TestDatabase>();
const bystanders: AsyncDisposable[] = [];
let folder: string;
let patient: Launcher;
let hurried: Launcher;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "chaos-"));
  for (const engine of engines) {
    const database = await engine.createDatabase();
    databases.set(engine, database);
    bystanders.push(await openBystander(engine, database, bystander));
  }
  patient = await createLauncher(folder, databaseOf, longMs);
  hurried = await createLauncher(folder, databaseOf, shortMs);
});

afterAll(async () => {
  for (const one of [...bystanders, ...databases.values()]) await one[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function databaseOf(engine: Engine): TestDatabase {
  const database = databases.get(engine);
  if (database === undefined) throw new Error("not open yet");
  return database;
}

const endings = ["cancel", "leave", "timeout", "kill the client", "kill the server", "kill the gateway"] as const;

interface Cell {
  readonly target: Target;
  readonly transportName: string;
  readonly way: Transport;
  readonly ending: (typeof endings)[number];
}

const cells: readonly Cell[] = targets.flatMap((target) =>
  Object.entries(transports).flatMap(([transportName, way]) =>
    endings
      .filter((ending) => ending !== "kill the gateway" || target.viaGateway)
      .map((ending) => ({ target, transportName, way, ending })),
  ),
);

/** How long each statement outlived its call; a server that the ending leaves alive serves all lanes at once. */
async function outlivings(cell: Cell, count: number): Promise<readonly number[]> {
  const { target, way, ending } = cell;
  const admin = databaseOf(target.engine);
  const launcher = ending === "timeout" ? hurried : patient;
  const isShared = way.transport !== "stdio" && !/server|gateway/.test(ending);
  const shared = isShared ? await launcher.start(target) : undefined;
  const times: number[] = [];
  const lane = async (turns: number) => {
    for await (const ms of attempts(cell, launcher, shared, turns)) times.push(ms);
  };
  const counts = Array.from({ length: lanes }, (_, index) => Math.floor((count + index) / lanes));
  await Promise.all(counts.filter((turns) => turns > 0).map(lane));
  await shared?.[Symbol.asyncDispose]();
  // Nothing of ours stays connected once the last process has ended.
  await until(async () => (await target.engine.sessions(admin)).length <= 1, 5_000);
  return times;
}

/** One lane's life: servers and clients that the ending does not destroy are used again. */
async function* attempts(
  { target, way, ending }: Cell,
  launcher: Launcher,
  shared: RunningServer | undefined,
  count: number,
): AsyncGenerator<number> {
  const { engine } = target;
  const admin = databaseOf(engine);
  let own: RunningServer | undefined;
  let client: Connected | undefined;
  const doomed = new Set<ChildProcess>();
  // A failed attempt must not leave its client behind: it would wait for its answer for minutes.
  using _ = { [Symbol.dispose]: () => killAll(doomed) };

  for (let turn = 0; turn < count; turn++) {
    if (way.transport !== "stdio" && shared === undefined) own ??= await launcher.start(target);
    const server = shared ?? own;
    const marker = `m${Math.random().toString(36).slice(2)}`;
    const sql = engine.endless(marker);
    const abort = new AbortController();
    let answer: Promise<{ text: string; isError: boolean } | undefined> = Promise.resolve(undefined);
    if (ending === "kill the client") {
      const file = fileURLToPath(new URL("./fixtures/calling-client.mjs", import.meta.url));
      const cell = launcher.describe(target, way, server, sql);
      doomed.add(spawn(process.execPath, [file, cell], { stdio: "ignore" }));
    } else {
      client ??= await launcher.connect(target, way, server);
      answer = client.call(sql, abort.signal).catch(() => undefined);
    }
    if (ending === "timeout") expect((await answer)?.text).toContain('"timeout"');
    else await until(async () => (await engine.running(admin, marker)).length === 1, startMs);

    const pid = own?.child.pid ?? client?.serverPid ?? 0;
    if (ending === "cancel") abort.abort();
    if (ending === "leave") await client?.[Symbol.asyncDispose]();
    if (ending === "kill the client") killAll(doomed);
    if (ending === "kill the server") process.kill(databaseServerPid(target, pid), "SIGKILL");
    if (ending === "kill the gateway") process.kill(pid, "SIGKILL");
    yield await until(async () => (await engine.running(admin, marker)).length === 0, longMs);
    // Over SSE and in a legacy session a client does not learn that its server has died.
    abort.abort();
    await answer;

    const isTired = ending === "kill the server" && target.viaGateway && turn % killsPerGateway === killsPerGateway - 1;
    const isServerGone = ending === "kill the gateway" || (ending === "kill the server" && !target.viaGateway);
    if (ending === "leave" || isServerGone || isTired) {
      await client?.[Symbol.asyncDispose]();
      client = undefined;
    }
    if (isServerGone || isTired) {
      await own?.[Symbol.asyncDispose]();
      own = undefined;
    }
    if (client !== undefined || own !== undefined || shared !== undefined) {
      client ??= await launcher.connect(target, way, server);
      expect((await client.call("SELECT 41 + 1")).text).toContain("[[42]]");
    }
  }
  await client?.[Symbol.asyncDispose]();
  await own?.[Symbol.asyncDispose]();
}

function killAll(children: Set<ChildProcess>): void {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
}

describe.each(targets)("$name", (target) => {
  test.each(cells.filter((cell) => cell.target === target))(
    "$ending over $transportName: the statement is gone, and nobody else's",
    async (cell) => {
      const times = await outlivings(cell, repetitions(1));
      const late = times.filter((ms) => ms > goneMs).length;
      if (process.env.CHAOS_REPETITIONS !== undefined) {
        const sorted = times.toSorted((a, b) => a - b);
        const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
        console.log(
          `FIGURE ${target.name} | ${cell.transportName} | ${cell.ending} | ${times.length} | late ${late} | median ${median.toFixed(0)} ms | worst ${sorted.at(-1)?.toFixed(0)} ms`,
        );
      }
      expect(late, times.join()).toBe(0);
      expect(await target.engine.running(databaseOf(target.engine), bystander)).toHaveLength(1);
    },
    startMs + 15_000 * repetitions(1),
  );
});
