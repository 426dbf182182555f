/**
 * The gateway as a value: its servers, their names, its face, its figures, made from a config and closed together. How
 * it is served and told what to do is for `serve` of the host room and for `command`.
 */
import { setMaxListeners } from "node:events";
import {
  createLog,
  createTracing,
  type Denial,
  type Notifier,
  type OnListen,
  openRouteServer,
  type PlainCallHandler,
  type RateLimiter,
  type RateLimiterOptions,
  type Route,
  resolveSettings,
  type SessionDirectory,
} from "@database-interface/mcp-core/host";
import type { McpServerFactory } from "@modelcontextprotocol/server";
import { administrationOperations } from "./administration.js";
import { createDenials } from "./audit/denials.js";
import { recordReload } from "./audit/record-reload.js";
import { createRecorder } from "./audit/recorder.js";
import { defaultCacheFolder, openCatalogue } from "./catalogue.js";
import { createListening } from "./client-listening.js";
import { type GatewayConfig, parseConfig } from "./config.js";
import { createConversations } from "./conversation.js";
import { createDiscovery } from "./discovery.js";
import { createGate, draining } from "./drain.js";
import { createFleet, type FleetChange } from "./fleet.js";
import { createFront, createPlainCalls } from "./front.js";
import type { FrontOptions } from "./front-options.js";
import type { GatewayOptions } from "./gateway-options.js";
import { instructionsOf } from "./instructions.js";
import { type Change, createMember, type Member } from "./member.js";
import { createMeter } from "./meter.js";
import { type Names, nameAll } from "./naming.js";
import { createNews } from "./news.js";
import { openApiRoute } from "./openapi.js";
import { type Operation, toRoute } from "./operation.js";
import { openPins, pinFolder } from "./pins.js";
import { createReaper, markVariable } from "./reaper.js";
import { type PlanOptions, planServers } from "./servers.js";
import { openSessions } from "./sessions/open-sessions.js";
import { planListing } from "./sessions/plan.js";
import { withSessions } from "./sessions/session-names.js";
import { sessionSettings } from "./sessions/session-settings.js";
import { describeServers, metricsRoute, type ServersReport, sightOperations } from "./sight.js";
import { createSubscriptions } from "./subscriptions.js";
import { telemetryFor } from "./telemetry.js";
import type { Upstream } from "./upstream.js";
import { version } from "./version.js";

