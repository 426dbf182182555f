/** What replicas of the gateway share besides sessions, joined: each other, legacy sessions, and the list of who is there. */
import type { Log, RateLimiter, RateLimiterOptions, SessionDirectory } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import { defineOperation, type Operation } from "../operation.js";
import type { RedisConnection } from "../store/redis-connection.js";
import type { Store } from "../store/store.js";
import type { KeyRing } from "../vault/key-ring.js";
import type { Vault } from "../vault/vault.js";
import { createDirectory } from "./directory.js";
import { createElsewhere, type Elsewhere } from "./elsewhere.js";
import { openPeers } from "./peers.js";
import { createSharedRateLimiter } from "./rate-limiter.js";
import { openRoster } from "./roster.js";
import { openSharedLists, type SharedLists, type SharedListsOptions } from "./shared-lists.js";

/** The other replicas, over a Redis that somebody else closes. */
export interface Replicas extends AsyncDisposable {
  readonly directory: SessionDirectory;
  readonly elsewhere: Elsewhere;
  readonly operations: readonly Operation[];
  createRateLimiter(options: RateLimiterOptions): RateLimiter;
  shareLists(options: Pick<SharedListsOptions, "onListed" | "onNews">): SharedLists;
  /** @throws CodedError `keys_differ` */
  agreed(): Promise<void>;
}

/** What they are opened with. */
export interface ReplicasOptions {
  readonly redis: RedisConnection;
  readonly store: Store;
  readonly vault: Vault;
  readonly ring: KeyRing;
  readonly log: Log;
}

export function openReplicas({ redis, store, vault, ring, log }: ReplicasOptions): Replicas {
  const peers = openPeers({ redis, vault, log });
  const elsewhere = createElsewhere({ peers, store });
  const roster = openRoster({ self: peers.self, store, ring, log });
  return {
    directory: createDirectory({ store, vault, peers }),
    elsewhere,
    createRateLimiter: (options) => createSharedRateLimiter(redis, options),
    shareLists: (events) => openSharedLists({ store, redis, vault, peers, log, ...events }),
    agreed: roster.agreed,
    operations: [
      defineOperation({
        method: "GET",
        path: "/v1/replicas",
        id: "listReplicas",
        summary: "Which gateways serve together.",
        role: "admin",
        response: v.object({ replicas: v.array(replicaView) }),
        handle: async () => ({
          replicas: (await roster.list()).map(({ id, since, keys, isSelf }) => ({
            id,
            since,
            keys: [...keys],
            self: isSelf,
          })),
        }),
      }),
    ],
    async [Symbol.asyncDispose]() {
      await roster[Symbol.asyncDispose]();
      elsewhere[Symbol.dispose]();
      peers[Symbol.dispose]();
    },
  };
}

const replicaView = v.object({
  id: v.string(),
  since: v.string(),
  /** The names of its keys. */
  keys: v.array(v.string()),
  /** Whether it is the one that answers. */
  self: v.boolean(),
});
