/**
 * A modern server's stream of changes. Over HTTP it can break off while the server is still there (a proxy's time limit, a
 * restart behind a balancer): then it is opened again, and what it may have missed is said.
 */
import { anySignal } from "@database-interface/mcp-core/host";
import { delay } from "./delay.js";
import type { Fields } from "./message.js";
import { ConnectionLost, type Upstream } from "./upstream.js";

/** What is listened to, and what is done about a gap. */
export interface Listening {
  /** As `subscriptions/listen` has them. */
  readonly notifications: Fields;
  /** Ends it before the connection does. */
  readonly signal?: AbortSignal;
  /** The server listens from now on; `isAgain`: the stream had broken off, and changes may have been missed. */
  onOpen(isAgain: boolean): void;
}

const firstPauseMs = 250;
const maxPauseMs = 30_000;

/** Listens until the signal fires, the connection ends, or the server refuses. */
export async function keepListening(upstream: Upstream, { notifications, signal, onOpen }: Listening): Promise<void> {
  const gone = new AbortController();
  void upstream.closed.then(() => gone.abort());
  const over = signal === undefined ? gone.signal : anySignal([signal, gone.signal]);
  let pauseMs = firstPauseMs;
  let isAgain = false;
  const onAcknowledged = (): void => {
    onOpen(isAgain);
    isAgain = true;
  };
  while (!over.aborted) {
    const began = performance.now();
    try {
      await upstream.request(
        "subscriptions/listen",
        { notifications },
        { signal: over, caller: { id: "gateway", capabilities: {} }, onAcknowledged },
      );
    } catch (error) {
      if (!(error instanceof ConnectionLost)) return; // refused, or ended by the signal
    }
    pauseMs = performance.now() - began > maxPauseMs ? firstPauseMs : Math.min(maxPauseMs, pauseMs * 2);
    await delay(pauseMs, over);
  }
}
