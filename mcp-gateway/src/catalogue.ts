/**
 * What servers offer, remembered on disk from the last time they ran, so that listing wakes nobody. It asks a running
 * server for its lists and keeps them as they are; what they are called outside is for `naming`.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Log } from "@database-interface/mcp-core/host";
import type { ServerDescription } from "./handshake.js";
import { type Fields, isFields } from "./message.js";
import type { Caller, Upstream } from "./upstream.js";

/** Everything a server listed, each entry as it came. */
export interface Listing {
  readonly description: ServerDescription;
  /** When the era was found out by asking, in milliseconds since 1970; undefined where the config tells it. */
  readonly eraFoundAt?: number | undefined;
  readonly tools: readonly Fields[];
  readonly prompts: readonly Fields[];
  readonly resourceTemplates: readonly Fields[];
  /** Undefined until someone asked for them. */
  readonly resources?: readonly Fields[] | undefined;
}

/** Listings by a server's fingerprint. */
export interface Catalogue {
  get(fingerprint: string): Listing | undefined;
  set(fingerprint: string, listing: Listing): void;
  /** Resolves when everything is on disk, or could not be written. */
  flush(): Promise<void>;
}

/** `$XDG_CACHE_HOME/database-interface/gateway`, by default under `~/.cache`. */
export function defaultCacheFolder(environment: Readonly<Record<string, string | undefined>>): string {
  return join(
    environment.XDG_CACHE_HOME || join(environment.HOME || homedir(), ".cache"),
    "database-interface",
    "gateway",
  );
}

/** The catalogue in a folder, which only its owner can read; without a usable folder it lives in memory. */
export function openCatalogue({ folder, log }: { folder: string; log: Log }): Catalogue {
  const known = new Map<string, Listing>();
  let writing: Promise<void> = Promise.resolve();
  let isUsable = true;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    isUsable = false;
    log.warn("catalogue_in_memory", { folder, error });
  }
  const fileOf = (fingerprint: string): string => join(folder, `${fingerprint}.json`);
  return {
    get(fingerprint) {
      const listing = known.get(fingerprint) ?? (isUsable ? readListing(fileOf(fingerprint)) : undefined);
      if (listing !== undefined) known.set(fingerprint, listing);
      return listing;
    },
    set(fingerprint, listing) {
      known.set(fingerprint, listing);
      if (!isUsable) return;
      writing = writing.then(async () => {
        const draft = `${fileOf(fingerprint)}.${process.pid}`;
        try {
          await writeFile(draft, JSON.stringify(listing), { mode: 0o600 });
          await rename(draft, fileOf(fingerprint));
        } catch (error) {
          log.warn("catalogue_not_written", { error });
        }
      });
    },
    flush: () => writing,
  };
}

function readListing(path: string): Listing | undefined {
  try {
    return toListing(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined; // absent or damaged: the server is asked again
  }
}

/** A listing that was kept; undefined for what is none. */
export function toListing(value: unknown): Listing | undefined {
  if (!isFields(value) || !isFields(value.description)) return undefined;
  const { era, capabilities, instructions } = value.description;
  if ((era !== "legacy" && era !== "modern") || !isFields(capabilities)) return undefined;
  return {
    description: { era, capabilities, ...(typeof instructions === "string" ? { instructions } : {}) },
    tools: entriesOf(value.tools),
    prompts: entriesOf(value.prompts),
    resourceTemplates: entriesOf(value.resourceTemplates),
    ...(typeof value.eraFoundAt === "number" ? { eraFoundAt: value.eraFoundAt } : {}),
    ...(Array.isArray(value.resources) ? { resources: entriesOf(value.resources) } : {}),
  };
}

const entriesOf = (value: unknown): Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);

const caller: Caller = { id: "gateway", capabilities: {}, info: { name: "mcp-gateway", version: "1" } };

/** Asks a running server for all but its resources. */
export async function fetchListing(upstream: Upstream, signal: AbortSignal): Promise<Listing> {
  const { description } = upstream;
  const { tools, prompts, resources } = description.capabilities;
  const [listedTools, listedPrompts, resourceTemplates] = await Promise.all([
    tools === undefined ? [] : fetchAll(upstream, "tools/list", "tools", signal),
    prompts === undefined ? [] : fetchAll(upstream, "prompts/list", "prompts", signal),
    // servers without templates may refuse the question
    resources === undefined
      ? []
      : fetchAll(upstream, "resources/templates/list", "resourceTemplates", signal).catch(() => []),
  ]);
  return { description, tools: listedTools, prompts: listedPrompts, resourceTemplates };
}

/** Asks a running server for its resources. */
export function fetchResources(upstream: Upstream, signal: AbortSignal): Promise<readonly Fields[]> {
  if (upstream.description.capabilities.resources === undefined) return Promise.resolve([]);
  return fetchAll(upstream, "resources/list", "resources", signal);
}

const maxPages = 200;

async function fetchAll(
  upstream: Upstream,
  method: string,
  key: string,
  signal: AbortSignal,
): Promise<readonly Fields[]> {
  const entries: Fields[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page++) {
    const result = await upstream.request(method, cursor === undefined ? {} : { cursor }, { signal, caller });
    entries.push(...entriesOf(result[key]));
    if (typeof result.nextCursor !== "string" || result.nextCursor === cursor) break;
    cursor = result.nextCursor;
  }
  return entries;
}
