/**
 * Between node:http and the web's Request and Response: bodies are read once and bounded, streams respect a slow reader,
 * and a client that goes away aborts the request's signal. It knows no route.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

/** The URL that was asked for, dots resolved; undefined when the request line holds no path of ours. */
export function toUrl(incoming: IncomingMessage): URL | undefined {
  const target = incoming.url ?? "";
  const base = `http://${incoming.headers.host ?? "localhost"}`;
  return target.startsWith("/") && URL.canParse(base + target) ? new URL(base + target) : undefined;
}

/** Fires when the client goes away before it has its answer. */
export function toSignal(outgoing: ServerResponse): AbortSignal {
  const controller = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** The request without its body. */
export function toRequest(incoming: IncomingMessage, url: URL, signal: AbortSignal): Request {
  const headers = new Headers();
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    headers.append(incoming.rawHeaders[index] ?? "", incoming.rawHeaders[index + 1] ?? "");
  }
  return new Request(url, { method: incoming.method ?? "GET", headers, signal });
}

/** The body's text, or undefined when it has more than `maxBytes`. */
export async function readBody(incoming: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  if (Number(incoming.headers["content-length"] ?? 0) > maxBytes) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  const arriving: AsyncIterable<Buffer> = incoming.iterator({ destroyOnReturn: false });
  for await (const chunk of arriving) {
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Milliseconds a client that is still sending gets to read why it was refused. */
const lateBodyMs = 500;

/**
 * Sends a refusal before the body has been read. Closing at once would reset the connection and lose the answer, so
 * what still comes is thrown away for a moment.
 */
export async function sendEarly(
  response: Response,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  if (incoming.complete || !isBodyComing(incoming)) return sendResponse(response, outgoing);
  const body = Buffer.from(await response.arrayBuffer());
  const headers = { ...Object.fromEntries(response.headers), "content-length": body.length, connection: "close" };
  outgoing.writeHead(response.status, headers).write(body);
  incoming.resume();
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, lateBodyMs);
    incoming.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    incoming.once("end", () => {
      clearTimeout(timer);
      resolve();
    });
  });
  outgoing.end();
}

/** At the time of its headers no request is complete; one without these has no more to come. */
const isBodyComing = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/** Sends a value as JSON in one write. */
export function sendJson(status: number, value: unknown, outgoing: ServerResponse): void {
  const body = Buffer.from(JSON.stringify(value));
  outgoing.writeHead(status, { "content-type": "application/json", "content-length": body.length }).end(body);
}

/** Sends a response; resolves when it is sent or the client has gone. */
export async function sendResponse(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.statusCode = response.status;
  response.headers.forEach((value, name) => {
    outgoing.setHeader(name, value);
  });
  const { body } = response;
  if (body === null || outgoing.destroyed) {
    await body?.cancel().catch(() => {});
    outgoing.end();
    return;
  }
  // JSON is complete when it is answered: with its length known, headers and body leave in one write
  if (isJson(response)) {
    outgoing.end(Buffer.from(await response.arrayBuffer()));
    return;
  }
  await sendStream(body, outgoing);
}

const isJson = (response: Response): boolean =>
  /^application\/(problem\+)?json/.test(response.headers.get("content-type") ?? "");

async function sendStream(body: ReadableStream<Uint8Array>, outgoing: ServerResponse): Promise<void> {
  // a stream that has nothing to say yet still says that it is open
  const flush = setImmediate(() => outgoing.flushHeaders());
  const reader = body.getReader();
  const onClose = (): void => void reader.cancel().catch(() => {});
  outgoing.once("close", onClose);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || outgoing.destroyed) break;
      if (!outgoing.write(value)) await drained(outgoing);
    }
  } finally {
    clearImmediate(flush);
    outgoing.off("close", onClose);
    outgoing.end();
  }
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("drain", done).off("close", done);
      resolve();
    };
    outgoing.once("drain", done).once("close", done);
  });
}
