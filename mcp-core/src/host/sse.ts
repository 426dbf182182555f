/**
 * The transport of 2024 (HTTP with SSE, protocol 2024-11-05): a stream from `/sse`, messages to `/messages`. Hosts that
 * still speak it need nothing else; removing this file and its two routes removes it. Where several processes serve
 * together, a message goes on to the one that has the stream.
 * @see https://modelcontextprotocol.io/specification/2024-11-05/basic/transports#http-with-sse
 */
import { randomUUID } from "node:crypto";
import type { ReadableStreamDefaultController, UnderlyingSource } from "node:stream/web";
import {
  type JSONRPCMessage,
  type McpServerFactory,
  parseJSONRPCMessage,
  type Transport,
} from "@modelcontextprotocol/server";
import { type Audience, serverOf, watchSubscriptions } from "./audience.js";
import { CodedError } from "./errors.js";
import type { Log } from "./log.js";
import { type Caller, type Principal, type Role, toAuthInfo } from "./principal.js";
import { notFound, problem } from "./problem.js";
import type { SessionDirectory } from "./session-directory.js";
import { withSessionId } from "./session-sharing.js";
import { findGivingWay, type Holding } from "./shares.js";

/** What the leg is made from. */
export interface SseOptions {
  readonly factory: McpServerFactory;
  readonly audience: Audience;
  readonly log: Log;
  /** Open streams at most; at the cap one of whoever has many more than the newcomer ends. */
  readonly maxSessions: number;
  /** Where others find out who has a stream. */
  readonly directory?: SessionDirectory | undefined;
  /** Milliseconds between comment lines that keep proxies from closing the stream. Default 15,000. */
  readonly keepAliveMs?: number;
}

/** The two routes. */
export interface SseLeg extends AsyncDisposable {
  /** `GET /sse`. The stream lives until the client goes, which the signal tells, and belongs to its principal. */
  open(request: Request, caller: Caller): Promise<Response>;
  /** `POST /messages?sessionId=…` with the parsed body. */
  post(request: Request, parsedBody: unknown, caller: Caller): Promise<Response>;
}

/** Its owner may post to it. */
interface Stream extends Holding {
  readonly id: string;
  readonly transport: Transport;
  close(): Promise<void>;
}

/** A client that reads so much too slowly is cut off. */
const maxUnreadBytes = 33_554_432;

/** A stream that is not heard of for so many times its keep-alive is gone. */
const missedKeepAlives = 4;
const messageTopic = "stream-message";

