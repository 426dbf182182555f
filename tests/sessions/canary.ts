/** The places of a gateway where a password must not turn up: its Redis, what is said to it, its folder. */
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { RedisServer } from "../support/redis-servers.js";

/** All keys and values, as they are dumped and as they are read. */
export async function dumpRedis(redis: RedisServer): Promise<string> {
  const keys: string[] = [];
  for (let cursor = "0"; ; ) {
    const [, next = "0", page = ""] =
      /^\*2\r\n\$\d+\r\n(\d+)\r\n(.*)$/s.exec(await redis.command("SCAN", cursor, "COUNT", "1000")) ?? [];
    keys.push(...page.split("\r\n").filter((line) => line !== "" && !/^[*$]\d+$/.test(line)));
    if (next === "0") break;
    cursor = next;
  }
  const readers: Record<string, (key: string) => string[]> = {
    string: (key) => ["GET", key],
    hash: (key) => ["HGETALL", key],
    list: (key) => ["LRANGE", key, "0", "-1"],
    set: (key) => ["SMEMBERS", key],
    zset: (key) => ["ZRANGE", key, "0", "-1", "WITHSCORES"],
  };
  const texts = keys.map(async (key) => {
    const type = (await redis.command("TYPE", key)).replace(/[+\s]/g, "");
    const read = readers[type];
    if (read === undefined && type !== "none") throw new Error(`nobody reads a ${type}`);
    return `${key} ${await redis.command("DUMP", key)} ${read === undefined ? "" : await redis.command(...read(key))}`;
  });
  return (await Promise.all(texts)).join("\n");
}

/** Everything that is said to a Redis, messages that are kept nowhere included, until disposed. */
export async function openMonitor(redis: RedisServer): Promise<Disposable & { text(): string }> {
  const socket = connect({ host: "127.0.0.1", port: redis.port });
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  await once(socket, "connect");
  socket.write("MONITOR\r\n");
  await once(socket, "data");
  return { text: () => text, [Symbol.dispose]: () => void socket.destroy() };
}

/** The names and contents of all files below a folder but those in `except`. */
export async function readFolder(folder: string, except: readonly string[] = []): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const texts = entries
    .filter((entry) => entry.isFile() && !except.includes(entry.name))
    .map(async ({ parentPath, name }) => `${name} ${await readFile(join(parentPath, name), "latin1").catch(() => "")}`);
  return (await Promise.all(texts)).join("\n");
}
