/**
 * Who hears about changes: every live connection that holds a server (legacy sessions, SSE, stdio). Modern HTTP
 * subscriptions have the SDK's own event bus. It knows no transport; it sees their messages pass.
 */
import type { JSONRPCMessage, McpServer, Server, Transport } from "@modelcontextprotocol/server";
import type { Log } from "./log.js";

/** Tells clients what has changed. Never throws; a client that cannot be told is skipped. */
export interface Notifier {
  toolsChanged(): void;
  promptsChanged(): void;
  resourcesChanged(): void;
  /** Reaches the clients that subscribed to the resource. */
  resourceUpdated(uri: string): void;
}

/** The live connections, and the notifier that reaches them. */
export interface Audience {
  readonly notify: Notifier;
  /** Adds a connected server until the returned function is called. */
  join(server: Server, subscriptions: Subscriptions): () => void;
}

/** The resources that one connection has subscribed to; undefined: its transport filters by itself. */
export interface Subscriptions {
  has(uri: string): boolean;
}

/** The low-level server of what a factory made. */
export const serverOf = (product: McpServer | Server): Server => ("server" in product ? product.server : product);

/** An audience without members. */
export function createAudience(log: Log): Audience {
  const members = new Map<Server, Subscriptions>();
  const tell = (send: (server: Server, subscriptions: Subscriptions) => Promise<void> | undefined): void => {
    for (const [server, subscriptions] of members) {
      try {
        send(server, subscriptions)?.catch((error: unknown) => log.debug("notify_failed", { error }));
      } catch (error) {
        log.debug("notify_failed", { error });
      }
    }
  };
  return {
    join(server, subscriptions) {
      members.set(server, subscriptions);
      return () => members.delete(server);
    },
    notify: {
      toolsChanged: () =>
        tell((server) => (server.getCapabilities().tools?.listChanged ? server.sendToolListChanged() : undefined)),
      promptsChanged: () =>
        tell((server) => (server.getCapabilities().prompts?.listChanged ? server.sendPromptListChanged() : undefined)),
      resourcesChanged: () =>
        tell((server) =>
          server.getCapabilities().resources?.listChanged ? server.sendResourceListChanged() : undefined,
        ),
      resourceUpdated: (uri) =>
        tell((server, subscriptions) => (subscriptions.has(uri) ? server.sendResourceUpdated({ uri }) : undefined)),
    },
  };
}

/** Watches a connection's incoming messages for `resources/subscribe` and `resources/unsubscribe`. */
export function watchSubscriptions(transport: Transport): Subscriptions {
  const uris = new Set<string>();
  const deliver = transport.onmessage;
  transport.onmessage = (message, extra) => {
    const uri = subscribedUri(message);
    if (uri !== undefined && "method" in message)
      uris[message.method === "resources/subscribe" ? "add" : "delete"](uri);
    deliver?.(message, extra);
  };
  return uris;
}

function subscribedUri(message: JSONRPCMessage): string | undefined {
  if (!("method" in message)) return undefined;
  if (message.method !== "resources/subscribe" && message.method !== "resources/unsubscribe") return undefined;
  const uri = message.params?.uri;
  return typeof uri === "string" ? uri : undefined;
}
