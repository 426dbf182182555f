/**
 * A plain proxy as it stands before replicas: every request to the next backend, no stickiness. One that refuses the
 * connection is passed over, as nothing was sent; one that goes away after that costs the request a 502, which nobody
 * repeats.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";

/** The proxy. */
export interface RoundRobin extends AsyncDisposable {
  readonly url: string;
  /** Requests passed to each port. */
  readonly passed: ReadonlyMap<number, number>;
  /** POSTs whose backend went away after they were sent. */
  readonly broken: readonly string[];
}

/** A proxy before servers on loopback ports. */
export async function openRoundRobin(ports: readonly number[]): Promise<RoundRobin> {
  const passed = new Map<number, number>(ports.map((port) => [port, 0]));
  const broken: string[] = [];
  let turn = 0;

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const first = turn++;
    for (let tries = 0; tries < ports.length; tries++) {
      const port = ports[(first + tries) % ports.length] ?? 0;
      if (await tryOne(port, incoming, body, outgoing)) return;
    }
    outgoing.writeHead(502).end("no backend");
  }

  /** False when the backend refused the connection. */
  function tryOne(port: number, incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse): Promise<boolean> {
    return new Promise((resolve) => {
      let isConnected = false;
      let isOver = false;
      const { method, url, headers } = incoming;
      const onward = request({ host: "127.0.0.1", port, method, path: url, headers, agent: false });
      const fail = (): void => {
        if (!isOver && !outgoing.destroyed && isConnected) {
          if (method === "POST") broken.push(body.toString("utf8"));
          if (outgoing.headersSent) outgoing.destroy();
          else outgoing.writeHead(502).end("bad gateway");
        }
        resolve(isOver || isConnected || outgoing.destroyed);
        isOver = true;
      };
      onward.once("socket", (socket) =>
        socket.once("connect", () => {
          isConnected = true;
          passed.set(port, (passed.get(port) ?? 0) + 1);
        }),
      );
      outgoing.once("close", () => onward.destroy());
      onward.once("error", fail);
      onward.once("response", (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.flushHeaders();
        answer.pipe(outgoing);
        answer.once("aborted", fail);
        answer.once("end", () => {
          isOver = true;
          resolve(true);
        });
      });
      onward.end(body);
    });
  }

  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing)).listen(0, "127.0.0.1");
  server.keepAliveTimeout = 120_000; // a client's connection is not closed just as it sends the next request
  await once(server, "listening");
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    passed,
    broken,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
