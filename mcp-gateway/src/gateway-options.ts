/** What a gateway can be told by a program; the command tells it the same. */
import type { AuditTrail, Environment, Log } from "@database-interface/mcp-core/host";
import type { SessionSettings } from "./sessions/session-settings.js";
import type { Lookup } from "./sessions/target.js";
import type { MetricsAccess } from "./sight.js";
import type { LifeOptions } from "./supervisor.js";

/** What a gateway is made from. */
export interface GatewayOptions {
  /** The value of a gateway.json, variables already expanded. */
  readonly config: unknown;
  /** Where listings are kept. Default `$XDG_CACHE_HOME/database-interface/gateway`. */
  readonly cacheFolder?: string | undefined;
  /** Default: the process's. */
  readonly environment?: Environment | undefined;
  /** Where packages are looked for besides the gateway's own place. Default: the process's. */
  readonly workingDirectory?: string | undefined;
  /** Default: JSON lines on stderr. */
  readonly log?: Log | undefined;
  /** How servers live, where they do not say so themselves. */
  readonly life?: Partial<LifeOptions> | undefined;
  /** Milliseconds after the start that a list waits for servers never seen before. Default 10,000. */
  readonly discoveryMs?: number | undefined;
  /** Milliseconds one server may hold up a list. Default 1,500. */
  readonly listMs?: number | undefined;
  /** Milliseconds that calls in progress get on a server that a new config drops or changes. Default 60,000. */
  readonly drainMs?: number | undefined;
  /** The log level of the suite's own servers. Default `warn`. */
  readonly serverLogLevel?: string | undefined;
  /** Where and how sessions are kept; what is left out is as in the command's help. */
  readonly sessions?: Partial<SessionSettings> | undefined;
  /** Finds the addresses of the hosts that sessions connect to. Default: the system's resolver. */
  readonly lookup?: Lookup | undefined;
  /** Where calls, sessions and administration are recorded; nowhere when absent. It belongs to the caller. */
  readonly audit?: AuditTrail | undefined;
  /** Who may read `/metrics`. Default `use`: where a token is set, whoever has one that may call. */
  readonly metricsAccess?: MetricsAccess | undefined;
}
