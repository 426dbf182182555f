/**
 * Who works on a session right now, over all processes that share its store: one at a time. A claim is given back when the
 * work is over, and lapses when its process is gone.
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { RedisClientType } from "@keyv/redis";

/** Claims by name. */
export interface Claims {
  /** The claim, until disposed; undefined while somebody else has it. */
  take(name: string): Promise<AsyncDisposable | undefined>;
}

/** A claim whose owner has not been heard of for so long is anybody's. */
const lapseMs = 60_000;
const heartbeatMs = 15_000;

/** Among the users of one object in this process. */
export function memoryClaims(): Claims {
  const taken = new Set<string>();
  return {
    async take(name) {
      if (taken.has(name)) return undefined;
      taken.add(name);
      return { [Symbol.asyncDispose]: async () => void taken.delete(name) };
    },
  };
}

/** Among the processes that share a folder: a file each, made by whoever comes first, touched while its owner lives. */
export function fileClaims(folder: string): Claims {
  return {
    async take(name) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = join(folder, `${name}.claim`);
      if (!(await create(file)) && !((await removeLapsed(file)) && (await create(file)))) return undefined;
      return kept(
        () => utimes(file, new Date(), new Date()),
        () => rm(file, { force: true }),
      );
    },
  };
}

/** Among the processes that share a Redis. */
export function redisClaims(client: RedisClientType): Claims {
  return {
    async take(name) {
      const key = `db-agent:claims:${name}`;
      const token = randomUUID();
      const isOurs = await client.set(key, token, { condition: "NX", expiration: { type: "PX", value: lapseMs } });
      if (isOurs === null) return undefined;
      const run = (script: string, ...args: string[]) =>
        client.eval(script, { keys: [key], arguments: [token, ...args] });
      return kept(
        () => run(ifOurs("redis.call('pexpire', KEYS[1], ARGV[2])"), String(lapseMs)),
        () => run(ifOurs("redis.call('del', KEYS[1])")),
      );
    },
  };
}

const ifOurs = (command: string): string =>
  `if redis.call('get', KEYS[1]) == ARGV[1] then return ${command} end return 0`;

/** Renewed until it is given back; a store that is away for a moment loses none. */
function kept(renew: () => Promise<unknown>, release: () => Promise<unknown>): AsyncDisposable {
  const timer = setInterval(() => void renew().catch(() => {}), heartbeatMs);
  timer.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await release().catch(() => {}); // it lapses by itself
    },
  };
}

async function create(file: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx", 0o600);
    await handle.writeFile(JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() }));
    await handle.close();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Takes away the claim of a process that is gone; whoever comes second finds another's and leaves it. */
async function removeLapsed(file: string): Promise<boolean> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, "utf8"), stat(file)]);
    if (Date.now() - mtimeMs <= lapseMs && !isOfTheDead(text)) return false;
    const aside = `${file}.${randomUUID()}`;
    await rename(file, aside);
    const isThat = (await readFile(aside, "utf8")) === text;
    if (!isThat) await link(aside, file).catch(() => {}); // it was made anew in between
    await rm(aside);
    return isThat;
  } catch {
    return true; // it has just been given back, or taken away
  }
}

function isOfTheDead(text: string): boolean {
  try {
    const { pid, host }: { pid?: unknown; host?: unknown } = JSON.parse(text);
    if (host !== hostname() || typeof pid !== "number") return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}
