/** Figures about sessions for `/metrics`: what has happened here since the start, and which of their servers run. */
import type { Member } from "../member.js";
import type { Gauge } from "../meter.js";

/** What has happened since the start. */
export interface SessionCounts {
  opened: number;
  closed: number;
  connected: number;
  /** Connections that did not work or were not allowed. */
  refused: number;
}

export const noCounts = (): SessionCounts => ({ opened: 0, closed: 0, connected: 0, refused: 0 });

export function sessionGauges(counts: Readonly<SessionCounts>, members: readonly Member[]): readonly Gauge[] {
  const total = (event: string, help: string, labels: Readonly<Record<string, number>>): Gauge => ({
    name: `mcp_gateway_${event}_total`,
    help,
    type: "counter",
    samples: Object.entries(labels).map(([outcome, value]) => ({ labels: { outcome }, value })),
  });
  const { opened, closed, connected, refused } = counts;
  const running = members.filter(({ supervisor }) => supervisor.running !== undefined).length;
  return [
    total("sessions", "Sessions opened and closed here; those that end by themselves are not counted.", {
      opened,
      closed,
    }),
    total("session_connections", "Databases added to sessions, and refused.", { connected, refused }),
    {
      name: "mcp_gateway_session_servers",
      help: "Servers of sessions that run.",
      type: "gauge",
      samples: [{ labels: {}, value: running }],
    },
  ];
}
