/** A modern client that listens for updates of resources: its servers are told, before it hears that it listens. */
import { type Log, type OnListen, withTimeout } from "@database-interface/mcp-core/host";
import type { Discovery } from "./discovery.js";
import type { Fleet } from "./fleet.js";
import type { Subscriptions } from "./subscriptions.js";

/** Milliseconds that a client's listening is held back until its servers tell of updates. */
const listenMs = 5_000;

/** Subscribes for as long as a client's stream is open. */
export function createListening({
  fleet,
  discovery,
  subscriptions,
  log,
}: {
  readonly fleet: Pick<Fleet, "router">;
  readonly discovery: Pick<Discovery, "whenListed">;
  readonly subscriptions: Subscriptions;
  readonly log: Log;
}): OnListen {
  let listens = 0;

  async function subscribeFor(client: string, uri: string, signal: AbortSignal): Promise<void> {
    await discovery.whenListed(signal);
    const [member] = fleet.router.resource(uri);
    if (member === undefined || member.plan.databases !== undefined) return; // the suite's own do not tell of updates
    await subscriptions.subscribe(client, uri, member, signal);
  }

  return async (uris, signal) => {
    const client = `listen ${++listens}`;
    const limit = withTimeout(signal, listenMs);
    const subscribe = (uri: string): Promise<void> =>
      subscribeFor(client, uri, limit).catch((error: unknown) => log.debug("not_subscribed", { error }));
    signal.addEventListener("abort", () => subscriptions.forget(client), { once: true });
    await Promise.all(uris.map(subscribe));
    if (signal.aborted) subscriptions.forget(client);
  };
}
