/** What replicas of the gateway share besides sessions, joined: each other, legacy sessions, and the list of who is there. */
import type { Log, SessionDirectory } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import { defineOperation, type Operation } from "../operation.js";
import type { RedisConnection } from "../store/redis-connection.js";
import type { Store } from "../store/store.js";
import type { KeyRing } from "../vault/key-ring.js";
import type { Vault } from "../vault/vault.js";
import { createDirectory } from "./directory.js";
import { openPeers } from "./peers.js";
import { openRoster } from "./roster.js";

/** The other replicas, over a Redis that somebody else closes. */
export interface Replicas extends AsyncDisposable {
  readonly directory: SessionDirectory;
  readonly operations: readonly Operation[];
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
  const roster = openRoster({ self: peers.self, store, ring, log });
  return {
    directory: createDirectory({ store, vault, peers }),
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
