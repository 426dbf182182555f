/**
 * One server of the gateway: its plan, its keeper, and what it lists, kept fresh whenever it runs. Joins the rooms that
 * know nothing of each other; names, routing and clients are not its business.
 */
import type { Log } from "@database-interface/mcp-core/host";
import { type Catalogue, fetchListing, fetchResources, type Listing } from "./catalogue.js";
import { createGreeting } from "./greeting.js";
import type { Era } from "./handshake.js";
import { keepListening } from "./listening.js";
import { AnsweredError, type Fields, isFields } from "./message.js";
import type { Reaper } from "./reaper.js";
import type { PlannedServer, ServerChannel } from "./servers.js";
import { createSupervisor, type StartedUpstream, type Supervisor } from "./supervisor.js";
import { ConnectionLost, openUpstream, type Upstream } from "./upstream.js";

/** What a change in a server's lists is about. */
export type Change = "tools" | "prompts" | "resources";

/** What a member tells the gateway. */
export interface MemberEvents {
  onChange(changes: ReadonlySet<Change>): void;
  onResourceUpdated(uri: string): void;
  onStarted(upstream: Upstream, member: Member): void;
}

/** What members share. */
export interface MemberOptions {
  readonly catalogue: Catalogue;
  readonly reaper: Reaper;
  readonly log: Log;
  readonly identity: { readonly name: string; readonly version: string };
  readonly events: MemberEvents;
}

/** A server of the gateway. */
export interface Member extends AsyncDisposable {
  readonly plan: PlannedServer;
  readonly supervisor: Supervisor;
  readonly listing: Listing | undefined;
  /** `fresh`: listed by the server since we run; `remembered`: from an earlier time; `unknown`: it could never be asked. */
  readonly listState: "fresh" | "remembered" | "unknown";
  /** Takes over what another gateway has learnt of the same server. */
  adopt(listing: Listing): void;
  /** Starts the server once to learn what it lists; rejects when it cannot be started. */
  discover(signal: AbortSignal): Promise<void>;
  /** Its resources: fresh if it runs, from last time if it sleeps; it is woken only when they were never asked for. */
  resources(signal: AbortSignal): Promise<readonly Fields[]>;
}

const listMs = 20_000;
const probeMs = 3_000;

export function createMember(plan: PlannedServer, options: MemberOptions): Member {
  const { catalogue, reaper, identity, events } = options;
  const log = options.log.with({ server: plan.id });
  let listing = catalogue.get(plan.fingerprint);
  let isFresh = false;
  let refreshing: Promise<void> | undefined;
  const stale = new Set<Change>();
  const greeting = createGreeting(
    listing?.eraFoundAt === undefined ? undefined : { era: listing.description.era, foundAt: listing.eraFoundAt },
  );

  const keep = (next: Listing): void => {
    const before = listing;
    listing = next;
    isFresh = true;
    catalogue.set(plan.fingerprint, next);
    const changes = changesBetween(before, next);
    if (changes.size > 0) events.onChange(changes);
  };

  async function refresh(upstream: Upstream): Promise<void> {
    const fresh = await fetchListing(upstream, AbortSignal.timeout(listMs));
    const { resources } = listing ?? {};
    const { found } = greeting;
    keep({
      ...fresh,
      ...(plan.era !== "auto" || found === undefined ? {} : { eraFoundAt: found.foundAt }),
      ...(resources === undefined ? {} : { resources }),
    });
  }

  function startRefresh(upstream: Upstream): Promise<void> {
    refreshing ??= refresh(upstream).finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  }

  function takeNotification(method: string, params: Fields, upstream: Upstream): void {
    const change = changeOf(method);
    if (method === "notifications/resources/updated" && typeof params.uri === "string")
      events.onResourceUpdated(params.uri);
    if (change === undefined) return;
    if (stale.size === 0) setTimeout(() => settleChanges(upstream), 25).unref(); // several at once are one change
    stale.add(change);
  }

  function settleChanges(upstream: Upstream): void {
    const told = new Set(stale);
    stale.clear();
    refresh(upstream)
      .then(() => told.has("resources") && events.onChange(new Set(["resources"])))
      .catch((error: unknown) => log.debug("list_not_refreshed", { error }));
  }

  async function start(signal: AbortSignal): Promise<StartedUpstream> {
    const likelyEra = greeting.first();
    try {
      const upstream = await startServer(plan, { reaper, log, signal, identity, likelyEra }, takeNotification);
      greeting.answered(upstream.description.era);
      return upstream;
    } catch (error) {
      const hasEnded = error instanceof Error && error.cause instanceof ConnectionLost;
      if (hasEnded && plan.era === "auto" && greeting.ended(likelyEra) && !signal.aborted) return await start(signal);
      throw error;
    }
  }

  const supervisor = createSupervisor({
    name: plan.id,
    life: plan.life,
    log,
    start,
    onStarted(upstream) {
      events.onStarted(upstream, member);
      listenForChanges(upstream, () => takeNotification("notifications/resources/list_changed", {}, upstream));
      startRefresh(upstream).catch((error: unknown) => log.warn("not_listed", { error }));
    },
  });

  const member: Member = {
    plan,
    supervisor,
    get listing() {
      return listing;
    },
    get listState() {
      return isFresh ? "fresh" : listing === undefined ? "unknown" : "remembered";
    },
    adopt(next) {
      const changes = changesBetween(listing, next);
      if (!isEqual(listing?.resources, next.resources)) changes.add("resources");
      listing = next;
      if (changes.size > 0) events.onChange(changes);
    },
    discover: (signal) =>
      supervisor.use(async (upstream) => {
        await (refreshing ?? (listing === undefined ? startRefresh(upstream) : undefined));
      }, signal),
    async resources(signal) {
      const { running } = supervisor;
      if (running === undefined && listing?.resources !== undefined) return listing.resources;
      if (listing !== undefined && listing.description.capabilities.resources === undefined) return [];
      const resources = await supervisor.use((upstream) => fetchResources(upstream, signal), signal);
      if (listing !== undefined && !isEqual(resources, listing.resources)) {
        listing = { ...listing, resources };
        catalogue.set(plan.fingerprint, listing);
      }
      return resources;
    },
    [Symbol.asyncDispose]: () => supervisor[Symbol.asyncDispose](),
  };
  return member;
}

