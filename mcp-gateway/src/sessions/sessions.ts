/**
 * The sessions of everybody: opened, filled with databases and closed by whoever has their reference and is who opened
 * them. How they are asked for (tools, REST, a page) is for others.
 */
import { CodedError, type Log, nearestNames } from "@database-interface/mcp-core/host";
import type { Note } from "../audit/recorder.js";
import { codeOf } from "../errors.js";
import type { Member } from "../member.js";
import type { Template } from "../template.js";
import { checkConnection } from "./check-connection.js";
import type { Draft } from "./draft.js";
import type { Credentials, Pin } from "./plan.js";
import {
  type ConnectionView,
  isSessionId,
  type KeptConnection,
  type KeptSession,
  newSessionId,
  type SessionView,
} from "./session.js";
import type { SessionCounts } from "./session-gauges.js";
import type { SessionIndex } from "./session-index.js";
import { type FoundSession, type SessionLife, type SessionRecords, sessionNotFound } from "./session-records.js";
import type { SessionServers } from "./session-servers.js";
import type { SessionWatch } from "./session-watch.js";

/** How much anybody may have. */
export interface SessionLimits extends SessionLife {
  /** Sessions of one principal. */
  readonly maxSessions: number;
  /** Databases of one session. */
  readonly maxConnections: number;
}

/** What sessions are made of. */
export interface SessionsOptions {
  readonly records: SessionRecords;
  readonly index: SessionIndex;
  readonly servers: SessionServers;
  readonly limits: SessionLimits;
  /** Finds the address to connect to, or refuses. */
  readonly pin: Pin;
  /** The templates of the moment. */
  templates(): ReadonlyMap<string, Template>;
  /** Called with the name of each session that is closed here, or of which a connection is removed. */
  onReleased(record: string, connection?: string): void;
  readonly counts: SessionCounts;
  /** Told of every session that is used here. */
  readonly watch: SessionWatch;
  readonly note: Note;
  readonly log: Log;
  readonly now?: (() => number) | undefined;
}

/** Who asks, and with which session. */
export interface SessionKey {
  readonly principal: string;
  readonly reference: string;
}

/** A database of a session, ready to be called. */
export interface SessionRoute {
  readonly member: Member;
  readonly template: string;
  /** What audit trails call them. */
  readonly sessionId: string;
  readonly connection: string;
}

/** All methods @throws CodedError `store_unavailable`; those that take a key also `session_not_found`, `key_unknown`, `record_damaged` */
export interface Sessions {
  /** @throws CodedError `session_limit`, `sessions_disabled` */
  open(
    principal: string,
    label: string | undefined,
  ): Promise<{ readonly reference: string; readonly session: SessionView }>;
  list(principal: string): Promise<readonly SessionView[]>;
  /** Takes the reference, or the public id of one's own session, as `close` does. */
  show(principal: string, handle: string): Promise<SessionView>;
  /** `by`: who closes another's. */
  close(principal: string, handle: string, by?: string): Promise<void>;
  /** @throws CodedError `conflict`, `connection_limit` when the session has no place for it */
  assertRoom(key: SessionKey, name: string): Promise<void>;
  /** Tries the connection and keeps it. @throws CodedError as the database answers, `target_forbidden`, `conflict`, `busy` */
  connect(key: SessionKey, draft: Draft, password: string, signal: AbortSignal): Promise<ConnectionView>;
  /** @throws CodedError `source_unknown` */
  disconnect(key: SessionKey, name: string): Promise<void>;
  /** The server of a connection, the only one where none is named. @throws CodedError `source_unknown`, `source_required` */
  route(key: SessionKey, name: string | undefined): Promise<SessionRoute>;
}

