/** An HTTP proxy before a gateway that keeps a request or its answer to itself: the moment at which a process is killed. */
import { createServer, request as send } from "node:http";
import type { AddressInfo } from "node:net";

/** The proxy. What it keeps, it keeps until `release`. */
export interface HoldingProxy extends AsyncDisposable {
  readonly url: string;
  /** The next request whose body holds the text never arrives. Resolves once it is kept. */
  keepRequest(text: string): Promise<void>;
  /** From the next request on whose body holds the text nothing comes back. Resolves once `until` would have. */
  keepAnswers(text: string, until: string): Promise<void>;
  release(): void;
}

/** What is waited for. */
interface Catch {
  readonly text: string;
  readonly until?: string;
  readonly tell: () => void;
}

/** A proxy before the server at this URL. */
export async function openHoldingProxy(target: string): Promise<HoldingProxy> {
  const { hostname, port } = new URL(target);
  let wanted: Catch | undefined;
  let muted: Catch | undefined;
  const server = createServer(async (incoming, outgoing) => {
    const body = await readAll(incoming);
    if (wanted !== undefined && body.includes(wanted.text)) {
      const found = wanted;
      wanted = undefined;
      if (found.until === undefined) return found.tell();
      muted = found;
    }
    const { method, url: path, headers } = incoming;
    const passed = send({ hostname, port, method, path, headers: { ...headers, host: `${hostname}:${port}` } });
    passed.on("error", () => outgoing.destroy());
    passed.on("response", (answer) => {
      let swallowed = "";
      answer.on("error", () => outgoing.destroy());
      answer.on("end", () => muted ?? outgoing.end());
      answer.on("data", (chunk: Buffer) => {
        if (muted === undefined) return outgoing.write(chunk);
        swallowed += chunk.toString();
        if (swallowed.includes(muted.until ?? "")) muted.tell();
      });
      if (muted !== undefined) return;
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
    });
    outgoing.on("close", () => passed.destroy());
    passed.end(body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const caught = (text: string, until?: string): Promise<void> =>
    new Promise((tell) => {
      wanted = { text, tell, ...(until === undefined ? {} : { until }) };
    });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // listening on TCP
    keepRequest: (text) => caught(text),
    keepAnswers: (text, until) => caught(text, until),
    release() {
      wanted = undefined;
      muted = undefined;
      server.closeAllConnections();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

async function readAll(incoming: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer); // a request's chunks are
  return Buffer.concat(chunks).toString();
}