interface StartOptions {
  readonly reaper: Reaper;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly likelyEra: Era;
  readonly identity: { readonly name: string; readonly version: string };
}

/** Opens the channel and shakes hands; what goes wrong becomes one sentence. */
async function startServer(
  plan: PlannedServer,
  { reaper, log, signal, identity, likelyEra }: StartOptions,
  onNotification: (method: string, params: Fields, upstream: Upstream) => void,
): Promise<StartedUpstream> {
  const channel = await plan.open({ reaper, log, signal });
  let upstream: Upstream | undefined;
  try {
    upstream = await openUpstream(
      channel,
      { era: plan.era, likelyEra, signal, probeMs: Math.min(probeMs, plan.life.startMs / 2), identity },
      { onNotification: (method, params) => upstream !== undefined && onNotification(method, params, upstream) },
    );
    return Object.assign(upstream, { pid: channel.pid });
  } catch (error) {
    await channel[Symbol.asyncDispose]();
    throw new Error(describeFailure(error, channel, plan.life.startMs), { cause: error });
  }
}

function describeFailure(error: unknown, { rubbish }: ServerChannel, startMs: number): string {
  const noise =
    rubbish !== undefined && rubbish.lines > 0 ? ", but printed what is no JSON-RPC on stdout (see the log)" : "";
  if (error instanceof ConnectionLost) return `${error.message}${noise}`;
  if (error instanceof AnsweredError) return `it refused the handshake with error ${error.code}${noise}`;
  return `it did not finish the handshake within ${startMs} ms${noise}`;
}

/** Modern servers tell of changes only those who listen; what else they may have missed is for `onGap`. */
function listenForChanges(upstream: Upstream, onGap: () => void): void {
  const { description } = upstream;
  if (description.era !== "modern") return;
  const { tools, prompts, resources } = description.capabilities;
  const notifications = {
    ...(canChange(tools) ? { toolsListChanged: true } : {}),
    ...(canChange(prompts) ? { promptsListChanged: true } : {}),
    ...(canChange(resources) ? { resourcesListChanged: true } : {}),
  };
  if (Object.keys(notifications).length === 0) return;
  void keepListening(upstream, { notifications, onOpen: (isAgain) => isAgain && onGap() });
}

const canChange = (capability: unknown): boolean => isFields(capability) && capability.listChanged === true;

function changeOf(method: string): Change | undefined {
  switch (method) {
    case "notifications/tools/list_changed":
      return "tools";
    case "notifications/prompts/list_changed":
      return "prompts";
    case "notifications/resources/list_changed":
      return "resources";
    default:
      return undefined;
  }
}

function changesBetween(before: Listing | undefined, after: Listing): Set<Change> {
  const changes = new Set<Change>();
  if (!isEqual(before?.tools, after.tools)) changes.add("tools");
  if (!isEqual(before?.prompts, after.prompts)) changes.add("prompts");
  if (!isEqual(before?.resourceTemplates, after.resourceTemplates)) changes.add("resources");
  return changes;
}

const isEqual = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
