/** A store by the word a person writes: `memory`, `file`, `file:<folder>`, or Redis by its URL. */
import { homedir } from "node:os";
import { join } from "node:path";
import { CodedError, type Environment, type Log } from "@database-interface/mcp-core/host";
import { openFileStore } from "./file-store.js";
import { createMemoryStore } from "./memory-store.js";
import { isRedisUrl, parseRedisUrl } from "./redis-address.js";
import { openRedisConnection, type RedisConnection } from "./redis-connection.js";
import { createRedisStore } from "./redis-store.js";
import type { Store } from "./store.js";

/** A store that is ours alone, or shared over Redis. */
export interface OpenStore extends AsyncDisposable {
  readonly store: Store;
  /** Set where several gateways share the store. */
  readonly redis: RedisConnection | undefined;
}

/** What a store is opened with. */
export interface OpenStoreOptions {
  readonly word: string;
  readonly environment: Environment;
  readonly log: Log;
}

/**
 * Opens a store. Neither a folder nor Redis need be there yet: one is made, the other waited for in the background.
 * @throws CodedError `config_invalid`
 */
export function openStore({ word, environment, log }: OpenStoreOptions): OpenStore {
  if (isRedisUrl(word)) {
    const redis = openRedisConnection({ address: parseRedisUrl(word), log });
    return { store: createRedisStore(redis), redis, [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose]() };
  }
  const store = openLocal(word, environment);
  return { store, redis: undefined, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

function openLocal(word: string, environment: Environment): Store {
  if (word === "memory") return createMemoryStore();
  if (word === "file") return openFileStore(defaultFolder(environment));
  if (/^file:./.test(word)) return openFileStore(word.slice("file:".length));
  throw new CodedError("config_invalid", "That is no store for sessions.", {
    hint: "It is memory, file, file:<folder>, or a URL such as redis://host:6379.",
  });
}

/** `$XDG_STATE_HOME/database-interface/gateway/sessions`, by default under `~/.local/state`. */
const defaultFolder = ({ XDG_STATE_HOME, HOME }: Environment): string =>
  join(XDG_STATE_HOME || join(HOME || homedir(), ".local", "state"), "database-interface", "gateway", "sessions");
