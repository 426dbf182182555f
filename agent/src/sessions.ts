/** Stored sessions: the sealed checkpointer on the store and the keys of the environment, opened and closed as one. */
import { readFile } from "node:fs/promises";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { SessionEntry } from "./answer.js";
import { SealedCheckpointer } from "./checkpoint.js";
import type { Environment } from "./config-file.js";
import { AgentError } from "./errors.js";
import { memoryClaims } from "./store/claims.js";
import { openStore } from "./store/open-store.js";
import { readKeys } from "./store/seal.js";

/** An open store of sessions. */
export interface Sessions extends AsyncDisposable {
  readonly checkpointer: SealedCheckpointer;
  /** False when its keys end with this process: what it stores can then be read by nobody later. */
  readonly isLasting: boolean;
}

/**
 * Opens the store a word names (`memory`, `file`, `file:<folder>`, `redis://…`) with the keys of `MCP_KEYS` or
 * `MCP_PASSPHRASE`, or of the files `MCP_KEYS_FILE` and `MCP_PASSPHRASE_FILE` name.
 * @throws AgentError `usage`, `config_invalid`, `config_unreadable`, `store_unreachable`
 */
export async function openSessions(word: string, environment: Environment): Promise<Sessions> {
  const { keys, isLasting } = readKeys({
    MCP_KEYS: await secretOf("MCP_KEYS", environment),
    MCP_PASSPHRASE: await secretOf("MCP_PASSPHRASE", environment),
  });
  const store = await openStore(word, environment);
  return {
    checkpointer: new SealedCheckpointer(store, { keys, isLasting }),
    isLasting: isLasting || word === "memory",
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** A checkpointer, and the sessions in it. */
export interface OpenedCheckpointer extends AsyncDisposable {
  readonly checkpointer: BaseCheckpointSaver;
  /** Latest first. */
  list(): Promise<readonly SessionEntry[]>;
  /** The right to work on a session, until disposed; undefined while another run has it. */
  claim(session: string): Promise<AsyncDisposable | undefined>;
}

/** A checkpointer of one's own as it is, or the sealed one on a store by its word; `keys` go before the environment's. */
export async function openCheckpointer(
  store: BaseCheckpointSaver | string,
  keys: string | undefined,
  environment: Environment,
): Promise<OpenedCheckpointer> {
  if (typeof store !== "string") {
    const claims = memoryClaims(); // all that can be said of a store we don't know
    const claim = (session: string) =>
      store instanceof SealedCheckpointer ? store.claim(session) : claims.take(session);
    return { checkpointer: store, list: () => listSessions(store), claim, async [Symbol.asyncDispose]() {} };
  }
  const ofEnvironment = store === "memory" ? {} : environment; // what ends with the process needs no lasting key
  const opened = await openSessions(store, keys === undefined ? ofEnvironment : { ...environment, MCP_KEYS: keys });
  const { checkpointer } = opened;
  return {
    checkpointer,
    list: () => listSessions(checkpointer),
    claim: (session) => checkpointer.claim(session),
    [Symbol.asyncDispose]: opened[Symbol.asyncDispose],
  };
}

async function listSessions(checkpointer: BaseCheckpointSaver): Promise<readonly SessionEntry[]> {
  if (checkpointer instanceof SealedCheckpointer) {
    return (await checkpointer.threads()).map(({ thread, updatedAt }) => ({ session: thread, updatedAt }));
  }
  const latest = new Map<string, string>();
  for await (const { config, checkpoint } of checkpointer.list({})) {
    const thread = String(config.configurable?.thread_id);
    if ((latest.get(thread) ?? "") < checkpoint.ts) latest.set(thread, checkpoint.ts);
  }
  const entries = [...latest].map(([session, updatedAt]) => ({ session, updatedAt }));
  return entries.sort((a, b) => b.updatedAt.localeCompare(a.updatedAt));
}

async function secretOf(name: string, environment: Environment): Promise<string | undefined> {
  const file = environment[`${name}_FILE`] ?? "";
  if (file === "") return environment[name];
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw new AgentError("config_unreadable", `The file ${name}_FILE names cannot be read.`, { cause });
  }
}
