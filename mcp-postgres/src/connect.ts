/**
 * From a source's settings to a session: endpoints, protections and start-up settings are tried in order until one
 * works. Knows what a session's own defaults are, which hold even where no transaction does.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { anySignal, CodedError } from "@database-interface/mcp-core/host";
import { createHostOrder, type DatabaseOptions } from "@database-interface/mcp-core/sql";
import type { Endpoint, PostgresConfig, TargetSession } from "./config.js";
import { assertContextHolds } from "./context.js";
import { sqlstateOf, toConnectError } from "./errors.js";
import { findPassword } from "./password.js";
import { isShared, tryTransaction } from "./pooler.js";
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

/** PostgreSQL 14 and up then notice within half a second that we are gone, and stop. */
export const watched: Readonly<Record<string, string>> = { client_connection_check_interval: "500" };

/** How sessions of a server are made and opened. */
export interface Profile {
  /** A pooler lends its server's sessions: nothing holds between two transactions. */
  readonly isShared: boolean;
  /** The server notices within half a second that we are gone, and stops (14 and up). */
  readonly isWatched: boolean;
}

/** A session and how it was made. */
export interface Connected {
  readonly session: Session;
  readonly profile: Profile;
}

/** Opens sessions of one source; remembers which profile its server takes, and which hosts failed lately. */
export function createConnector(config: PostgresConfig, options: DatabaseOptions) {
  const hosts = createHostOrder(config.endpoints, { isRandom: config.isBalanced });
  let profile: Profile = { isShared: config.isPooled, isWatched: true };
  const timeoutMs = config.connectTimeoutMs ?? options.connectTimeoutMs;

  async function attempt(endpoint: Endpoint, protection: Protection, signal: AbortSignal): Promise<Connected> {
    for (;;) {
      const tried = profile;
      try {
        const password = await findPassword(config, endpoint, options.password);
        const defaults = toStartUp(tried);
        const session = await openSession({ config, endpoint, protection, password, defaults, signal });
        return await settle(session, tried);
      } catch (thrown) {
        const next = nextProfile(tried, sqlstateOf(thrown));
        if (next === undefined) throw thrown;
        if (profile === tried) profile = next;
      }
    }
  }

  /** Finds out whose session it is, and that the rules on rows hold its user where calls rely on them. */
  async function settle(session: Session, tried: Profile): Promise<Connected> {
    const hasContext = (options.sessionContext ?? []).length > 0;
    try {
      let settled = tried;
      if (tried.isShared || isShared(session)) {
        settled = { isShared: true, isWatched: await tryTransaction(session) };
        if (profile === tried) profile = settled;
      }
      if (hasContext) await assertContextHolds(session, settled.isShared);
      return { session, profile: settled };
    } catch (thrown) {
      session.destroy(toError(thrown));
      throw thrown;
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

  /** The first host that will do; undefined when there are only others. @throws the last host's error, untranslated */
  async function connectToOneOf(wanted: Role, signal: AbortSignal): Promise<Connected | undefined> {
    let failure: unknown;
    for (const endpoint of hosts.next()) {
      try {
        const connected = await connectTo(endpoint, signal);
        hosts.answered(endpoint);
        if (wanted === "any" || (await roleOf(connected.session)) === wanted) return connected;
        await connected.session[Symbol.asyncDispose]();
      } catch (thrown) {
        if (signal.aborted) throw signal.reason;
        hosts.failed(endpoint);
        if (sqlstateOf(failure) !== "57P03") failure = thrown;
        // As libpq has it: a wrong password is not tried on every host.
        if (sqlstateOf(thrown)?.startsWith("28")) break;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  /** @throws CodedError `connection_failed`, `authentication_failed`, `database_not_found`, `tls_failed` and the like */
  return async function connect(signal: AbortSignal): Promise<Connected> {
    const patience = AbortSignal.timeout(timeoutMs);
    for (;;) {
      let failure: unknown = noSuchServer(config.target);
      for (const wanted of rolesOf(config.target)) {
        try {
          const connected = await connectToOneOf(wanted, signal);
          if (connected !== undefined) return connected;
        } catch (thrown) {
          if (signal.aborted) throw signal.reason;
          failure = thrown;
        }
      }
      // 57P03: it is starting up, or recovering; it will be there shortly.
      if (sqlstateOf(failure) !== "57P03" || patience.aborted) throw toConnectError(failure, config);
      await sleep(200, undefined, { signal });
    }
  };
}

type Role = "any" | "primary" | "standby";

/** Which servers are looked for, in this order. Our own sessions are read-only, so a server's role is all that counts. */
const rolesOf = (target: TargetSession): readonly Role[] => {
  if (target === "any") return ["any"];
  if (target === "prefer-standby") return ["standby", "any"];
  return target === "read-only" || target === "standby" ? ["standby"] : ["primary"];
};

async function roleOf(session: Session): Promise<Role> {
  const [row] = await session.rows("SELECT pg_catalog.pg_is_in_recovery()");
  return row?.[0] === "t" ? "standby" : "primary";
}

/** What comes with the start-up message. Behind a pooler that would be refused, or meant for somebody else's session. */
function toStartUp({ isShared, isWatched }: Profile): Readonly<Record<string, string>> {
  if (isShared) return {};
  return isWatched ? { ...sessionDefaults, ...watched } : sessionDefaults;
}

function nextProfile({ isShared, isWatched }: Profile, sqlstate: string | undefined): Profile | undefined {
  if (isShared) return undefined;
  // 42704 unknown setting (before 14), 22023 not supported on the server's platform.
  if (isWatched && (sqlstate === "42704" || sqlstate === "22023")) return { isShared: false, isWatched: false };
  // 08P01 "unsupported startup parameter" is how PgBouncer answers.
  return sqlstate === "08P01" ? { isShared: true, isWatched } : undefined;
}

/** After a refusal by pg_hba.conf (28000) or a failed handshake the other way may be the allowed one. */
function isWorthAnotherProtection(thrown: unknown): boolean {
  return sqlstateOf(thrown) === "28000" || (thrown instanceof CodedError && thrown.code.startsWith("tls_"));
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

const toError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error("failed"));
