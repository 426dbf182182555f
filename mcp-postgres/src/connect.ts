/**
 * From a source's settings to a session: endpoints, protections and start-up settings are tried in order until one
 * works. Knows what a session's own defaults are, which hold even where no transaction does.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { anySignal, CodedError } from "@database-interface/mcp-core/host";
import type { DatabaseOptions } from "@database-interface/mcp-core/sql";
import type { Endpoint, PostgresConfig } from "./config.js";
import { sqlstateOf, toConnectError } from "./errors.js";
import { findPassword } from "./password.js";
import { openSession, type Session } from "./session.js";
import { type Protection, protectionsOf } from "./socket.js";

/** Settings every call relies on; RESET and DISCARD return to them, since they come with the start-up message. */
export const sessionDefaults: Readonly<Record<string, string>> = {
  default_transaction_read_only: "on",
  statement_timeout: "60000",
  lock_timeout: "5000",
  idle_in_transaction_session_timeout: "60000",
  standard_conforming_strings: "on",
  DateStyle: "ISO",
  IntervalStyle: "postgres",
  extra_float_digits: "1",
  bytea_output: "hex",
};

/** A session's defaults as the server took them; `pooled` means it took none. */
export type Profile = "full" | "unwatched" | "pooled";

const profiles: Readonly<Record<Profile, Readonly<Record<string, string>>>> = {
  // PostgreSQL 14 and up notice within half a second that we are gone, and stop.
  full: { ...sessionDefaults, client_connection_check_interval: "500" },
  unwatched: sessionDefaults,
  pooled: {},
};

/** A session and how it was made. */
export interface Connected {
  readonly session: Session;
  readonly profile: Profile;
}

/** Opens sessions of one source; remembers which profile its server takes. */
export function createConnector(config: PostgresConfig, options: DatabaseOptions) {
  let profile: Profile = config.pooled ? "pooled" : "full";
  const timeoutMs = config.connectTimeoutMs ?? options.connectTimeoutMs;

  async function attempt(endpoint: Endpoint, protection: Protection, signal: AbortSignal): Promise<Connected> {
    for (;;) {
      const tried = profile;
      try {
        const password = await findPassword(config, endpoint, options.password);
        const defaults = profiles[tried];
        const session = await openSession({ config, endpoint, protection, password, defaults, signal });
        return { session, profile: tried };
      } catch (thrown) {
        const next = nextProfile(tried, sqlstateOf(thrown));
        // 57P03: it is starting up, or recovering; it will be there shortly.
        if (sqlstateOf(thrown) === "57P03") await sleep(200, undefined, { signal });
        else if (next === undefined) throw thrown;
        else if (profile === tried) profile = next;
      }
    }
  }

  async function connectTo(endpoint: Endpoint, outer: AbortSignal): Promise<Connected> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = anySignal([outer, deadline]);
    let failure: unknown;
    for (const protection of protectionsOf(config.tls, endpoint)) {
      try {
        return await attempt(endpoint, protection, signal);
      } catch (thrown) {
        failure = deadline.aborted && !outer.aborted ? connectTimeout(timeoutMs) : thrown;
        if (signal.aborted || !isWorthAnotherProtection(thrown)) break;
      }
    }
    throw failure;
  }

  /** @throws CodedError `connection_failed`, `authentication_failed`, `database_not_found`, `tls_failed` and the like */
  return async function connect(signal: AbortSignal): Promise<Connected> {
    let failure: unknown;
    for (const wanted of config.target === "prefer-standby" ? (["standby", "any"] as const) : [config.target]) {
      for (const endpoint of config.endpoints) {
        try {
          const connected = await connectTo(endpoint, signal);
          if (wanted === "any" || (await isWanted(connected.session, wanted))) return connected;
          await connected.session[Symbol.asyncDispose]();
          failure ??= noSuchServer(wanted);
        } catch (thrown) {
          if (signal.aborted) throw signal.reason;
          failure = thrown;
        }
      }
    }
    throw toConnectError(failure, config);
  };
}

function nextProfile(profile: Profile, sqlstate: string | undefined): Profile | undefined {
  // 42704 unknown setting (before 14), 22023 not supported on the server's platform.
  if (profile === "full" && (sqlstate === "42704" || sqlstate === "22023")) return "unwatched";
  // 08P01 "unsupported startup parameter" is how PgBouncer answers.
  if (profile !== "pooled" && sqlstate === "08P01") return "pooled";
  return undefined;
}

/** After a refusal by pg_hba.conf (28000) or a failed handshake the other way may be the allowed one. */
function isWorthAnotherProtection(thrown: unknown): boolean {
  return sqlstateOf(thrown) === "28000" || (thrown instanceof CodedError && thrown.code.startsWith("tls_"));
}

async function isWanted(
  session: Session,
  wanted: "read-write" | "read-only" | "primary" | "standby" | "prefer-standby",
) {
  const [row] = await session.rows("SELECT pg_catalog.pg_is_in_recovery()");
  const isStandby = row?.[0] === "t";
  return wanted === "read-only" || wanted === "standby" || wanted === "prefer-standby" ? isStandby : !isStandby;
}

function connectTimeout(timeoutMs: number): CodedError {
  return new CodedError("connection_failed", `The server did not answer within ${timeoutMs} ms.`, {
    hint: "Check host, port and firewall, or allow more time with connect_timeout.",
    retryable: true,
  });
}

function noSuchServer(wanted: string): CodedError {
  return new CodedError("connection_failed", `None of the hosts is a ${wanted} server.`, {
    hint: "Check target_session_attrs and the list of hosts.",
    retryable: true,
  });
}
