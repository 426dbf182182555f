/** What can be seen from outside: the servers' states as JSON and as a table, and `/metrics`. It wakes nobody. */
import type { Route } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import type { Member } from "./member.js";
import type { Gauge, Meter } from "./meter.js";
import { defineOperation, type Operation } from "./operation.js";
import { serverStates } from "./supervisor.js";
import { toTable } from "./table.js";

/** One server, as `/v1/servers` shows it. */
const serverReport = v.object({
  id: v.string(),
  /** The suite's own kind; absent for others. */
  kind: v.optional(v.string()),
  sources: v.optional(v.array(v.string())),
  era: v.optional(v.string()),
  /** Tools it lists; absent while that is not known. */
  tools: v.optional(v.number()),
  state: v.picklist(serverStates),
  pid: v.optional(v.number()),
  /** When it came into this state, ISO 8601. */
  since: v.string(),
  starts: v.number(),
  crashes: v.number(),
  /** Requests it is working on, and requests waiting for it. */
  active: v.number(),
  queued: v.number(),
  lastError: v.optional(v.string()),
});

export const serversReport = v.object({
  servers: v.array(serverReport),
  /** What could not be listed, a sentence each. */
  problems: v.array(v.string()),
});

export type ServerReport = Readonly<v.InferOutput<typeof serverReport>>;
/** The answer of `GET /v1/servers`. */
export type ServersReport = Readonly<v.InferOutput<typeof serversReport>>;

export function describeServers(members: readonly Member[], problems: readonly string[]): ServersReport {
  const servers = members.map(
    ({ plan, supervisor, listing }): ServerReport => ({
      id: plan.id,
      kind: plan.databases?.kind.name,
      sources: plan.databases === undefined ? undefined : [...plan.databases.sources],
      era: listing?.description.era,
      tools: listing?.tools.length,
      ...supervisor.status(),
    }),
  );
  return { servers, problems: [...problems] };
}

/** Who may read `/metrics`: everybody, whoever may call, or administrators. */
export const metricsAccesses = ["public", "use", "admin"] as const;
export type MetricsAccess = (typeof metricsAccesses)[number];

/** `more`: gauges besides those of the config's servers. */
export function metricsRoute(
  meter: Meter,
  access: MetricsAccess,
  report: () => ServersReport,
  more: () => readonly Gauge[],
): Route {
  return {
    method: "GET",
    path: "/metrics",
    access,
    handle: async () =>
      new Response(meter.render([...gaugesOf(report()), ...more()]), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" },
      }),
  };
}

export const sightOperations = (report: () => ServersReport): readonly Operation[] => [
  defineOperation({
    method: "GET",
    path: "/v1/servers",
    id: "listServers",
    summary: "How the servers are.",
    role: "admin",
    response: serversReport,
    handle: async () => report(),
  }),
];

function gaugesOf({ servers }: ServersReport): Gauge[] {
  const each = (value: (server: ServerReport) => number) =>
    servers.map((server) => ({ labels: { server: server.id }, value: value(server) }));
  return [
    {
      name: "mcp_gateway_server_state",
      help: "1 for the state a server is in.",
      type: "gauge",
      samples: servers.flatMap((server) =>
        serverStates.map((state) => ({ labels: { server: server.id, state }, value: Number(server.state === state) })),
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
export function toServersTable({ servers, problems }: ServersReport): string {
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
  const headings = ["SERVER", "STATE", "PID", "SINCE", "STARTS", "CRASHES", "CALLS", "LAST ERROR"];
  return `${toTable(headings, rows)}${problems.map((problem) => `${problem}\n`).join("")}`;
}
