/**
 * A remote MCP server as a channel, over the SDK client's own transports (Streamable HTTP of both eras, legacy SSE). The
 * config's headers are put on last; nothing a client of ours sends becomes a header.
 */
import type { Log } from "@database-interface/mcp-core/host";
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import { type Channel, type Fields, type MessageId, toMessage } from "./message.js";

/** Where the server is. */
export interface RemoteServer {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly isSse: boolean;
}

/** Opens the transport; for SSE this connects. @throws Error with a sentence, never with a header */
export async function openHttpChannel(
  server: RemoteServer,
  { log, signal }: { log: Log; signal: AbortSignal },
): Promise<Channel> {
  const { SSEClientTransport, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const requestInit = { headers: { ...server.headers } };
  const url = new URL(server.url);
  const transport: Transport = server.isSse
    ? new SSEClientTransport(url, { requestInit })
    : new StreamableHTTPClientTransport(url, { requestInit });
  const exchanges = new Map<MessageId, AbortController>();
  let end: (reason: string) => void = () => {};
  const closed = new Promise<string>((resolve) => {
    end = resolve;
  });

  const channel: Channel = {
    onMessage: undefined,
    closed,
    send(message: Fields) {
      const id = typeof message.method === "string" && typeof message.id === "number" ? message.id : undefined;
      const exchange = new AbortController();
      if (id !== undefined) exchanges.set(id, exchange);
      transport
        .send(message as unknown as JSONRPCMessage, { requestSignal: exchange.signal })
        .catch((error: unknown) => {
          if (id === undefined || !exchanges.delete(id)) return;
          const reason = describe(error);
          log.debug("remote_send_failed", { reason });
          channel.onMessage?.({ kind: "lost", id, reason });
          if (isSessionGone(error)) end("its session has ended");
        });
    },
    abandon(id) {
      const exchange = exchanges.get(id);
      exchanges.delete(id);
      if (isModern) exchange?.abort();
      return isModern && exchange !== undefined;
    },
    opened(version) {
      isModern = version >= "2026";
      transport.setProtocolVersion?.(version);
    },
    async [Symbol.asyncDispose]() {
      await transport.close().catch(() => {});
      end("it was disconnected");
    },
  };
  let isModern = false;
  transport.onmessage = (raw) => {
    const message = toMessage(raw);
    if (message === undefined) return;
    if ((message.kind === "result" || message.kind === "error") && message.id !== undefined)
      exchanges.delete(message.id);
    channel.onMessage?.(message);
  };
  transport.onerror = (error) => log.debug("remote_error", { reason: describe(error) });
  transport.onclose = () => end("the connection was closed");
  await Promise.race([transport.start(), aborted(signal)]).catch((error: unknown) => {
    throw new Error(describe(error));
  });
  return channel;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** A sentence without anything the remote side wrote. */
function describe(error: unknown): string {
  const status = statusOf(error);
  if (status !== undefined) return `it answered with HTTP status ${status}`;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string")
    return `it could not be reached (${cause.code})`;
  if (cause instanceof Error && cause.name === "TimeoutError") return "it did not answer in time";
  return "the connection failed";
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const data = "data" in error && typeof error.data === "object" && error.data !== null ? error.data : {};
  for (const value of [
    "status" in error ? error.status : undefined,
    "status" in data ? data.status : undefined,
    "code" in error ? error.code : undefined,
  ]) {
    if (typeof value === "number" && value >= 100 && value < 600) return value;
  }
  return undefined;
}

const isSessionGone = (error: unknown): boolean => statusOf(error) === 404;
