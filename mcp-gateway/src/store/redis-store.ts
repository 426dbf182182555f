/**
 * Records in Redis: read and written through keyv's adapter, so that one server, Sentinels and a Cluster are the same to
 * us; what must be atomic is done by a script on one key. Redis itself forgets them when their time is over.
 */

import { newVersion } from "./memory-store.js";
import type { RedisClient } from "./redis-client.js";
import type { RedisConnection } from "./redis-connection.js";
import type { Store, StoredRecord } from "./store.js";

/** KEYS[1]; ARGV: the version it must have ("" for none), the new text, milliseconds. */
const setIfVersion = `
local now = redis.call('GET', KEYS[1])
local version = now and string.match(now, '^([^.]*)%.') or ''
if version ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`;

/** KEYS[1]; ARGV: the version it must have. */
const deleteIfVersion = `
local now = redis.call('GET', KEYS[1])
if not now or string.match(now, '^([^.]*)%.') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

/** A store on a connection that somebody else closes. */
export function createRedisStore(connection: RedisConnection): Store {
  const { run, address } = connection;
  const keyOf = (key: string): string => `${address.prefix}:${key}`;
  const throughKeyv = createKeyvs(address.prefix);
  return {
    get: (key, { touchMs } = {}) =>
      run(async (client) =>
        toRecord(
          touchMs === undefined
            ? await (await throughKeyv(client)).get(key)
            : await client.commands.getEx(keyOf(key), { type: "PX", value: touchMs }),
        ),
      ),
    set: (key, value, { ttlMs, ifVersion }) =>
      run(async (client) => {
        const version = newVersion();
        const text = `${version}.${value}`;
        if (ifVersion === undefined) {
          await (await throughKeyv(client)).set(key, text, ttlMs);
          return version;
        }
        const given = [ifVersion ?? "", text, String(Math.ceil(ttlMs))];
        const isSet = await client.commands.eval(setIfVersion, { keys: [keyOf(key)], arguments: given });
        return Number(isSet) === 1 ? version : undefined;
      }),
    remainingMs: (key) =>
      run(async ({ commands }) => {
        const left = Number(await commands.pTTL(keyOf(key)));
        return left < 0 ? undefined : left;
      }),
    touch: (key, ttlMs) => run(async ({ commands }) => Number(await commands.pExpire(keyOf(key), ttlMs)) === 1),
    delete: (key, { ifVersion } = {}) =>
      run(async (client) => {
        if (ifVersion === undefined) return (await throughKeyv(client)).delete(key);
        const count = await client.commands.eval(deleteIfVersion, { keys: [keyOf(key)], arguments: [ifVersion] });
        return Number(count) === 1;
      }),
    list: (prefix) =>
      run(async (client) => {
        const keys = new Set<string>(); // a scan may meet a key twice
        const pattern = `${keyOf(prefix).replaceAll(/[\\*?[\]]/g, "\\$&")}*`;
        for await (const key of client.scan(pattern)) keys.add(key.slice(address.prefix.length + 1));
        return [...keys];
      }),
    ping: () => run((client) => client.ping()),
    async [Symbol.asyncDispose]() {},
  };
}

interface Texts {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, ttlMs: number): Promise<unknown>;
  delete(key: string): Promise<boolean>;
}

/** A keyv for each client: it keeps texts as they are, and leaves time to Redis, where a touched record can live on. */
function createKeyvs(prefix: string): (client: RedisClient) => Promise<Texts> {
  const keyvs = new WeakMap<RedisClient, Promise<Texts>>();
  const create = async ({ native }: RedisClient): Promise<Texts> => {
    const [{ Keyv }, { default: KeyvRedis }] = await Promise.all([import("keyv"), import("@keyv/redis")]);
    const adapter = new KeyvRedis<string>(native, {
      namespace: prefix,
      keyPrefixSeparator: ":",
      throwOnErrors: true,
      throwOnConnectError: true,
    });
    const keyv = new Keyv<string>({
      store: adapter,
      namespace: prefix,
      useKeyPrefix: false,
      throwOnErrors: true,
      serialize: ({ value }) => String(value),
      deserialize: (text) => ({ value: text as never, expires: undefined }), // keyv's own type for what it stores
    });
    keyv.on("error", () => {}); // thrown as well, by throwOnErrors
    return keyv;
  };
  return (client) => {
    const keyv = keyvs.get(client) ?? create(client);
    keyvs.set(client, keyv);
    return keyv;
  };
}

/** A version, a point, the text. */
function toRecord(text: string | null | undefined): StoredRecord | undefined {
  if (text === null || text === undefined) return undefined;
  const end = text.indexOf(".");
  return end === -1 ? { version: "", value: text } : { version: text.slice(0, end), value: text.slice(end + 1) };
}
