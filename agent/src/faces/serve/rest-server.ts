/** A listening REST server on an agent of its caller's: opened, drained in order, closed in bounded time. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Agent } from "../../agent.js";
import { AgentError } from "../../errors.js";
import { createApp, type RequestEntry } from "./app.js";
import { createDoor } from "./door.js";
import { createLiveRuns } from "./live-runs.js";
import type { Tokens } from "./tokens.js";

/** What a server is made of. */
export interface RestServerOptions {
  readonly agent: Agent;
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Undefined lets everybody in who reaches the address; loopback only. */
  readonly tokens: Tokens | undefined;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  log(entry: RequestEntry): void;
}

/** The server. Its dispose aborts what still runs; drain it first where that shall end by itself. */
export interface RestServer extends AsyncDisposable {
  readonly url: string;
  /** Takes no new connection and no new run, and lets those going on end for so long. */
  drain(patienceMs: number): Promise<void>;
}

/** @throws AgentError `usage` for an address that cannot be had, or others reach without a token */
export async function openRestServer(options: RestServerOptions): Promise<RestServer> {
  const { agent, host, port, tokens, allowedHosts, allowedOrigins, log } = options;
  const door = createDoor({ host, tokens, allowedHosts, allowedOrigins });
  const runs = createLiveRuns();
  const ending = new AbortController();
  let isReady = true;
  const app = createApp({ agent, runs, door, allowedOrigins, ending: ending.signal, isReady: () => isReady, log });
  const server = createAdaptorServer({ fetch: app.fetch, createServer }) as Server; // made by the function handed over
  const url = await listen(server, host, port);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    isReady = false;
    closed ??= new Promise((resolve) => {
      server.close(() => resolve());
    });
    server.closeIdleConnections();
    return closed;
  };
  return {
    url,
    async drain(patienceMs) {
      void close();
      await runs.drain(patienceMs);
    },
    async [Symbol.asyncDispose]() {
      const ended = close();
      ending.abort();
      await runs.drain(0);
      const timer = setTimeout(() => server.closeAllConnections(), 500);
      await ended;
      clearTimeout(timer);
    },
  };
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new AgentError("usage", `${host}:${port} cannot be listened on: ${error.code ?? "unknown"}.`, {
          hint: "Choose another --port; 0 takes any free one.",
          cause: error,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  const { port: actual } = server.address() as AddressInfo; // listening on TCP
  return `http://${host.includes(":") ? `[${host}]` : host}:${actual}`;
}
