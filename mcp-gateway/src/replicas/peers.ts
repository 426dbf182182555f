/**
 * How replicas reach each other: by the Redis they share, each under a channel of its own and one for all. Messages are
 * sealed like everything else that is kept there, count once and for a minute, so that whoever can write into Redis and has
 * no key can neither read them, nor make or repeat one. Whoever asks is told when the one asked is gone.
 */
import { randomBytes } from "node:crypto";
import {
  CodedError,
  type Log,
  type PeerContext,
  type PeerHandler,
  type Peers,
  toErrorReport,
} from "@database-interface/mcp-core/host";
import { isFields } from "../message.js";
import type { RedisConnection } from "../store/redis-connection.js";
import type { Vault } from "../vault/vault.js";

/** What peers are made from. */
export interface PeersOptions {
  readonly redis: RedisConnection;
  readonly vault: Vault;
  readonly log: Log;
  /** Milliseconds in which a question is taken. Default 1,500. */
  readonly takenMs?: number | undefined;
  /** Milliseconds of silence after which who works on an answer is given up. Default 7,000. */
  readonly lostMs?: number | undefined;
}

interface Envelope {
  readonly kind: "tell" | "ask" | "alive" | "answer" | "fault" | "cancel";
  /** Of the question; of its own for what is told. */
  readonly id: string;
  readonly from: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly topic?: string;
  readonly value?: unknown;
}

interface Asked {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  /** Waits for another sign of life. */
  renew(): void;
}

const maxAgeMs = 60_000;
const aliveMs = 2_000;

export function openPeers({ redis, vault, log, takenMs = 1_500, lostMs = 7_000 }: PeersOptions): Peers & Disposable {
  const self = randomBytes(6).toString("hex");
  const channels = { all: `${redis.address.prefix}:peers`, of: (id: string) => `${redis.address.prefix}:peer:${id}` };
  const handlers = new Map<string, Set<PeerHandler>>();
  const asked = new Map<string, Asked>();
  const working = new Map<string, AbortController>();
  const once = createOnce();

  async function send(channel: string, message: Omit<Envelope, "from" | "at">): Promise<void> {
    const text = JSON.stringify({ ...message, from: self, at: Date.now() });
    const sealed = vault.seal(text, placeOf(channel));
    await redis.run(({ commands }) => commands.publish(channel, sealed));
  }

  /** What nobody waits for: it is missed like any message while Redis is away. */
  function sendQuietly(channel: string, message: Omit<Envelope, "from" | "at">): void {
    send(channel, message).catch((error: unknown) => log.debug("peer_not_told", { error }));
  }

  function take(channel: string, sealed: string): void {
    const message = open(channel, sealed);
    if (message === undefined || message.from === self) return;
    const { kind, id, from, value } = message;
    switch (kind) {
      case "tell":
      case "ask":
        if (once.isNew(id)) void work(message);
        return;
      case "cancel":
        working.get(`${from} ${id}`)?.abort(new Error("The other replica needs no answer any more."));
        return;
      case "alive":
        asked.get(id)?.renew();
        return;
      case "answer":
        asked.get(id)?.resolve(value);
        return;
      case "fault":
        asked.get(id)?.reject(toError(value));
    }
  }

  function open(channel: string, sealed: string): Envelope | undefined {
    try {
      const message: unknown = JSON.parse(vault.open(sealed, placeOf(channel)).text);
      const envelope = message as Envelope; // sealed by one of us
      if (Math.abs(Date.now() - envelope.at) <= maxAgeMs) return envelope;
      log.warn("peer_message_old", { hint: "The replicas' clocks differ, or somebody repeats messages." });
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
    }
    return undefined; // the vault has logged why
  }

  async function work({ kind, id, from, topic = "", value }: Envelope): Promise<void> {
    const controller = new AbortController();
    const key = `${from} ${id}`;
    const isAsked = kind === "ask";
    const reply = (message: Pick<Envelope, "kind" | "value">): void =>
      isAsked ? sendQuietly(channels.of(from), { ...message, id }) : undefined;
    working.set(key, controller);
    reply({ kind: "alive" });
    const timer = setInterval(() => reply({ kind: "alive" }), aliveMs);
    try {
      const answer = await firstAnswer(handlers.get(topic) ?? [], value, { from, signal: controller.signal });
      reply({ kind: "answer", value: answer });
    } catch (error) {
      if (!(error instanceof CodedError)) log.error("peer_request_failed", { topic, error });
      reply({ kind: "fault", value: toErrorReport(error) });
    } finally {
      clearInterval(timer);
      working.delete(key);
    }
  }

  const subscriptions = [channels.all, channels.of(self)].map((channel) =>
    redis.subscribe(channel, (sealed) => take(channel, sealed)),
  );
  return {
    self,
    tell: (topic, value) => sendQuietly(channels.all, { kind: "tell", id: newId(), topic, value }),
    ask(peer, topic, value, { signal }) {
      const id = newId();
      const channel = channels.of(peer);
      return new Promise((resolve, reject) => {
        let timer = setTimeout(giveUp, takenMs);
        const settle =
          <Outcome>(outcome: (value: Outcome) => void) =>
          (given: Outcome): void => {
            clearTimeout(timer);
            asked.delete(id);
            signal.removeEventListener("abort", cancel);
            outcome(given);
          };
        const fail = settle(reject);
        function giveUp(): void {
          fail(replicaLost());
        }
        function cancel(): void {
          sendQuietly(channel, { kind: "cancel", id });
          fail(signal.reason);
        }
        asked.set(id, {
          resolve: settle(resolve),
          reject: fail,
          renew() {
            clearTimeout(timer);
            timer = setTimeout(giveUp, lostMs);
          },
        });
        if (signal.aborted) return fail(signal.reason);
        signal.addEventListener("abort", cancel, { once: true });
        send(channel, { kind: "ask", id, topic, value }).catch(fail);
      });
    },
    on(topic, handler) {
      const all = handlers.get(topic) ?? new Set();
      handlers.set(topic, all.add(handler));
      return { [Symbol.dispose]: () => void all.delete(handler) };
    },
    [Symbol.dispose]() {
      for (const one of subscriptions) one[Symbol.dispose]();
      for (const one of asked.values()) one.reject(replicaLost());
      for (const one of working.values()) one.abort(new Error("The gateway is stopping."));
    },
  };
}

