/** The gateway for programs: `createGateway({ config })`, then serve it or hand its factory to the SDK. */
import { createLog, type HttpOptions, type Served, serve } from "@database-interface/mcp-core/host";
import { type Gateway, openGateway } from "./gateway.js";
import type { GatewayOptions } from "./gateway-options.js";
import { version } from "./version.js";

export type { Gateway } from "./gateway.js";
export type { GatewayOptions } from "./gateway-options.js";
export type { ServerReport, ServersReport } from "./sight.js";

/** How a gateway is served from a program. */
export type ServeGatewayOptions = { readonly signal?: AbortSignal } & (
  | { readonly transport: "stdio" }
  | ({ readonly transport: "http" } & Partial<HttpOptions>)
);

/** A gateway that can serve itself. */
export interface ServableGateway extends Gateway {
  /** Serves over HTTP (by default on a loopback port of the system's choice) or stdio, until disposed. @throws CodedError `port_in_use`, `config_invalid` */
  serve(options: ServeGatewayOptions): Promise<Served>;
}

/**
 * A gateway from a config's value (see gateway.json in the README).
 * @throws CodedError `config_invalid` with the JSON path
 */
export function createGateway(options: GatewayOptions): ServableGateway {
  const log = options.log ?? createLog({ name: "mcp-gateway" });
  const gateway = openGateway({ ...options, log });
  return {
    ...gateway,
    async serve({ signal = new AbortController().signal, transport, ...http }) {
      await gateway.opened;
      const served = await serve({
        name: "mcp-gateway",
        version,
        factory: gateway.factory,
        transport,
        http: { host: "127.0.0.1", port: 0, ...http },
        ready: gateway.ready,
        routes: gateway.routes,
        directory: gateway.directory,
        onListen: gateway.onListen,
        onPlainCall: gateway.onPlainCall,
        onDenied: gateway.onDenied,
        log,
        signal,
      });
      if (served.url !== undefined) gateway.servedAt(served.url);
      const leave = gateway.addListener(served.notify);
      void served.closed.then(leave);
      return served;
    },
  };
}
