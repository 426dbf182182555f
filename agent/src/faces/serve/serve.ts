/** `db-agent serve`: the agent over REST, until a signal ends it in order. */
import { createAgent } from "../../agent.js";
import { chooseGateway, type GatewayFlags } from "../gateway-choice.js";
import { exitCodes, type Io, onInterrupt } from "../io.js";
import { hasKeys, storeWord, warnOfPassingKeys } from "../sessions.js";
import { openRestServer } from "./rest-server.js";
import { readTokens } from "./tokens.js";

/** What the command line says. */
export interface ServeFlags extends GatewayFlags {
  readonly host: string;
  readonly port: number;
  /** False lets everybody in who reaches the address; loopback only. */
  readonly auth: boolean;
  readonly authFile?: string | undefined;
  readonly allowHost: readonly string[];
  readonly allowOrigin: readonly string[];
  readonly store?: string | undefined;
}

/** How long runs may go on after a signal. */
const patienceMs = 20_000;

/** Serves until SIGINT or SIGTERM; a second one ends it at once. */
export async function runServe(flags: ServeFlags, io: Io): Promise<number> {
  const gateway = await chooseGateway(flags, io.environment);
  const tokens = flags.auth ? await readTokens(flags.authFile, io.environment) : undefined;
  using interrupt = onInterrupt({ drains: true });
  const store = storeWord(flags.store, io) ?? "memory";
  if (store !== "memory" && !hasKeys(io)) warnOfPassingKeys(io);
  const log = (event: string, fields: object, level = "info"): void => {
    io.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...fields })}\n`);
  };
  await using agent = createAgent({ gateway, store });
  await using server = await openRestServer({
    agent,
    tokens,
    host: flags.host,
    port: flags.port,
    allowedHosts: flags.allowHost,
    allowedOrigins: flags.allowOrigin,
    log: (entry) => log("request", entry, entry.status >= 500 ? "error" : "info"),
  });
  if (tokens?.generated !== undefined) {
    io.stderr.write(`Bearer token, shown this once: ${tokens.generated}\n`);
  }
  log("serving", { url: server.url });
  await aborted(interrupt.signal);
  log("draining", { patienceMs });
  await server.drain(patienceMs);
  return exitCodes.ok;
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
