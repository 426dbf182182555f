/**
 * One client of Redis, of whichever kind its address asks for, with the settings that fail fast: the library's own wait
 * for ever when Redis is away. It keeps nothing alive; that is `redis-connection`'s.
 */
import type { RedisClientType, RedisClusterType, RedisSentinelType } from "@keyv/redis";
import type { RedisAddress } from "./redis-address.js";

/** The commands the suite uses, the same on a single server, a Cluster and behind Sentinels. */
export type RedisCommands = Pick<
  RedisClientType,
  | "decr" | "del" | "eval" | "exists" | "get" | "getEx" | "hGet" | "hGetAll" | "hIncrBy" | "hSet" | "incr" | "incrBy"
  | "pExpire" | "publish" | "pTTL" | "set" | "unlink" | "xAdd" | "xRange" | "zAdd" | "zCard" | "zRange" | "zRem"
>; // biome-ignore format: one list

/** An open client. */
export interface RedisClient {
  readonly commands: RedisCommands;
  /** What the keyv adapter takes. */
  readonly native: RedisClientType | RedisClusterType | RedisSentinelType;
  /** Answers within a moment, or rejects. */
  ping(): Promise<void>;
  /** Every key that matches a pattern, from every master. */
  scan(pattern: string): AsyncIterable<string>;
  /** Listens on a channel, over a connection that is renewed when it breaks. */
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  /** Lets what is in progress end, for half a second. */
  close(): Promise<void>;
  destroy(): void;
}

const closeMs = 500;

/** Connects; rejects when Redis is not there. `onError` hears of every break of a connection. */
export async function openRedisClient(
  address: RedisAddress,
  onError: (error: unknown) => void,
  signal: AbortSignal,
): Promise<RedisClient> {
  switch (address.mode) {
    case "single":
      return openSingle(address, onError, signal);
    case "sentinel":
      return openSentinel(address, onError, signal);
    case "cluster":
      return openCluster(address, onError, signal);
  }
}

/** Pings notice a connection that is open and dead; the socket's timeout then closes it. */
const liveliness = { pingInterval: 1_000, disableOfflineQueue: true, commandsQueueMaxLength: 10_000 };

function socketOptions({ isTls }: RedisAddress) {
  const common = {
    connectTimeout: 1_000,
    socketTimeout: 3_000,
    reconnectStrategy: (tries: number) => Math.min(1_000, 50 * 2 ** tries),
  };
  return isTls ? { ...common, tls: true as const } : common;
}

const credentialsOf = ({ username, password }: RedisAddress) => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
});

async function openSingle(
  address: RedisAddress,
  onError: (error: unknown) => void,
  signal: AbortSignal,
): Promise<RedisClient> {
  const { createClient } = await import("@keyv/redis");
  const [{ host, port }] = address.nodes;
  const client = createClient({
    ...liveliness,
    ...credentialsOf(address),
    database: address.database,
    socket: { ...socketOptions(address), host, port },
  }).on("error", onError);
  await connectWithin(client, signal);
  let subscriber: Promise<typeof client> | undefined;
  const listening = (): Promise<typeof client> => {
    subscriber ??= (async () => {
      const second = client.duplicate().on("error", onError);
      await connectWithin(second, signal);
      return second;
    })();
    return subscriber;
  };
  const native = client as unknown as RedisClientType; // the same client, of whatever protocol version
  return {
    commands: native,
    native,
    ping: async () => void (await client.ping()),
    scan: (pattern) => scanOne(native, pattern),
    subscribe: async (channel, listener) => (await listening()).subscribe(channel, listener),
    unsubscribe: async (channel) => (await subscriber)?.unsubscribe(channel),
    async close() {
      await Promise.all([closeWithin(client), subscriber?.then(closeWithin, () => {})]);
    },
    destroy() {
      destroyQuietly(client);
      subscriber?.then(destroyQuietly, () => {});
    },
  };
}

