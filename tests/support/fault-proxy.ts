/**
 * A TCP proxy on loopback whose network can go wrong on demand: cut, reset, frozen, slow, half closed. Faults hit the
 * connections that are open now; freezing, slowing and refusing also hit those to come, until healed.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** The proxy, and what can be done to its network. */
export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** The same URL with the proxy in front of its server. */
  through(url: string): string;
  /** Connections open now. */
  readonly openCount: number;
  /** Connections made so far. */
  readonly madeCount: number;
  /** Ends both directions in order, as a server that closes does. */
  cut(): void;
  /** RST to the client. */
  reset(): void;
  /** Ends the way to the client only; what the client sends still arrives. */
  halfClose(): void;
  /** Nothing passes any more, and nobody is told. New connections open and stay silent. */
  freeze(): void;
  /** Every chunk is held back for so long, in each direction. */
  slow(delayMs: number): void;
  /** New connections are reset at once. */
  refuse(): void;
  /** Replaces text on its way to the server by other text of the same length, until healed. */
  rewrite(from: string, to: string): void;
  /** How often a text was passed on to the server so far. */
  countSent(text: string): number;
  /** New connections pass; held ones stay lost, slow ones are quick again. */
  heal(): void;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  frozen: boolean;
}

/** A proxy before `host:port`. */
export async function openFaultProxy(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  let isFrozen = false;
  let isRefusing = false;
  let delayMs = 0;
  let made = 0;
  let sent = "";
  let rewriting: { readonly from: string; readonly to: string } | undefined;

  /** One byte a character, so that lengths stay what they are. */
  function towardsServer(chunk: Buffer): Buffer {
    const text = chunk.toString("latin1");
    sent += text;
    return rewriting === undefined ? chunk : Buffer.from(text.replaceAll(rewriting.from, rewriting.to), "latin1");
  }

  function pass(pair: Pair, from: Socket, to: Socket): void {
    from.on("data", (data: Buffer) => {
      if (pair.frozen) return;
      const chunk = to === pair.server ? towardsServer(data) : data;
      if (delayMs === 0) return void to.write(chunk);
      // One timer after the other with the same delay keeps the order.
      setTimeout(() => !pair.frozen && to.writable && to.write(chunk), delayMs);
    });
    from.on("end", () => !pair.frozen && setTimeout(() => to.end(), delayMs));
    from.on("error", () => {});
    from.on("close", () => {
      pairs.delete(pair);
      // A frozen network carries no good-bye either.
      if (!pair.frozen) to.destroy();
    });
  }

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    made++;
    if (isRefusing) return void client.resetAndDestroy();
    const server = connect({ ...target, allowHalfOpen: true });
    const pair: Pair = { client, server, frozen: isFrozen };
    pairs.add(pair);
    pass(pair, client, server);
    pass(pair, server, client);
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const each = (act: (pair: Pair) => void) => {
    for (const pair of [...pairs]) act(pair);
  };

  return {
    port,
    through(url) {
      const changed = new URL(url);
      changed.hostname = "127.0.0.1";
      changed.port = String(port);
      return changed.href;
    },
    get openCount() {
      return pairs.size;
    },
    get madeCount() {
      return made;
    },
    cut: () => each(({ client }) => client.destroy()),
    reset: () => each(({ client }) => client.resetAndDestroy()),
    halfClose: () => each(({ client }) => client.end()),
    freeze() {
      isFrozen = true;
      each((pair) => {
        pair.frozen = true;
      });
    },
    slow(ms) {
      delayMs = ms;
    },
    refuse() {
      isRefusing = true;
    },
    rewrite(from, to) {
      rewriting = { from, to };
    },
    countSent: (text) => sent.split(text).length - 1,
    heal() {
      rewriting = undefined;
      isFrozen = false;
      isRefusing = false;
      delayMs = 0;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      each(({ client, server }) => {
        client.destroy();
        server.destroy();
      });
    },
  };
}
