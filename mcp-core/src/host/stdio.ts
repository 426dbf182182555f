/**
 * One client on stdin and stdout, either era. The end of stdin, a reader that has gone (EPIPE) and a close all end the
 * connection and abort what is running.
 */
import type { Readable, Writable } from "node:stream";
import type { McpServerFactory, Server } from "@modelcontextprotocol/server";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { type Audience, type Subscriptions, serverOf, watchSubscriptions } from "./audience.js";
import { type OnListen, watchListens } from "./listens.js";
import type { Log } from "./log.js";

/** What the connection is made from. */
export interface StdioOptions {
  readonly factory: McpServerFactory;
  readonly audience: Audience;
  readonly log: Log;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly onListen?: OnListen | undefined;
}

/** The connection. */
export interface StdioConnection extends AsyncDisposable {
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;
}

/** Serves stdin and stdout until either ends. */
export function openStdio({ factory, audience, log, stdin, stdout, onListen }: StdioOptions): StdioConnection {
  const wire = new StdioServerTransport(stdin, stdout);
  let subscribed: Subscriptions = new Set<string>();
  const handle = serveStdio(
    async (context) => {
      const product = await factory(context);
      const server = serverOf(product);
      // a modern connection filters by its own subscriptions on the way out
      leaveOnClose(
        server,
        audience.join(server, context.era === "modern" ? { has: () => true } : { has: (uri) => subscribed.has(uri) }),
      );
      return product;
    },
    { transport: wire, onerror: (error) => log.debug("protocol_error", { message: error.message }) },
  );
  subscribed = watchSubscriptions(wire);
  const endListens = onListen === undefined ? undefined : watchListens(wire, onListen);
  const closed = new Promise<void>((resolve) => {
    const onclose = wire.onclose;
    wire.onclose = () => {
      onclose?.();
      endListens?.();
      resolve();
    };
  });
  return {
    closed,
    async [Symbol.asyncDispose]() {
      await handle.close();
    },
  };
}

function leaveOnClose(server: Server, leave: () => void): void {
  const onclose = server.onclose;
  server.onclose = () => {
    leave();
    onclose?.();
  };
}
