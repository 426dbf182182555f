/**
 * Who wants to hear about which resource: one subscription at the server for any number of clients, renewed when the
 * server starts again, and the server kept awake as long as anyone listens. How clients are told is for the host room.
 */
import { delay } from "./delay.js";
import { keepListening } from "./listening.js";
import type { Member } from "./member.js";
import type { Caller, Upstream } from "./upstream.js";

/** The subscriptions of all clients. */
export interface Subscriptions {
  /** @throws what the server answers when it refuses */
  subscribe(client: string, uri: string, member: Member, signal: AbortSignal): Promise<void>;
  /** Gives up one client's subscription. */
  unsubscribe(client: string, uri: string): void;
  /** A client has gone. */
  forget(client: string): void;
  /** Subscribes again at a server that has just started. */
  renew(member: Member, upstream: Upstream): void;
  /** Another server stands where one stood: its subscribers stay, unless there is none. */
  replace(old: Member, next: Member | undefined): void;
}

interface Subscribed {
  readonly uris: Map<string, Set<string>>;
  hold: Disposable | undefined;
  /** Ends the modern server's stream of the last set of resources. */
  listening: AbortController | undefined;
}

const caller: Caller = { id: "gateway", capabilities: {} };
const answerMs = 10_000;

/** `onGap`: updates of a resource may have been missed. */
export function createSubscriptions({ onGap }: { onGap(uri: string): void }): Subscriptions {
  const all = new Map<Member, Subscribed>();

  /** Resolves when the server tells of updates, or refuses to. The stream of the last set goes when that of the new one stands. */
  function listen(one: Subscribed, upstream: Upstream): Promise<void> {
    const before = one.listening;
    one.listening = undefined;
    const uris = [...one.uris.keys()];
    if (uris.length === 0) {
      before?.abort();
      return Promise.resolve();
    }
    one.listening = new AbortController();
    const { signal } = one.listening;
    return new Promise((resolve) => {
      const opened = (): void => {
        before?.abort();
        resolve();
      };
      keepListening(upstream, {
        notifications: { resourceSubscriptions: uris },
        signal,
        onOpen(isAgain) {
          opened();
          if (isAgain) uris.forEach(onGap);
        },
      }).finally(opened);
    });
  }

  function drop(client: string, uri: string, member: Member, one: Subscribed): void {
    const clients = one.uris.get(uri);
    if (clients?.delete(client) !== true || clients.size > 0) return;
    one.uris.delete(uri);
    const { running } = member.supervisor;
    if (running?.description.era === "modern") void listen(one, running);
    else
      running
        ?.request("resources/unsubscribe", { uri }, { signal: AbortSignal.timeout(answerMs), caller })
        .catch(() => {}); // nobody waits for it
    if (one.uris.size > 0) return;
    one.hold?.[Symbol.dispose]();
    all.delete(member);
  }

  return {
    async subscribe(client, uri, member, signal) {
      const one = all.get(member) ?? { uris: new Map<string, Set<string>>(), hold: undefined, listening: undefined };
      const clients = one.uris.get(uri) ?? new Set<string>();
      const isFirst = clients.size === 0;
      await member.supervisor.use(async (upstream) => {
        const isModern = upstream.description.era === "modern";
        if (isFirst && !isModern) await upstream.request("resources/subscribe", { uri }, { signal, caller });
        all.set(member, one);
        one.uris.set(uri, clients.add(client));
        one.hold ??= member.supervisor.hold();
        if (isFirst && isModern) await Promise.race([listen(one, upstream), delay(answerMs, signal)]);
      }, signal);
    },
    unsubscribe(client, uri) {
      for (const [member, one] of all) drop(client, uri, member, one);
    },
    forget(client) {
      for (const [member, one] of all) for (const uri of [...one.uris.keys()]) drop(client, uri, member, one);
    },
    replace(old, next) {
      const one = all.get(old);
      if (one === undefined) return;
      all.delete(old);
      one.hold?.[Symbol.dispose]();
      one.listening?.abort();
      one.listening = undefined;
      if (next === undefined) return;
      all.set(next, one);
      one.hold = next.supervisor.hold();
      next.supervisor.use(async () => {}, AbortSignal.timeout(answerMs)).catch(() => {}); // subscribed when it starts
    },
    renew(member, upstream) {
      const one = all.get(member);
      if (one === undefined) return;
      if (upstream.description.era === "modern") {
        void listen(one, upstream);
        return;
      }
      for (const uri of one.uris.keys()) {
        upstream
          .request("resources/subscribe", { uri }, { signal: AbortSignal.timeout(answerMs), caller })
          .catch(() => {}); // it may know it no more
      }
    },
  };
}
