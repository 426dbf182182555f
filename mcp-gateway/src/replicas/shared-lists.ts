/**
 * What servers list, shared: what one replica has learnt serves all, and what changes at one is told by all to their
 * clients. Listings are sealed, so that nobody else's words get into a tool's description. It wakes no server.
 */
import { CodedError, type Log, type Peers } from "@database-interface/mcp-core/host";
import { type Catalogue, type Listing, toListing } from "../catalogue.js";
import type { RedisConnection } from "../store/redis-connection.js";
import type { Store } from "../store/store.js";
import type { Vault } from "../vault/vault.js";

/** What is shared of servers' lists. */
export interface SharedLists extends Disposable {
  /** The catalogue whose new listings the others hear of. */
  share(catalogue: Catalogue): Catalogue;
  /** What another replica has learnt; undefined when none has, or the store is away. */
  recall(fingerprint: string): Promise<Listing | undefined>;
  /** Tells the others' clients. */
  tell(news: News): void;
}

/** What others tell their clients of. */
export type News = { readonly kind: "resources" } | { readonly kind: "resource"; readonly uri: string };

/** What sharing is made from. */
export interface SharedListsOptions {
  readonly store: Store;
  readonly redis: RedisConnection;
  readonly vault: Vault;
  readonly peers: Peers;
  readonly log: Log;
  /** Another replica has a new listing. */
  onListed(fingerprint: string): void;
  onNews(news: News): void;
}

const prefix = "list/";
const lifeMs = 7 * 24 * 3_600_000;
const listedTopic = "listed";
const newsTopic = "news";

export function openSharedLists({
  store,
  redis,
  vault,
  peers,
  log,
  onListed,
  onNews,
}: SharedListsOptions): SharedLists {
  const place = (fingerprint: string) => ({ record: fingerprint, field: "listing" });
  const disposables = [
    peers.on(listedTopic, (fingerprint) => onListed(String(fingerprint))),
    peers.on(newsTopic, (news) => onNews(news as News)), // told by one of us
  ];

  const published = new Map<string, string>();

  async function publish(fingerprint: string, listing: Listing): Promise<void> {
    const text = JSON.stringify(listing);
    if (published.get(fingerprint) === text) return;
    published.set(fingerprint, text);
    await redis.opened();
    const sealed = vault.seal(text, place(fingerprint));
    await store.set(prefix + fingerprint, sealed, { ttlMs: lifeMs });
    peers.tell(listedTopic, fingerprint);
  }

  return {
    share: (catalogue) => ({
      ...catalogue,
      set(fingerprint, listing) {
        catalogue.set(fingerprint, listing);
        publish(fingerprint, listing).catch((error: unknown) => log.debug("listing_not_shared", { error }));
      },
    }),
    async recall(fingerprint) {
      try {
        await redis.opened();
        const stored = await store.get(prefix + fingerprint, { touchMs: lifeMs });
        if (stored === undefined) return undefined;
        return toListing(JSON.parse(vault.open(stored.value, place(fingerprint)).text));
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        return undefined; // the server itself can be asked
      }
    },
    tell: (news) => peers.tell(newsTopic, news),
    [Symbol.dispose]() {
      for (const one of disposables) one[Symbol.dispose]();
    },
  };
}