/** A gateway at work; disposing it ends every server it started. */
export interface Gateway extends AsyncDisposable {
  /** For the SDK's serving entries. */
  readonly factory: McpServerFactory;
  /** For the serving room: answers the commonest calls without the SDK. */
  readonly onPlainCall: PlainCallHandler;
  /** `/metrics`, `/openapi.json`, `/v1/…` and the pages under `/connect/`. */
  readonly routes: readonly Route[];
  /** Says where the routes are served, so that links to the pages lead there. */
  servedAt(url: string): void;
  /** Resolves when a shared store has been asked for the first time, whatever came of it: a moment to begin to serve. */
  readonly opened: Promise<void>;
  /** Resolves when every server's lists are known and kept for the next start, or should have been; starts nothing. */
  ready(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Tells these clients about changes, until the returned function is called. */
  addListener(notify: Notifier): () => void;
  /** For the serving room, where gateways share a store. */
  readonly directory: SessionDirectory | undefined;
  /** Counts requests for all of them. */
  readonly createRateLimiter: ((options: RateLimiterOptions) => RateLimiter) | undefined;
  /** For the serving room: a modern client listens to these resources until the signal fires. */
  readonly onListen: OnListen;
  /** For the serving room: whom the door turned away. */
  readonly onDenied: (denial: Denial) => void;
  report(): ServersReport;
  /**
   * Takes over a new config: servers it leaves alone go on, calls in progress on the others end as they would have,
   * clients are told. A config that is wrong changes nothing.
   * @throws CodedError `config_invalid`
   */
  reload(config: unknown): FleetChange;
}

/**
 * Makes a gateway. Servers whose lists are not remembered are started once, in the background, to learn them.
 * @throws CodedError `config_invalid`
 */
export function openGateway(options: GatewayOptions): Gateway {
  const environment = options.environment ?? process.env;
  const log = options.log ?? createLog({ name: "mcp-gateway" });
  const cacheFolder = options.cacheFolder ?? defaultCacheFolder(environment);
  const remembered = openCatalogue({ folder: cacheFolder, log });
  const reaper = createReaper({ inherited: environment[markVariable] });
  const identity = { name: "mcp-gateway", version };
  const conversations = createConversations({ ttlMs: 600_000, maxWaiting: 1_000 });
  const meter = createMeter();
  const recorder = createRecorder(options.audit);
  const gate = createGate();
  const tracing = createTracing(identity);
  const subscriptions = createSubscriptions({ onGap: (uri) => events.onResourceUpdated(uri) });
  const news = createNews();
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // one for each server
  let names: Names | undefined;
  let logLevel: string | undefined;

  const events = {
    onChange(changes: ReadonlySet<Change>) {
      names = undefined;
      news.changed(changes);
      if (changes.has("resources")) lists?.tell({ kind: "resources" });
    },
    onResourceUpdated(uri: string) {
      news.updated(uri);
      lists?.tell({ kind: "resource", uri });
    },
    onStarted(upstream: Upstream, member: Member) {
      setLogLevel(upstream);
      subscriptions.renew(member, upstream);
    },
  };
  const pins = openPins({
    folder: pinFolder(cacheFolder),
    log,
    onChange() {
      const before = names?.listedTools.length;
      names = undefined;
      if (before !== undefined && currentNames().listedTools.length !== before) events.onChange(new Set(["tools"]));
    },
  });
  const fleet = createFleet({
    createMember: (plan) => createMember(plan, { catalogue: shared, reaper, log, identity, events }),
    onReplaced: subscriptions.replace,
    drainMs: options.drainMs ?? 60_000,
    log,
  });
  const discovery = createDiscovery({
    members: () => fleet.members,
    recall,
    withinMs: options.discoveryMs ?? 10_000,
    signal: closing.signal,
    log,
  });
  const planOptions: PlanOptions = {
    environment,
    workingDirectory: options.workingDirectory ?? process.cwd(),
    life: options.life,
    logLevel: options.serverLogLevel,
    telemetry: (service) => (tracing.isOn ? telemetryFor(service, process.execArgv, environment) : undefined),
  };
  let templates: GatewayConfig["templates"] = new Map();
  const room = openSessions({
    settings: resolveSettings(sessionSettings, { file: options.sessions }),
    environment,
    log,
    recorder,
    templates: () => templates,
    planOptions,
    createMember: (plan) => createMember(plan, { catalogue: shared, reaper, log, identity, events: unheard }),
    openPages: (routes) => openRouteServer({ routes, log }),
    lookup: options.lookup,
  });

  const lists = room.replicas?.shareLists({
    onListed(fingerprint) {
      for (const member of fleet.members) if (member.plan.fingerprint === fingerprint) void recall(member);
    },
    onNews: (one) => (one.kind === "resource" ? news.updated(one.uri) : news.changed(new Set(["resources"]))),
  });
  const shared = lists?.share(remembered) ?? remembered;

  /** Takes over what another replica has learnt. */
  async function recall(member: Member): Promise<void> {
    const { fingerprint } = member.plan;
    const listing = await lists?.recall(fingerprint);
    if (listing === undefined) return;
    remembered.set(fingerprint, listing);
    member.adopt(listing);
  }
  const administration = administrationOperations({ gate, sessions: room.admin });

  function deploy(value: unknown): FleetChange {
    const config = parseConfig(value);
    const listings = [...config.templates.values()].map((template) => planListing(template, planOptions));
    const change = fleet.deploy([...planServers(config, planOptions), ...listings]);
    templates = config.templates;
    return change;
  }
  deploy(options.config);
  discovery.look();

  function currentNames(): Names {
    if (names === undefined) {
      const hasSources = fleet.router.sources.length > 0;
      const merged = nameAll(
        fleet.members.map(({ plan, listing }) => {
          const changed = plan.pinKey === undefined ? [] : pins.changed(plan.pinKey, listing?.tools ?? []);
          const { id, databases, prefix } = plan;
          return { id, databases, prefix, listing, blocked: new Set(changed.map(({ name }) => name)) };
        }),
      );
      names = withSessions(merged, templates, hasSources);
      for (const problem of names.problems) log.warn("not_listed", { problem });
    }
    return names;
  }

  function setLogLevel(upstream: Upstream | undefined): void {
    if (
      logLevel === undefined ||
      upstream?.description.era !== "legacy" ||
      upstream.description.capabilities.logging === undefined
    )
      return;
    const caller = { id: "gateway", capabilities: {} };
    upstream
      .request("logging/setLevel", { level: logLevel }, { signal: AbortSignal.timeout(5_000), caller })
      .catch(() => {}); // it logs as it likes
  }

  const report = (): ServersReport => describeServers([...fleet.members, ...room.members], currentNames().problems);
  /** Without those of sessions, whose names would never end. */
  const figures = (): ServersReport => describeServers(fleet.members, []);
  /** The REST face; whoever adds to it adds operations here. */
  const operations: readonly Operation[] = [...sightOperations(report), ...room.operations, ...administration];
  let disposal: Promise<void> | undefined;
  const front: FrontOptions = {
    identity,
    get members() {
      return fleet.members;
    },
    get router() {
      return fleet.router;
    },
    conversations,
    subscriptions,
    meter,
    recorder,
    gate,
    log,
    tracing,
    desk: room.desk,
    elsewhere: room.replicas?.elsewhere,
    names: currentNames,
    instructions: () => instructionsOf(fleet.members),
    whenListed: discovery.whenListed,
    listMs: options.listMs ?? 1_500,
    onLogLevel(level) {
      logLevel = level;
      for (const { supervisor } of fleet.members) setLogLevel(supervisor.running);
    },
  };
  return {
    factory: createFront(front),
    onPlainCall: createPlainCalls(front),
    routes: [
      metricsRoute(meter, options.metricsAccess ?? "use", figures, room.gauges),
      openApiRoute(operations),
      ...operations.map((operation) => toRoute(operation, { recorder, gate })),
      ...room.routes,
    ],
    servedAt: room.pages.servedAt,
    opened: room.opened.redis?.tried ?? Promise.resolve(),
    directory: room.replicas?.directory,
    createRateLimiter: room.replicas?.createRateLimiter,
    async ready({ signal }) {
      if (gate.isDraining) throw draining();
      await recorder.ready();
      await room.replicas?.agreed();
      await discovery.whenSettled(signal);
      await remembered.flush();
    },
    addListener: news.add,
    onListen: createListening({ fleet, discovery, subscriptions, log }),
    onDenied: createDenials(recorder.note, { log }),
    report,
    reload(config) {
      const change = recordReload(recorder.note, () => deploy(config));
      const { added, removed, changed, kept } = change;
      log.info("config_reloaded", { added, removed, changed, kept: kept.length });
      discovery.look();
      names = undefined;
      if (added.length + removed.length + changed.length > 0)
        events.onChange(new Set(["tools", "prompts", "resources"]));
      return change;
    },
    [Symbol.asyncDispose]() {
      disposal ??= (async () => {
        closing.abort();
        pins[Symbol.dispose]();
        lists?.[Symbol.dispose]();
        conversations[Symbol.dispose]();
        await room[Symbol.asyncDispose]();
        await fleet[Symbol.asyncDispose]();
        await remembered.flush();
        await reaper[Symbol.asyncDispose]();
      })();
      return disposal;
    },
  };
}

/** A session's server lists what its template's does, and tells nobody. */
const unheard = { onChange() {}, onResourceUpdated() {}, onStarted() {} };