/** The other one may have done what it was asked to, or not. */
const replicaLost = (): CodedError =>
  new CodedError(
    "replica_lost",
    "The replica that this is for has gone. What was sent may or may not have taken effect.",
    {
      hint: "Check what has happened before sending it again.",
    },
  );

/** What one of them answers; what one throws counts only where none takes it. */
async function firstAnswer(handlers: Iterable<PeerHandler>, value: unknown, context: PeerContext): Promise<unknown> {
  const outcomes = await Promise.allSettled([...handlers].map(async (handler) => handler(value, context)));
  const taken = outcomes.filter((one) => one.status === "fulfilled");
  const [refused] = outcomes;
  if (taken.length === 0 && refused?.status === "rejected") throw refused.reason;
  return taken.find((one) => one.value !== undefined)?.value;
}

const newId = (): string => randomBytes(12).toString("base64url");

const placeOf = (channel: string) => ({ record: channel, field: "message" });

/** Ids of the last while: a message that comes again was sent again by somebody else. */
function createOnce(): { isNew(id: string): boolean } {
  const seen = new Map<string, number>();
  return {
    isNew(id) {
      const now = performance.now();
      for (const [old, at] of seen) {
        if (now - at < 2 * maxAgeMs) break;
        seen.delete(old);
      }
      if (seen.has(id)) return false;
      seen.set(id, now);
      return true;
    },
  };
}

function toError(report: unknown): CodedError {
  const { code, message, hint, retryable } = isFields(report) ? report : {};
  return new CodedError(String(code), String(message), {
    hint: typeof hint === "string" ? hint : undefined,
    retryable: retryable === true,
  });
}