async function openSentinel(
  address: RedisAddress,
  onError: (error: unknown) => void,
  signal: AbortSignal,
): Promise<RedisClient> {
  const { createSentinel } = await import("@keyv/redis");
  const socket = socketOptions(address);
  const { sentinelPassword } = address;
  const sentinel = createSentinel({
    name: address.masterName ?? "",
    sentinelRootNodes: [...address.nodes],
    passthroughClientErrorEvents: true,
    scanInterval: 2_000,
    maxCommandRediscovers: 1,
    nodeClientOptions: { ...liveliness, ...credentialsOf(address), database: address.database, socket },
    sentinelClientOptions: {
      ...liveliness,
      ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
      socket,
    },
  }).on("error", onError);
  await connectWithin(sentinel, signal);
  const native = sentinel as unknown as RedisSentinelType; // the same client, of whatever protocol version
  const commands: RedisCommands = native;
  return {
    commands,
    native,
    ping: async () => void (await commands.exists("ping")),
    scan: (pattern) => scanOne(native, pattern),
    subscribe: (channel, listener) => native.subscribe(channel, listener),
    unsubscribe: (channel) => native.unsubscribe(channel),
    close: () => closeWithin(sentinel),
    destroy: () => destroyQuietly(sentinel),
  };
}

async function openCluster(
  address: RedisAddress,
  onError: (error: unknown) => void,
  signal: AbortSignal,
): Promise<RedisClient> {
  const { createCluster } = await import("@keyv/redis");
  const cluster = createCluster({
    rootNodes: address.nodes.map((node) => ({ socket: { ...node } })),
    defaults: { ...liveliness, ...credentialsOf(address), socket: socketOptions(address) },
    minimizeConnections: true, // a node that is down must not keep the others from being found
  })
    .on("error", onError)
    .on("node-error", onError);
  await connectWithin(cluster, signal);
  const native = cluster as unknown as RedisClusterType; // the same client, of whatever protocol version
  return {
    commands: native,
    native,
    // a key of each master's slots would be better; one master that answers is enough to say that we are connected
    ping: async () => void (await native.exists("ping")),
    async *scan(pattern) {
      for (const master of native.masters) yield* scanOne(await native.nodeClient(master), pattern);
    },
    subscribe: (channel, listener) => native.subscribe(channel, listener),
    unsubscribe: (channel) => native.unsubscribe(channel),
    close: () => closeWithin(cluster),
    destroy: () => destroyQuietly(cluster),
  };
}

interface Scannable {
  scan(
    cursor: string,
    options: { MATCH: string; COUNT: number },
  ): Promise<{ cursor: unknown; keys: readonly unknown[] }>;
}

async function* scanOne(client: Scannable, pattern: string): AsyncGenerator<string> {
  let cursor = "0";
  do {
    const page = await client.scan(cursor, { MATCH: pattern, COUNT: 1_000 });
    cursor = String(page.cursor);
    for (const key of page.keys) yield String(key);
  } while (cursor !== "0");
}

interface Connectable {
  readonly isOpen: boolean;
  readonly isReady?: boolean;
  connect(): Promise<unknown>;
  close(): Promise<unknown>;
  destroy(): unknown;
}

/** The library goes on trying after the signal has fired, unless it is told to stop. */
async function connectWithin(client: Connectable, signal: AbortSignal): Promise<void> {
  const overdue = new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  try {
    await Promise.race([client.connect(), overdue]);
  } catch (error) {
    destroyQuietly(client);
    throw error;
  }
}

/** One that is reconnecting would wait for ever for its last answers. */
async function closeWithin(client: Connectable): Promise<void> {
  if (client.isOpen && client.isReady !== false) {
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise((resolve) => {
      timer = setTimeout(resolve, closeMs);
    });
    await Promise.race([client.close().catch(() => {}), overdue]);
    clearTimeout(timer);
  }
  destroyQuietly(client);
}

/** Sentinels' client ends in time of its own, and only half when it was connecting: then it must be told again. */
function destroyQuietly(client: Connectable): void {
  const destroy = async (): Promise<unknown> => client.destroy();
  destroy().catch(() => destroy().catch(() => {})); // what is left then was closed already
}
