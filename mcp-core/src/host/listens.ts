/**
 * Which resources modern clients listen to. The SDK answers `subscriptions/listen` itself and tells no server; one that
 * has to fetch its updates from elsewhere (a gateway) must know, and be ready before the client is told that it is.
 */
import type { Transport } from "@modelcontextprotocol/server";

/**
 * Told when a client begins to listen to resources; the signal fires when it no longer does. The client is told that it
 * is heard when this has resolved, so that nothing it waits for can happen unseen.
 */
export type OnListen = (uris: readonly string[], signal: AbortSignal) => Promise<void>;

/** The resources that a `subscriptions/listen` request names; empty for any other message. */
export function listenedUris(message: unknown): readonly string[] {
  if (!isObject(message) || message.method !== "subscriptions/listen" || !isObject(message.params)) return [];
  const { notifications } = message.params;
  const uris = isObject(notifications) ? notifications.resourceSubscriptions : undefined;
  return Array.isArray(uris) ? uris.filter((uri) => typeof uri === "string") : [];
}

/** Watches a connection that carries many requests; the returned function ends all that still listen. */
export function watchListens(transport: Transport, onListen: OnListen): () => void {
  const open = new Map<unknown, AbortController>();
  const deliver = transport.onmessage;
  transport.onmessage = (message, extra) => {
    const uris = listenedUris(message);
    if (uris.length > 0 && "id" in message) {
      const controller = new AbortController();
      open.set(message.id, controller);
      const proceed = (): void => {
        if (!controller.signal.aborted) deliver?.(message, extra);
      };
      onListen(uris, controller.signal).then(proceed, proceed);
      return;
    }
    if ("method" in message && message.method === "notifications/cancelled") {
      open.get(message.params?.requestId)?.abort();
      open.delete(message.params?.requestId);
    }
    deliver?.(message, extra);
  };
  return () => {
    for (const controller of open.values()) controller.abort();
    open.clear();
  };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;
