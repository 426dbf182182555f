/**
 * A remote MCP server as a channel, over the SDK client's own transports (Streamable HTTP of both eras, legacy SSE). The
 * config's headers are put on last; nothing a client of ours sends becomes a header. However a connection breaks, no
 * request is left waiting for an answer that cannot come.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Log } from "@database-interface/mcp-core/host";
import type { AuthProvider, JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import { delay } from "./delay.js";
import { type Channel, type Fields, type MessageId, toMessage } from "./message.js";
import { NoToken } from "./remote-token.js";

/** Where the server is. */
export interface RemoteServer {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly isSse: boolean;
  /** Where its access tokens come from, if it wants any. */
  readonly tokens?: AuthProvider | undefined;
}

/** Opens the transport; for SSE this connects. @throws Error with a sentence, never with a header */
export async function openHttpChannel(
  server: RemoteServer,
  { log, signal }: { log: Log; signal: AbortSignal },
): Promise<Channel> {
  const { SSEClientTransport, SseError, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const { tokens: authProvider } = server;
  const given = {
    requestInit: { headers: { ...server.headers } },
    ...(authProvider === undefined ? {} : { authProvider }),
  };
  const url = new URL(server.url);
  const transport: Transport & { terminateSession?(): Promise<void> } = server.isSse
    ? new SSEClientTransport(url, given)
    : new StreamableHTTPClientTransport(url, given);
  const exchanges = new Map<MessageId, AbortController>();
  /** The request on whose own stream a message arrives, which the transport does not tell. */
  const ownRequest = new AsyncLocalStorage<MessageId | undefined>();
  let end: (reason: string) => void = () => {};
  const closed = new Promise<string>((resolve) => {
    end = resolve;
  });

  const giveUp = (reason: string): void => {
    end(reason);
    void transport.close().catch(() => {});
  };

  const channel: Channel = {
    onMessage: undefined,
    closed,
    send(message: Fields) {
      const id = typeof message.method === "string" && typeof message.id === "number" ? message.id : undefined;
      const exchange = new AbortController();
      if (id !== undefined) exchanges.set(id, exchange);
      const lose = (reason: string, wasSent: boolean): void => {
        if (id === undefined || !exchanges.delete(id)) return;
        log.debug("remote_request_lost", { reason });
        channel.onMessage?.({ kind: "lost", id, reason, wasSent });
      };
      const options = {
        requestSignal: exchange.signal,
        onRequestStreamEnd: () => lose("its answer broke off", true),
      };
      ownRequest
        .run(id, () => transport.send(message as unknown as JSONRPCMessage, options)) // it is one: we made it
        .catch((error: unknown) => {
          const status = statusOf(error) ?? 0;
          const isUnreachable = codeOf(error) === "ECONNREFUSED";
          const isUnsent = isUnreachable || error instanceof NoToken || wantedScope(error) !== undefined;
          lose(describe(error), !isUnsent && !isRefusal(status));
          if (isUnreachable) giveUp(describe(error));
          else if (id !== undefined && status === 404) giveUp("its session has ended");
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
      if (!isModern) await sayGoodbye(transport);
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
    channel.onMessage?.(message, ownRequest.getStore());
  };
  let isStarted = false;
  transport.onerror = (error) => {
    log.debug("remote_error", { reason: describe(error) });
    // a stream that is opened again belongs to a session that has not been greeted
    if (error instanceof SseError && isStarted) void channel[Symbol.asyncDispose]();
  };
  transport.onclose = () => end("the connection was closed");
  try {
    await Promise.race([transport.start(), aborted(signal)]);
  } catch (error) {
    await transport.close().catch(() => {});
    throw new Error(describe(error));
  }
  isStarted = true;
  return channel;
}

/** Milliseconds that a server gets to end its session. */
const goodbyeMs = 1_000;

/** Ends a legacy session, which else stays at the server until it sweeps; a server that is slow or away is left alone. */
async function sayGoodbye(transport: { terminateSession?(): Promise<void> }): Promise<void> {
  const over = new AbortController();
  await Promise.race([transport.terminateSession?.().catch(() => {}), delay(goodbyeMs, over.signal)]);
  over.abort();
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** A sentence without anything the remote side wrote. */
function describe(error: unknown): string {
  if (error instanceof NoToken) return error.message;
  const scope = wantedScope(error);
  if (scope !== undefined) return `its access token lacks a scope${scope === "" ? "" : ` (${scope})`}`;
  const status = statusOf(error);
  if (status !== undefined) return `it answered with HTTP status ${status}`;
  const code = codeOf(error);
  if (code !== undefined) return `it could not be reached (${code})`;
  if (error instanceof Error && error.name === "TimeoutError") return "it did not answer in time";
  return "the connection failed";
}

/** What an access token would have to be good for, where that is said plainly; undefined for any other error. */
function wantedScope(error: unknown): string | undefined {
  // only the SDK's error for it has one
  if (typeof error !== "object" || error === null || !("requiredScope" in error)) return undefined;
  const said = String(error.requiredScope ?? "");
  return /^[\w:./-]+( [\w:./-]+)*$/.test(said) && said.length <= 120 ? said : "";
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

/** A request that was answered so has not been run. */
const isRefusal = (status: number): boolean => status >= 400 && status < 500 && status !== 408;

/** The system's code, for what did not come to an HTTP answer. */
function codeOf(error: unknown): string | undefined {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
}
