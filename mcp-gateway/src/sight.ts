/** What can be seen from outside: the servers' states as JSON and as a table, and `/metrics`. It wakes nobody. */
import type { Route } from "@database-interface/mcp-core/host";
import type { Member } from "./member.js";
import type { Gauge, Meter } from "./meter.js";
import type { ServerState, ServerStatus } from "./supervisor.js";

/** One server, as `/v1/servers` shows it. */
export interface ServerReport extends ServerStatus {
  readonly id: string;
  /** The suite's own kind, or undefined for others. */
  readonly kind: string | undefined;
  readonly sources: readonly string[] | undefined;
  readonly era: string | undefined;
  /** Tools it lists; undefined while that is not known. */
  readonly tools: number | undefined;
}

/** The answer of `GET /v1/servers`. */
export interface ServersReport {
  readonly servers: readonly ServerReport[];
  /** What could not be listed, a sentence each. */
  readonly problems: readonly string[];
}

export function describeServers(members: readonly Member[], problems: readonly string[]): ServersReport {
  const servers = members.map(({ plan, supervisor, listing }) => ({
    id: plan.id,
    kind: plan.databases?.kind.name,
    sources: plan.databases?.sources,
    era: listing?.description.era,
    tools: listing?.tools.length,
    ...supervisor.status(),
  }));
  return { servers, problems };
}

export function sightRoutes(meter: Meter, report: () => ServersReport): readonly Route[] {
  const noStore = { "cache-control": "no-store" };
  return [
    {
      method: "GET",
      path: "/metrics",
      handle: async () =>
        new Response(meter.render(gaugesOf(report())), {
          headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", ...noStore },
        }),
    },
    { method: "GET", path: "/v1/servers", handle: async () => Response.json(report(), { headers: noStore }) },
  ];
}

const states: readonly ServerState[] = ["asleep", "starting", "running", "stopping", "backing_off", "crash_loop"];

function gaugesOf({ servers }: ServersReport): Gauge[] {
  const each = (value: (server: ServerReport) => number) =>
    servers.map((server) => ({ labels: { server: server.id }, value: value(server) }));
  return [
    {
      name: "mcp_gateway_server_state",
      help: "1 for the state a server is in.",
      type: "gauge",
      samples: servers.flatMap((server) =>
        states.map((state) => ({ labels: { server: server.id, state }, value: Number(server.state === state) })),
      ),
    },
    {
      name: "mcp_gateway_server_starts_total",
      help: "Starts of a server.",
      type: "counter",
      samples: each(({ starts }) => starts),
    },
    {
      name: "mcp_gateway_server_crashes_total",
      help: "Ends of a server that nobody asked for, failed starts included.",
      type: "counter",
      samples: each(({ crashes }) => crashes),
    },
    {
      name: "mcp_gateway_server_active_requests",
      help: "Requests a server is working on.",
      type: "gauge",
      samples: each(({ active }) => active),
    },
    {
      name: "mcp_gateway_server_queued_requests",
      help: "Requests waiting for a server.",
      type: "gauge",
      samples: each(({ queued }) => queued),
    },
  ];
}

/** The report as a table for a terminal. */
export function toTable({ servers, problems }: ServersReport): string {
  const rows = servers.map(({ id, sources, state, pid, since, starts, crashes, active, queued, lastError }) => [
    sources === undefined ? id : `${id} (${sources.join(", ")})`,
    state,
    pid === undefined ? "-" : String(pid),
    since,
    String(starts),
    String(crashes),
    `${active}+${queued}`,
    lastError ?? "",
  ]);
  const all = [["SERVER", "STATE", "PID", "SINCE", "STARTS", "CRASHES", "CALLS", "LAST ERROR"], ...rows];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return [...lines, ...problems, ""].join("\n");
}
