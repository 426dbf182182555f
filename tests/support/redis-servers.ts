/**
 * Private Redis servers for tests that break them: one that can be killed, frozen and started again on its port, one
 * with a replica and Sentinels, and a Cluster of three. They listen on loopback, save nothing and end with the test.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findRedis } from "../../bin/redis-instance.mjs";
import { freePort } from "../../mcp-core/src/sample/private-server.js";

/** A server on a port that stays its own. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:port`. */
  readonly address: string;
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  freeze(): void;
  thaw(): void;
  /** One command by words, answered by Redis's own text. */
  command(...words: string[]): Promise<string>;
}

/** A server, started. `settings` are lines of its config; `role` a Sentinel or a server. */
export async function startRedisServer(
  settings: readonly string[] = [],
  { role = "server", port }: { role?: "server" | "sentinel"; port?: number } = {},
): Promise<RedisServer> {
  const program = await findRedis(AbortSignal.timeout(120_000));
  const folder = await mkdtemp(join(tmpdir(), "redis-test-"));
  const own = port ?? (await freePort());
  const file = join(folder, "redis.conf");
  const common = [`port ${own}`, "bind 127.0.0.1", `dir ${folder}`];
  const lines = role === "server" ? [...common, 'save ""', "appendonly no", ...settings] : [...common, ...settings];
  writeFileSync(file, `${lines.join("\n")}\n`);
  let child: ChildProcess | undefined;
  const server: RedisServer = {
    port: own,
    address: `127.0.0.1:${own}`,
    async start() {
      const args = role === "sentinel" ? [file, "--sentinel"] : [file];
      child = spawn(program.command, args, { env: program.environment, stdio: ["ignore", "ignore", "inherit"] });
      const started = child;
      for (let attempt = 0; ; attempt++) {
        const answer = await server.command("PING").catch(() => "");
        if (/PONG|NOAUTH/.test(answer)) return;
        if (started.exitCode !== null || attempt > 200) throw new Error("redis-server did not start");
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
    command: (...words) => sendCommand(own, words),
    async [Symbol.asyncDispose]() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** Several servers that end together. */
export interface RedisServers extends AsyncDisposable {
  /** As `MCP_STORE` names them. */
  readonly url: string;
  readonly servers: readonly RedisServer[];
}

/** Three masters that share the slots, each with its replica if they shall be replaced when they die. */
export async function startRedisCluster({
  replicas = false,
  settings = [],
}: {
  replicas?: boolean;
  settings?: readonly string[];
} = {}): Promise<RedisServers> {
  const ports = await clusterPorts(replicas ? 6 : 3);
  const own = ["cluster-enabled yes", "cluster-node-timeout 1000", "cluster-require-full-coverage no", ...settings];
  const servers = await Promise.all(
    ports.map((port) => startRedisServer([...own, `cluster-port ${port + 1}`], { port })),
  );
  const masters = servers.slice(0, 3);
  const [first] = servers;
  if (first === undefined) throw new Error("there are three");
  for (const other of servers.slice(1))
    await first.command("CLUSTER", "MEET", "127.0.0.1", String(other.port), String(other.port + 1));
  const part = Math.ceil(16_384 / masters.length);
  for (const [index, server] of masters.entries()) {
    const last = Math.min(16_383, (index + 1) * part - 1);
    await server.command("CLUSTER", "ADDSLOTSRANGE", String(index * part), String(last));
  }
  await eventually(async () => {
    const states = await Promise.all(servers.map((server) => server.command("CLUSTER", "INFO")));
    const everybody = new RegExp(`cluster_known_nodes:${servers.length}\\b`);
    return states.every((state) => /cluster_state:ok/.test(state) && everybody.test(state));
  });
  for (const [index, replica] of servers.slice(3).entries()) {
    const master = await masters[index]?.command("CLUSTER", "MYID");
    await replica.command("CLUSTER", "REPLICATE", /[0-9a-f]{40}/.exec(master ?? "")?.[0] ?? "");
    await eventually(async () => /master_link_status:up/.test(await replica.command("INFO", "replication")));
  }
  return {
    url: `redis-cluster://${servers.map(({ address }) => address).join(",")}`,
    servers,
    [Symbol.asyncDispose]: () => disposeAll(servers),
  };
}

/** A master, a replica and three Sentinels that agree after a second. */
export async function startRedisSentinels(
  settings: readonly string[] = [],
): Promise<RedisServers & { readonly sentinels: readonly RedisServer[]; masterPort(): Promise<number> }> {
  const master = await startRedisServer(settings);
  const replica = await startRedisServer([
    ...settings,
    `replicaof 127.0.0.1 ${master.port}`,
    "repl-diskless-sync-delay 0",
  ]);
  await eventually(async () => /master_link_status:up/.test(await replica.command("INFO", "replication")));
  const watch = [
    `sentinel monitor main 127.0.0.1 ${master.port} 2`,
    "sentinel down-after-milliseconds main 1000",
    "sentinel failover-timeout main 3000",
  ];
  const sentinels = await Promise.all([1, 2, 3].map(() => startRedisServer(watch, { role: "sentinel" })));
  await eventually(async () => {
    const told = await Promise.all(sentinels.map((one) => one.command("SENTINEL", "MASTER", "main")));
    return told.every((text) => /num-other-sentinels\r\n\$1\r\n2/.test(text) && /num-slaves\r\n\$1\r\n1/.test(text));
  });
  return {
    url: `redis-sentinel://${sentinels.map(({ address }) => address).join(",")}/main`,
    servers: [master, replica],
    sentinels,
    async masterPort() {
      const answer = await sentinels[0]?.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main");
      return Number(/\r\n(\d{4,5})\r\n$/.exec(answer ?? "")?.[1]);
    },
    [Symbol.asyncDispose]: () => disposeAll([...sentinels, replica, master]),
  };
}

async function disposeAll(servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
}

async function eventually(isTrue: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; !(await isTrue().catch(() => false)); attempt++) {
    if (attempt > 300) throw new Error("the Redis servers did not come together");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A port and the next one, both free: nodes of a Cluster need two. */
async function clusterPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = await freePort();
    if (port < 55_000 && !ports.has(port - 1) && !ports.has(port + 1) && (await isFree(port + 1))) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** Sends one command; the answer is all that comes within a moment of silence. */
async function sendCommand(port: number, words: readonly string[]): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port });
  let answer = "";
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(2_000) });
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("");
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      answer += chunk;
    });
    socket.write(`*${words.length}\r\n${parts}`);
    await once(socket, "data", { signal: AbortSignal.timeout(5_000) });
    for (let before = -1; before !== answer.length; ) {
      before = answer.length;
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    return answer;
  } finally {
    socket.destroy();
  }
}
