/** Server-sent events: frames as text, a comment now and then so that nothing in between takes the line for dead. */

/** One event. */
export interface SseMessage {
  readonly event: string;
  readonly data: string;
  readonly id?: number | undefined;
}

const beatMs = 15_000;

/** A response that sends messages as they come; `stop` is called when the client leaves first. */
export function sseResponse(
  messages: AsyncGenerator<SseMessage, void, undefined>,
  stop: () => void,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const encoder = new TextEncoder();
  let beat: NodeJS.Timeout | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(":\n\n")); // headers leave at once
      beat = setInterval(() => controller.enqueue(encoder.encode(":\n\n")), beatMs);
    },
    async pull(controller) {
      const { done, value } = await messages.next().catch((error: unknown) => {
        clearInterval(beat);
        throw error;
      });
      if (!done) return controller.enqueue(encoder.encode(toText(value)));
      clearInterval(beat);
      controller.close();
    },
    async cancel() {
      clearInterval(beat);
      stop();
      await messages.return();
    },
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      ...headers,
    },
  });
}

/** JSON has no line break in it, so that one data line is enough. */
const toText = ({ event, data, id }: SseMessage): string =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`;
