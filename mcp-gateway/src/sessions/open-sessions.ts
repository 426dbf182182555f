/** Everything about sessions, joined: store, vault, records, servers, pages, tools and operations, closed together. */
import { CodedError, type Environment, type Log, type Route } from "@database-interface/mcp-core/host";
import type { Recorder } from "../audit/recorder.js";
import type { Member } from "../member.js";
import type { Gauge } from "../meter.js";
import type { Operation } from "../operation.js";
import { openReplicas, type Replicas } from "../replicas/open-replicas.js";
import type { PlannedServer, PlanOptions } from "../servers.js";
import { type OpenStore, openStore } from "../store/open-store.js";
import type { Template } from "../template.js";
import { createKeyRing } from "../vault/key-ring.js";
import { createVault } from "../vault/vault.js";
import { createSessionDesk, type SessionDesk } from "./desk.js";
import { createInvitations } from "./invitations.js";
import { sessionOperations } from "./operations.js";
import { pageRoutes } from "./page-routes.js";
import { createPages, type PageListener, type Pages } from "./pages.js";
import { type Pin, planConnection } from "./plan.js";
import { createSessionAdmin, type SessionAdmin } from "./session-admin.js";
import { noCounts, sessionGauges } from "./session-gauges.js";
import { createSessionIndex } from "./session-index.js";
import { createSessionRecords } from "./session-records.js";
import { createSessionServers } from "./session-servers.js";
import type { SessionSettings } from "./session-settings.js";
import { createSessionWatch } from "./session-watch.js";
import { createSessions, type Sessions } from "./sessions.js";
import { type Lookup, lookupAll, pinAddress } from "./target.js";
import { createTickets } from "./tickets.js";

/** What sessions are opened with. */
export interface OpenSessionsOptions {
  readonly settings: SessionSettings;
  readonly environment: Environment;
  readonly log: Log;
  readonly recorder: Recorder;
  /** The templates of the moment. */
  templates(): ReadonlyMap<string, Template>;
  /** How servers are planned at the moment. */
  readonly planOptions: PlanOptions;
  createMember(plan: PlannedServer): Member;
  /** Opens a listener of the pages' own, where the gateway listens nowhere. */
  openPages(routes: readonly Route[]): Promise<PageListener>;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup | undefined;
}

/** The sessions at work. */
export interface OpenSessions extends AsyncDisposable {
  readonly sessions: Sessions;
  readonly admin: SessionAdmin;
  readonly desk: SessionDesk;
  readonly operations: readonly Operation[];
  /** The pages. */
  readonly routes: readonly Route[];
  readonly pages: Pages;
  /** Where sessions are kept; others may keep what replicas share there. */
  readonly opened: OpenStore;
  /** The gateways that share the store, where several can. */
  readonly replicas: Replicas | undefined;
  /** The servers of sessions that there are at the moment. */
  readonly members: readonly Member[];
  gauges(): readonly Gauge[];
}

/** What replicas tell each other of sessions and connections that are closed. */
const releaseTopic = "release";

/** @throws CodedError `config_invalid` for a store, key or passphrase that cannot be used */
export function openSessions(options: OpenSessionsOptions): OpenSessions {
  const { settings, environment, log, templates } = options;
  if (settings.sessionMaxAge < settings.sessionTimeout) {
    throw new CodedError("config_invalid", "sessionMaxAge is shorter than sessionTimeout.", {
      hint: "A session cannot rest for longer than it lives.",
    });
  }
  const ring = createKeyRing(settings);
  const vault = createVault(ring, { log });
  const opened = openStore({ word: settings.store, environment, log });
  const { store, redis } = opened;
  if (!ring.isLasting && settings.store !== "memory") {
    log.warn("keys_of_this_process", {
      hint: "No keys are configured: what is kept opens only as long as this process runs. Set MCP_KEYS or MCP_PASSPHRASE.",
    });
  }
  const limits = {
    idleMs: settings.sessionTimeout,
    maxAgeMs: settings.sessionMaxAge,
    maxSessions: settings.maxSessions,
    maxConnections: settings.maxConnections,
  };
  const index = createSessionIndex({ store, vault, ttlMs: limits.maxAgeMs });
  const records = createSessionRecords({
    store,
    vault,
    life: limits,
    onMoved: ({ principal, id }, record) =>
      index.update(principal, (all) => all.map((one) => (one.id === id ? { id, record } : one))),
  });
  const pages = createPages({ publicUrl: settings.publicUrl, open: () => options.openPages(routes) });
  const target = { lookup: options.lookup ?? lookupAll, ownPorts: () => pages.ownPorts };
  const pin: Pin = (connection) => pinAddress(connection, connection.template, target);
  const servers = createSessionServers({
    plan: (id, credentials) => planConnection(id, credentials, pin, options.planOptions),
    createMember: options.createMember,
    maxServers: settings.maxSessionServers,
    log,
  });
  const replicas = redis === undefined ? undefined : openReplicas({ redis, store, vault, ring, log });
  const peers = replicas?.directory.peers;
  const releases = peers?.on(releaseTopic, (value) => {
    const { record, connection } = value as Released; // told by one of us
    servers.release(record, connection);
    if (connection === undefined) watch.ended(record);
  });
  const counts = noCounts();
  const { note } = options.recorder;
  const watch = createSessionWatch({
    idleMs: limits.idleMs,
    log,
    // by its id: a record moves when its key is replaced
    isThere: ({ principal, id }) => sessions.show(principal, id).then(() => true, isOther("session_not_found")),
    onExpired({ id, principal, record }) {
      servers.release(record);
      counts.expired++;
      log.info("session_expired", { principal, session: id });
      note("session", { action: "expired", principal, session: id }).catch(() => {}); // the trail's own log says it
    },
  });
  const sessions = createSessions({
    counts,
    watch,
    note,
    records,
    index,
    servers,
    limits,
    pin,
    templates,
    log,
    onReleased(record, connection) {
      // a replica that does not hear of it lets go of its servers when they have rested
      const released: Released = { record, connection };
      peers?.tell(releaseTopic, released);
    },
  });
  const admin = createSessionAdmin({ records, sessions });
  const tickets = createTickets({ store, vault });
  const invitations = createInvitations({ sessions, tickets, pages, templates, pin });
  const routes = pageRoutes(invitations, { log });
  return {
    sessions,
    admin,
    desk: createSessionDesk({ sessions, invitations, templates }),
    operations: [...sessionOperations({ sessions, invitations, templates }), ...(replicas?.operations ?? [])],
    routes,
    pages,
    opened,
    replicas,
    gauges: () => sessionGauges(counts, servers.members, watch.sessions),
    get members() {
      return servers.members;
    },
    async [Symbol.asyncDispose]() {
      watch[Symbol.dispose]();
      releases?.[Symbol.dispose]();
      await replicas?.[Symbol.asyncDispose]();
      await pages[Symbol.asyncDispose]();
      await servers[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}

/** A connection that is no longer of a session, or all of a session. */
interface Released {
  readonly record: string;
  readonly connection?: string | undefined;
}

/** For `catch`: no when it is this error, else the error itself. */
const isOther =
  (code: string) =>
  (error: unknown): false => {
    if (error instanceof CodedError && error.code === code) return false;
    throw error;
  };
