/** Figures about sessions for `/metrics`: what has happened here since the start, and what there is at the moment. */
import type { Member } from "../member.js";
import type { Gauge } from "../meter.js";
import type { WatchedSession } from "./session-watch.js";

/** What has happened since the start. */
export interface SessionCounts {
  opened: number;
  closed: number;
  expired: number;
  connected: number;
  /** Connections that did not work or were not allowed. */
  refused: number;
}

export const noCounts = (): SessionCounts => ({ opened: 0, closed: 0, expired: 0, connected: 0, refused: 0 });

/** Milliseconds after its last call that a session counts as one at work. */
const activeMs = 300_000;

export function sessionGauges(
  counts: Readonly<SessionCounts>,
  members: readonly Member[],
  sessions: readonly WatchedSession[],
  now = Date.now(),
): readonly Gauge[] {
  const total = (event: string, help: string, labels: Readonly<Record<string, number>>): Gauge => ({
    name: `mcp_gateway_${event}_total`,
    help,
    type: "counter",
    samples: Object.entries(labels).map(([outcome, value]) => ({ labels: { outcome }, value })),
  });
  const { opened, closed, expired, connected, refused } = counts;
  const running = members.filter(({ supervisor }) => supervisor.running !== undefined).length;
  const active = sessions.filter(({ seenAt }) => now - seenAt <= activeMs).length;
  const byTemplate = new Map<string, number>();
  for (const template of sessions.flatMap(({ templates }) => templates))
    byTemplate.set(template, (byTemplate.get(template) ?? 0) + 1);
  return [
    total("sessions", "Sessions opened, closed and seen to expire here.", { opened, closed, expired }),
    total("session_connections", "Databases added to sessions, and refused.", { connected, refused }),
    {
      name: "mcp_gateway_open_sessions",
      help: "Sessions used here that have not ended: active within the last five minutes, or idle.",
      type: "gauge",
      samples: [
        { labels: { state: "active" }, value: active },
        { labels: { state: "idle" }, value: sessions.length - active },
      ],
    },
    {
      name: "mcp_gateway_open_connections",
      help: "Databases of these sessions, by template.",
      type: "gauge",
      samples: [...byTemplate].map(([template, value]) => ({ labels: { template }, value })),
    },
    {
      name: "mcp_gateway_session_servers",
      help: "Servers of sessions that run.",
      type: "gauge",
      samples: [{ labels: {}, value: running }],
    },
  ];
}
