/** Where sessions are kept, by one word: memory, a folder, or Redis; as two keyv stores, of threads and of records. */
import { homedir } from "node:os";
import { join } from "node:path";
import { Keyv, type KeyvStoreAdapter } from "keyv";
import type { Environment } from "../config-file.js";
import { AgentError, withoutSecrets } from "../errors.js";
import { type Claims, fileClaims, memoryClaims, redisClaims } from "./claims.js";
import { FileStore } from "./file-store.js";

/** An open store. */
export interface SessionStore extends AsyncDisposable {
  /** One entry a thread: which records it has. */
  readonly threads: Keyv<string>;
  /** Checkpoints and pending writes. */
  readonly records: Keyv<string>;
  /** Who works on which session. */
  readonly claims: Claims;
}

/** Sessions untouched for this long are forgotten, unless told otherwise. */
const defaultTtlMs = 30 * 24 * 3_600_000;
const connectTimeoutMs = 3_000;

/**
 * Opens `memory`, `file`, `file:<folder>` or a `redis://` URL, and proves that it answers.
 * @throws AgentError `usage`, `store_unreachable`
 */
export async function openStore(
  word: string,
  environment: Environment,
  { ttlMs = defaultTtlMs } = {},
): Promise<SessionStore> {
  if (word === "memory") return toStore(new Map(), new Map(), memoryClaims(), ttlMs);
  if (word === "file" || word.startsWith("file:")) {
    const folder = word === "file" || word === "file:" ? sessionsFolder(environment) : word.slice("file:".length);
    const [threads, records] = ["threads", "records"].map((name) => new FileStore(join(folder, name)));
    return toStore(threads, records, fileClaims(join(folder, "claims")), ttlMs);
  }
  if (/^rediss?:\/\//.test(word)) return openRedis(word, ttlMs);
  throw new AgentError("usage", "That is no store for sessions.", {
    hint: "It may be memory, file, file:<folder>, or redis://host:6379.",
  });
}

/** `$XDG_STATE_HOME/db-agent/sessions`, below `~/.local/state` by default. */
export function sessionsFolder({ XDG_STATE_HOME: state = "", HOME: home }: Environment): string {
  return join(state === "" ? join(home ?? homedir(), ".local", "state") : state, "db-agent", "sessions");
}

/** The defaults of client and adapter wait for ever when Redis is away; these fail within seconds, and say so. */
async function openRedis(url: string, ttlMs: number): Promise<SessionStore> {
  const { createClient, default: KeyvRedis } = await import("@keyv/redis");
  const client = createClient({
    url,
    disableOfflineQueue: true,
    pingInterval: 5_000,
    socket: {
      connectTimeout: connectTimeoutMs,
      socketTimeout: 15_000,
      reconnectStrategy: (tries) => (tries > 20 ? new Error("Redis stays away.") : Math.min(2_000, 50 * 2 ** tries)),
    },
  });
  let isOpen = false;
  try {
    await new Promise<void>((resolve, reject) => {
      client.on("error", (error: Error) => {
        if (!isOpen) reject(error); // later ones come with the call they break
      });
      client.connect().then(() => resolve(), reject);
    });
    await client.ping();
    isOpen = true;
  } catch (cause) {
    client.destroy();
    throw unreachable(cause);
  }
  const options = { throwOnErrors: true, throwOnConnectError: true, useUnlink: true };
  // two adapters on one client, each with the namespace as its prefix
  const [threads, records] = ["threads", "records"].map(
    (name) => new KeyvRedis(client as never, { ...options, namespace: `db-agent:${name}` }), // one client, two typings of it
  );
  const store = toStore(threads as never, records as never, redisClaims(client as never), ttlMs); // both exist; the adapter's own typing is loose
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      if (client.isOpen) await client.close().catch(() => client.destroy());
    },
  };
}

type Store = KeyvStoreAdapter | Map<string, unknown> | undefined;

function toStore(threads: Store, records: Store, claims: Claims, ttlMs: number): SessionStore {
  const open = (store: Store, name: string): Keyv<string> => {
    const keyv = new Keyv<string>({
      store,
      ttl: ttlMs,
      namespace: `db-agent:${name}`,
      useKeyPrefix: false,
      throwOnErrors: true,
    });
    keyv.on("error", () => {}); // thrown as well, by throwOnErrors
    return keyv;
  };
  return {
    threads: open(threads, "threads"),
    records: open(records, "records"),
    claims,
    async [Symbol.asyncDispose]() {},
  };
}

const unreachable = (cause: unknown): AgentError =>
  new AgentError("store_unreachable", `The store for sessions does not answer: ${withoutSecrets(String(cause))}`, {
    hint: "Is Redis running at that address? --store file keeps sessions without it.",
    retryable: true,
    cause,
  });
