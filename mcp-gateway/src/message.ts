/**
 * JSON-RPC messages as they travel between the gateway and a server: plain objects, never copied through schemas, so
 * that nothing in them can get lost. It knows no transport and no method.
 */

export type Fields = Readonly<Record<string, unknown>>;
export type MessageId = string | number;

export interface RequestMessage {
  readonly id: MessageId;
  readonly method: string;
  readonly params?: Fields | undefined;
}

export interface NotificationMessage {
  readonly method: string;
  readonly params?: Fields | undefined;
}

/** The error object of a response. */
export interface ErrorBody {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** Any message, by what it is. */
export type Message =
  | ({ readonly kind: "request" } & RequestMessage)
  | ({ readonly kind: "notification" } & NotificationMessage)
  | { readonly kind: "result"; readonly id: MessageId; readonly result: Fields }
  | { readonly kind: "error"; readonly id: MessageId | undefined; readonly error: ErrorBody }
  /** Made by a channel: this request's connection ended before its answer. */
  | { readonly kind: "lost"; readonly id: MessageId; readonly reason: string; readonly wasSent: boolean };

/** What a server answered with an error, rethrown to the client as it is. */
export class AnsweredError extends Error {
  override readonly name = "AnsweredError";
  readonly code: number;
  readonly data: unknown;

  constructor({ code, message, data }: ErrorBody) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isId = (value: unknown): value is MessageId => typeof value === "string" || typeof value === "number";

/** The message in a parsed JSON value, undefined when it is none. */
export function toMessage(value: unknown): Message | undefined {
  if (!isFields(value) || value.jsonrpc !== "2.0") return undefined;
  const { id, method, params, result, error } = value;
  if (typeof method === "string") {
    if (params !== undefined && !isFields(params)) return undefined;
    if (id === undefined) return { kind: "notification", method, params };
    return isId(id) ? { kind: "request", id, method, params } : undefined;
  }
  if (isFields(error) && typeof error.code === "number" && typeof error.message === "string") {
    const body = { code: error.code, message: error.message, ...("data" in error ? { data: error.data } : {}) };
    return { kind: "error", id: isId(id) ? id : undefined, error: body };
  }
  return isId(id) && isFields(result) ? { kind: "result", id, result } : undefined;
}

/** A way to a server: messages out, messages in, until it closes. */
export interface Channel extends AsyncDisposable {
  /** Sends one message; after the channel has closed it is dropped. */
  send(message: Fields): void;
  /** Takes each message that arrives, from the moment it is set. `requestId` is known where the transport tells which request of ours it belongs to. */
  onMessage: ((message: Message, requestId?: MessageId) => void) | undefined;
  /** Resolves when nothing can arrive any more, to a sentence that says why. */
  readonly closed: Promise<string>;
  /** Ends one request's own stream, where the transport has one; true if it did. */
  abandon?(id: MessageId): boolean;
  /** Called once the handshake is over, with the protocol version agreed. */
  opened?(version: string): void;
}
