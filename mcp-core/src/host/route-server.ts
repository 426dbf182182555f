/** Routes on a loopback port of the system's choice, for a program that listens nowhere else. It serves no MCP. */
import { createDoor } from "./door.js";
import { type HttpServer, openHttpServer, type Route } from "./http-server.js";
import type { Log } from "./log.js";

const host = "127.0.0.1";

/** Listens until disposed. */
export function openRouteServer({
  routes,
  log,
}: {
  readonly routes: readonly Route[];
  readonly log: Log;
}): Promise<HttpServer> {
  return openHttpServer({
    host,
    port: 0,
    door: createDoor({ host }),
    routes,
    log,
    maxBodyBytes: 65_536,
    drainMs: 1_000,
    onDrained: async () => {},
  });
}