export function createSessions(options: SessionsOptions): Sessions {
  const { records, index, servers, limits, counts, watch, note, log, now = Date.now } = options;

  const seen = (found: FoundSession): FoundSession => {
    watch.seen(found);
    return found;
  };
  const find = async (principal: string, reference: string) => seen(await records.find(principal, reference));

  const view = ({ session }: FoundSession): SessionView => ({
    id: session.id,
    ...(session.label === undefined ? {} : { label: session.label }),
    opened_at: new Date(session.openedAt).toISOString(),
    idle_timeout_s: Math.round(limits.idleMs / 1_000),
    ends_at: new Date(session.endsAt).toISOString(),
    connections: session.connections.map(viewOfConnection),
  });

  const viewOfConnection = ({ addedAt, password: _, ...kept }: KeptConnection): ConnectionView => ({
    ...kept,
    server: options.templates().get(kept.template)?.kind.name ?? "gone",
    added_at: new Date(addedAt).toISOString(),
  });

  /** One's sessions that are still there. */
  async function living(principal: string): Promise<readonly FoundSession[]> {
    const entries = await index.read(principal);
    const found = await Promise.all(entries.map(({ record }) => records.peek(record).catch(passOverBroken)));
    const gone = new Set(entries.filter((_entry, at) => found[at] === undefined).map(({ record }) => record));
    if (gone.size > 0) await index.update(principal, (all) => all.filter(({ record }) => !gone.has(record)));
    return found.filter((one) => one !== undefined && one !== "broken");
  }

  async function byHandle(principal: string, handle: string): Promise<FoundSession> {
    if (!isSessionId(handle)) return find(principal, handle);
    const entry = (await index.read(principal)).find(({ id }) => id === handle);
    const found = entry === undefined ? undefined : await records.peek(entry.record);
    if (found === undefined) throw sessionNotFound();
    return found;
  }

  async function end(principal: string, { record, session }: FoundSession, by: string): Promise<void> {
    await records.remove(record);
    watch.ended(session.id);
    servers.release(record);
    options.onReleased(record);
    await index.update(principal, (all) => all.filter(({ id }) => id !== session.id));
    counts.closed++;
    log.info("session_closed", { principal, session: session.id });
    const who = by === principal ? {} : { by };
    await note("session", { action: "closed", principal, ...who, session: session.id }).catch(() => {}); // it is closed
  }

  function assertPlace({ connections }: KeptSession, name: string): void {
    if (connections.some((one) => one.name === name)) {
      throw new CodedError("conflict", "The session has a connection of this name.", {
        hint: "Give another name, or disconnect that one first.",
      });
    }
    if (connections.length >= limits.maxConnections) {
      throw new CodedError("connection_limit", `A session has ${limits.maxConnections} connections at most.`, {
        hint: "Disconnect one that is not needed.",
      });
    }
  }

  /** A connection's credentials; its template may have changed since, or be gone. */
  function credentialsOf(kept: KeptConnection, record: string, reference: string): Credentials {
    const template = options.templates().get(kept.template);
    if (template === undefined) {
      throw new CodedError("template_unknown", "The connection's template is no longer in the gateway's config.", {
        hint: "Disconnect it, or ask the operator.",
      });
    }
    const { host, port, database, user } = kept;
    const password = records.openPassword(kept.password, { record, reference, connection: kept.name });
    return { template, host, port, database, user, password };
  }

  return {
    async open(principal, label) {
      if (options.templates().size === 0) {
        throw new CodedError("sessions_disabled", "The gateway's config has no templates to make databases from.", {
          hint: "Its operator adds `templates` to it.",
        });
      }
      const { maxSessions, maxAgeMs } = limits;
      if ((await index.read(principal)).length >= maxSessions && (await living(principal)).length >= maxSessions) {
        throw new CodedError("session_limit", `You have ${maxSessions} sessions, and no more are allowed.`, {
          hint: "Close one that is not needed; those that are not used end by themselves.",
        });
      }
      const openedAt = now();
      const id = newSessionId();
      const session = { id, principal, label, openedAt, endsAt: openedAt + maxAgeMs, connections: [] };
      await note("session", { action: "opened", principal, session: id });
      const { reference, found } = await records.create(session);
      watch.seen(found);
      await index.update(principal, (all) => [...all, { id, record: found.record }]);
      counts.opened++;
      log.info("session_opened", { principal, session: id });
      return { reference, session: view(found) };
    },
    list: async (principal) => (await living(principal)).map(view),
    show: async (principal, handle) => view(await byHandle(principal, handle)),
    close: async (principal, handle, by = principal) => end(principal, await byHandle(principal, handle), by),
    async assertRoom({ principal, reference }, name) {
      assertPlace((await find(principal, reference)).session, name);
    },
    async connect({ principal, reference }, draft, password, signal) {
      const { session: before } = await find(principal, reference);
      const { name, template, ...place } = draft;
      const about = { principal, session: before.id, source: name, template: template.name };
      let attempt: ReturnType<SessionServers["attempt"]> | undefined;
      try {
        assertPlace(before, name);
        await options.pin(draft); // for its own words; the server's start looks again
        attempt = servers.attempt(principal, { ...place, template, password });
        await checkConnection(attempt.member, draft, signal);
        await note("session", { action: "connected", ...about });
        const { record, session } = await records.update(principal, reference, ({ session, record }) => {
          assertPlace(session, name);
          const sealed = records.sealPassword(password, { record, reference, connection: name });
          const added = { name, template: template.name, ...place, addedAt: now(), password: sealed };
          return { ...session, connections: [...session.connections, added] };
        });
        servers.use({ record, connection: name }, principal, { ...place, template, password }, limits.idleMs);
        counts.connected++;
        watch.seen({ record, session, version: "" });
        log.info("session_connected", { principal, session: session.id, connection: name, template: template.name });
        const kept = session.connections.find((one) => one.name === name);
        if (kept === undefined) throw new Error("The connection that was just added is gone.");
        return viewOfConnection(kept);
      } catch (error) {
        counts.refused++;
        await note("session", { action: "refused", ...about, outcome: signal.aborted ? "cancelled" : codeOf(error) });
        throw error;
      } finally {
        await attempt?.end();
      }
    },
    async disconnect({ principal, reference }, name) {
      const { record, session } = await records.update(principal, reference, ({ session }) => {
        const connections = session.connections.filter((one) => one.name !== name);
        if (connections.length === session.connections.length) throw connectionUnknown(name, session);
        return { ...session, connections };
      });
      servers.release(record, name);
      options.onReleased(record, name);
      log.info("session_disconnected", { principal, session: session.id, connection: name });
      const about = { principal, session: session.id, source: name };
      await note("session", { action: "disconnected", ...about }).catch(() => {}); // it is
    },
    async route({ principal, reference }, name) {
      const { record, session } = await find(principal, reference);
      const kept = chooseConnection(session, name);
      const credentials = credentialsOf(kept, record, reference);
      const member = servers.use({ record, connection: kept.name }, principal, credentials, limits.idleMs);
      return { member, template: kept.template, sessionId: session.id, connection: kept.name };
    },
  };
}

/** A session that does not open here is not listed, and stays. */
function passOverBroken(error: unknown): "broken" {
  if (error instanceof CodedError && (error.code === "key_unknown" || error.code === "record_damaged")) return "broken";
  throw error;
}

function chooseConnection(session: KeptSession, name: string | undefined): KeptConnection {
  const { connections } = session;
  const [only] = connections;
  if (name === undefined && only !== undefined && connections.length === 1) return only;
  const found = connections.find((one) => one.name === name);
  if (found !== undefined) return found;
  if (name !== undefined) throw connectionUnknown(name, session);
  throw new CodedError("source_required", "The session has several connections, or none.", {
    hint: only === undefined ? "Add one with connect_database." : `Pass source: ${namesOf(session).join(", ")}.`,
  });
}

const namesOf = ({ connections }: KeptSession): string[] => connections.map(({ name }) => name);

function connectionUnknown(given: string, session: KeptSession): CodedError {
  const near = nearestNames(given, namesOf(session));
  const known = namesOf(session).join(", ");
  return new CodedError("source_unknown", "The session has no connection of this name.", {
    hint: near.length > 0 ? `Did you mean ${near.join(" or ")}?` : known === "" ? "It has none." : `It has ${known}.`,
  });
}
