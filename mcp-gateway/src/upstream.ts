/**
 * The gateway's connection to one running server, in the server's own protocol era: requests with their progress, log
 * messages and questions, notifications, the handshake. Params and results pass untouched. It knows no tool and no
 * front client beyond what a request brings along.
 */
import {
  type Era,
  type HandshakeOptions,
  type Line,
  legacyVersion,
  modernVersion,
  type ServerDescription,
  shakeHands,
} from "./handshake.js";
import { AnsweredError, type Channel, type Fields, isFields, type Message, type MessageId } from "./message.js";
import { metaKeys, toMeta } from "./request-meta.js";
import type { Trace } from "./trace.js";

/** Who asks: sent along to modern servers, and the address for what a server asks back. */
export interface Caller {
  /** Equal for requests of the same connection; what cannot be told apart goes only where all requests are of one caller. */
  readonly id: string;
  /** Whose share of a server's places a request takes. */
  readonly account?: string | undefined;
  readonly info?: Fields | undefined;
  readonly capabilities: Fields;
  readonly logLevel?: string | undefined;
  /** Takes log messages that belong to no request; only a connection can, and modern clients have none. */
  readonly onOwnLog?: ((params: Fields) => void) | undefined;
}

/** How a request is made. */
export interface RequestOptions {
  readonly signal: AbortSignal;
  readonly caller: Caller;
  readonly trace?: Trace | undefined;
  onProgress?(params: Fields): void;
  onLog?(params: Fields): void;
  /** A server that is listened to says that it tells of changes from now on. */
  onAcknowledged?(): void;
  /** The server asks the client something (elicitation, sampling, roots); the answer is its result. */
  onQuestion?(question: { readonly method: string; readonly params: Fields }): Promise<Fields>;
}

/** Thrown when the server goes away before it answers. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  /** False when the request cannot have reached it. */
  readonly wasSent: boolean;

  constructor(reason: string, wasSent = true) {
    super(reason);
    this.wasSent = wasSent;
  }
}

/** An open connection; disposing it ends the server's process. */
export interface Upstream extends AsyncDisposable {
  readonly description: ServerDescription;
  /** @throws AnsweredError the server's own error; ConnectionLost */
  request(method: string, params: Fields, options: RequestOptions): Promise<Fields>;
  notify(method: string, params: Fields): void;
  readonly closed: Promise<string>;
}

/** What happens outside any request. */
export interface UpstreamEvents {
  onNotification(method: string, params: Fields): void;
}

interface Pending extends RequestOptions {
  readonly method: string;
  resolve(result: Fields): void;
  reject(error: Error): void;
}

/**
 * Shakes hands over a channel.
 * @throws AnsweredError, ConnectionLost, or the signal's reason
 */
export async function openUpstream(
  channel: Channel,
  options: HandshakeOptions,
  events: UpstreamEvents,
): Promise<Upstream> {
  const wire = createWire(channel, events);
  const caller: Caller = { id: "gateway", info: options.identity, capabilities: {} };
  const line: Line = {
    get isLost() {
      return wire.isLost;
    },
    ask: (method, params, era, signal) => wire.request(method, params, { signal, caller }, era),
    notify: wire.notify,
  };
  const description = await shakeHands(line, options);
  channel.opened?.(description.era === "modern" ? modernVersion : legacyVersion);
  return {
    description,
    request: (method, params, request) => wire.request(method, params, request, description.era),
    notify: (method, params) => wire.notify(method, params),
    closed: channel.closed,
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };
}

interface Wire {
  /** Nothing can arrive any more. */
  readonly isLost: boolean;
  request(method: string, params: Fields, options: RequestOptions, era: Era): Promise<Fields>;
  notify(method: string, params: Fields): void;
}