/** No streams yet. */
export function createSseLeg(options: SseOptions): SseLeg {
  const { factory, audience, log, maxSessions, directory, keepAliveMs = 15_000 } = options;
  const streams = new Map<string, Stream>();
  const ttlMs = keepAliveMs * missedKeepAlives;

  const taking = directory?.peers.on(messageTopic, (value) => {
    const { id, message, principal } = value as Passed; // told by one of us
    const stream = streams.get(id);
    if (stream?.owner !== principal.id) throw noStream();
    const authInfo = toAuthInfo({ id: principal.id, roles: new Set(principal.roles) });
    stream.transport.onmessage?.(message, { authInfo });
  });

  /** Tells the others whose stream this is, and that we have it, until the returned function is called. */
  async function announce(id: string, owner: string): Promise<() => void> {
    if (directory === undefined) return () => {};
    await directory.create(id, { kind: "stream", owner, holder: directory.peers.self }, ttlMs);
    const forget = (error: unknown): void => log.debug("stream_not_kept", { error });
    const timer = setInterval(() => directory.touch(id, ttlMs).catch(forget), keepAliveMs);
    timer.unref();
    return () => {
      clearInterval(timer);
      directory.remove(id).catch(forget);
    };
  }

  /** Lets whoever has the stream take a message. */
  async function passOn(id: string, message: JSONRPCMessage, { principal, signal }: Caller): Promise<void> {
    const found = id === "" ? undefined : await directory?.read(id);
    if (found?.entry.kind !== "stream" || found.entry.owner !== principal.id) throw noStream();
    const passed: Passed = { id, message, principal: { id: principal.id, roles: [...principal.roles] } };
    await directory?.peers.ask(found.entry.holder, messageTopic, passed, { signal });
  }

  return {
    async open(request, { principal, signal }) {
      if (streams.size >= maxSessions) {
        const leaving = findGivingWay(streams.values(), principal.id);
        if (leaving === undefined)
          return problem(503, "busy", "All streams are in use. Try again later.", { "retry-after": "5" });
        streams.delete(leaving.id);
        leaving.close().catch((error) => log.debug("close_failed", { error }));
      }
      const id = randomUUID();
      const { transport, body } = createStream(`/messages?sessionId=${id}`, keepAliveMs);
      const common = { id, owner: principal.id, lastUsed: performance.now(), transport };
      const holding = { ...common, rests: false, yields: true }; // nobody tells whether a stream is at work
      streams.set(id, { ...holding, close: () => transport.close() });
      try {
        const requestInfo = withSessionId(request, id);
        const product = await factory({ era: "legacy", requestInfo, authInfo: toAuthInfo(principal) });
        const server = serverOf(product);
        const withdraw = await announce(id, principal.id);
        await product.connect(transport);
        const leave = audience.join(server, watchSubscriptions(transport));
        const onclose = server.onclose;
        server.onclose = () => {
          leave();
          withdraw();
          streams.delete(id);
          onclose?.();
        };
        const hasGivenWay = !streams.has(id);
        if (!hasGivenWay) streams.set(id, { ...holding, close: () => product.close() });
        const end = (): Promise<void> => product.close().catch((error) => log.debug("close_failed", { error }));
        if (signal.aborted || hasGivenWay) await end();
        signal.addEventListener("abort", end, { once: true });
      } catch (error) {
        streams.delete(id);
        await transport.close();
        throw error;
      }
      return new Response(body, {
        headers: {
          "content-type": "text/event-stream",
          "cache-control": "no-cache, no-transform",
          "x-accel-buffering": "no",
        },
      });
    },
    async post(request, parsedBody, caller) {
      const { principal } = caller;
      const id = new URL(request.url).searchParams.get("sessionId") ?? "";
      const stream = streams.get(id);
      if (directory === undefined && stream?.owner !== principal.id) return notFound(noStream().message);
      let message: JSONRPCMessage;
      try {
        message = parseJSONRPCMessage(parsedBody);
      } catch {
        return problem(400, "message_invalid", "The body is not a JSON-RPC message.");
      }
      if (stream?.owner === principal.id) {
        stream.transport.onmessage?.(message, { request, authInfo: toAuthInfo(principal) });
      } else {
        try {
          await passOn(id, message, caller);
        } catch (error) {
          if (!(error instanceof CodedError)) throw error;
          if (error.code === "not_found") return notFound(error.message);
          if (error.code === "replica_lost") return problem(502, error.code, error.message);
          throw error;
        }
      }
      return new Response("Accepted", { status: 202 });
    },
    async [Symbol.asyncDispose]() {
      taking?.[Symbol.dispose]();
      await Promise.all([...streams.values()].map((stream) => stream.close()));
    },
  };
}

/** A message on its way to the process that has its stream. */
interface Passed {
  readonly id: string;
  readonly message: JSONRPCMessage;
  readonly principal: { readonly id: Principal["id"]; readonly roles: readonly Role[] };
}

const noStream = (): CodedError => new CodedError("not_found", "There is no such stream. Open /sse first.");

function createStream(
  endpoint: string,
  keepAliveMs: number,
): { transport: Transport; body: ReadableStream<Uint8Array> } {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const write = (text: string): void => controller?.enqueue(encoder.encode(text));
  const transport: Transport = {
    async start() {
      write(`event: endpoint\ndata: ${endpoint}\n\n`);
      timer = setInterval(() => write(": keep-alive\n\n"), keepAliveMs);
    },
    async send(message) {
      if (closed) throw new Error("The stream is closed.");
      write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
      if ((controller?.desiredSize ?? 0) < -maxUnreadBytes) await transport.close();
    },
    async close() {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      try {
        controller?.close();
      } catch {
        // the reader has already cancelled it
      }
      controller = undefined;
      transport.onclose?.();
    },
  };
  const source: UnderlyingSource<Uint8Array> = {
    start(started) {
      controller = started;
    },
    cancel: () => transport.close(),
  };
  const body = new ReadableStream(source, new ByteLengthQueuingStrategy({ highWaterMark: 65_536 }));
  return { transport, body };
}