function createWire(channel: Channel, events: UpstreamEvents): Wire {
  const pending = new Map<MessageId, Pending>();
  let lastId = 0;
  let lost: string | undefined;
  /** The only client connection it has worked for: what the server says outside any request is for it, or for nobody. */
  let only: Caller | "several" | undefined;

  channel.onMessage = (message, requestId) => {
    switch (message.kind) {
      case "result":
        settle(message.id)?.resolve(message.result);
        return;
      case "error":
        if (message.id !== undefined) settle(message.id)?.reject(new AnsweredError(message.error));
        return;
      case "lost":
        settle(message.id)?.reject(new ConnectionLost(message.reason, message.wasSent));
        return;
      case "notification":
        takeNotification(message.method, message.params ?? {}, requestId);
        return;
      case "request":
        void answer(message, requestId);
    }
  };
  void channel.closed.then((reason) => {
    lost = reason;
    for (const one of pending.values()) one.reject(new ConnectionLost(reason));
    pending.clear();
  });

  function settle(id: MessageId): Pending | undefined {
    const found = pending.get(id);
    pending.delete(id);
    return found;
  }

  /** The request something belongs to that names none: the only one, or any if all are of the same caller. */
  function owner(requestId: MessageId | undefined): Pending | undefined {
    if (requestId !== undefined) return pending.get(requestId);
    const [first, ...others] = [...pending.values()].filter(({ onQuestion }) => onQuestion !== undefined); // clients' calls
    return others.every(({ caller }) => caller.id === first?.caller.id) ? first : undefined;
  }

  function takeNotification(method: string, params: Fields, requestId: MessageId | undefined): void {
    if (method === "notifications/progress") {
      const id = params.progressToken;
      if (typeof id === "number" || typeof id === "string") pending.get(id)?.onProgress?.(params);
      return;
    }
    if (method === "notifications/message") {
      const onLog = owner(requestId)?.onLog;
      if (onLog !== undefined) onLog(params);
      else if (only !== "several") only?.onOwnLog?.(params);
      return;
    }
    if (method === "notifications/subscriptions/acknowledged") {
      const id = isFields(params._meta) ? params._meta[metaKeys.subscriptionId] : undefined;
      if (typeof id === "number" || typeof id === "string") pending.get(id)?.onAcknowledged?.();
      return;
    }
    events.onNotification(method, params);
  }

  async function answer(
    { id, method, params = {} }: Message & { kind: "request" },
    requestId: MessageId | undefined,
  ): Promise<void> {
    const reply = (body: Fields): void => channel.send({ jsonrpc: "2.0", id, ...body });
    if (method === "ping") return reply({ result: {} });
    const one = owner(requestId);
    if (one?.onQuestion === undefined) {
      const message =
        pending.size > 1
          ? "More than one client is served right now; it is not known which is meant."
          : "No client can answer this.";
      return reply({ error: { code: -32601, message: `${method}: ${message}` } });
    }
    try {
      reply({ result: await one.onQuestion({ method, params }) });
    } catch (error) {
      const code = error instanceof Error && "code" in error && Number.isSafeInteger(error.code) ? error.code : -32603;
      reply({ error: { code, message: error instanceof Error ? error.message : "The client did not answer." } });
    }
  }

  return {
    get isLost() {
      return lost !== undefined;
    },
    notify: (method, params) => channel.send({ jsonrpc: "2.0", method, params }),
    request(method, params, options, era) {
      const { signal, caller, trace, onProgress } = options;
      if (lost !== undefined) return Promise.reject(new ConnectionLost(lost, false));
      if (signal.aborted) return Promise.reject(signal.reason);
      const id = ++lastId;
      if (options.onQuestion !== undefined) {
        const isOnly = only === undefined || (only !== "several" && only.id === caller.id);
        only = isOnly ? caller : "several";
      }
      const { _meta: own, ...rest } = params;
      const progressToken = onProgress === undefined ? undefined : id;
      return new Promise<Fields>((resolve, reject) => {
        const cancel = (): void => {
          if (!pending.delete(id)) return;
          const isOver = channel.abandon?.(id) ?? false;
          if (!isOver && method !== "initialize") {
            channel.send({
              jsonrpc: "2.0",
              method: "notifications/cancelled",
              params: { requestId: id, reason: "cancelled by the client" },
            });
          }
          reject(signal.reason);
        };
        signal.addEventListener("abort", cancel, { once: true });
        const done = (): void => signal.removeEventListener("abort", cancel);
        pending.set(id, {
          ...options,
          method,
          resolve(result) {
            done();
            resolve(result);
          },
          reject(error) {
            done();
            reject(error);
          },
        });
        channel.send({
          jsonrpc: "2.0",
          id,
          method,
          params: { ...rest, ...toMeta({ own, caller, trace, progressToken, era }) },
        });
      });
    },
  };
}
