/** The commands that ask a running gateway: `status`, `sessions` and `drain`. */
import { setTimeout as sleep } from "node:timers/promises";
import { CodedError, defineCommand, durationSchema, setting } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import { askGateway, type GatewayAddress } from "./ask-gateway.js";
import { type DrainReport, drainReport } from "./drain.js";
import { type AdminSessionView, adminSessionView } from "./sessions/session-admin.js";
import { addressSettings } from "./settings.js";
import { serversReport, toServersTable } from "./sight.js";
import { toTable } from "./table.js";
import { version } from "./version.js";

const toJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

export const statusCommand = defineCommand({
  name: "status",
  version,
  summary: "Asks a running gateway how its servers are.",
  settings: addressSettings,
  examples: [
    ["mcp-gateway status --url http://127.0.0.1:8730", "a table of servers"],
    ["mcp-gateway status --output json", "the same for a program"],
  ],
  async run({ values, io }) {
    const report = await askGateway(values, { path: "/v1/servers", signal: io.signal }, serversReport);
    io.stdout.write(values.output === "json" ? toJson(report) : toServersTable(report));
    return 0;
  },
});

const sessionsAnswer = v.object({ sessions: v.array(adminSessionView), unreadable: v.number() });

const closeCommand = defineCommand({
  name: "close",
  version,
  summary: "Closes a session, whoever's it is: its servers end, its passwords are forgotten.",
  positionals: [{ name: "id", describe: "The session's id, as `mcp-gateway sessions` lists it." }],
  settings: addressSettings,
  examples: [["mcp-gateway sessions close s-0123456789", "0 when it is closed, 1 when there is no such session"]],
  async run({ values, positionals, io }) {
    const [id, ...more] = positionals;
    if (id === undefined || more.length > 0)
      throw new CodedError("usage", "Exactly one session is needed.", { hint: "Name its id." });
    const path = `/v1/admin/sessions/${encodeURIComponent(id)}`;
    await askGateway(values, { method: "DELETE", path, signal: io.signal }, v.undefined());
    io.stdout.write(values.output === "json" ? toJson({ closed: id }) : `Closed ${id}.\n`);
    return 0;
  },
});

export const sessionsCommand = defineCommand({
  name: "sessions",
  version,
  summary: "Lists the sessions of a running gateway, everybody's; needs the role admin.",
  settings: addressSettings,
  commands: [closeCommand],
  examples: [
    ["mcp-gateway sessions", "whose they are, what they connect to, how old they are and how long they live"],
    ["mcp-gateway sessions --output json", "the same for a program"],
    ["mcp-gateway sessions close s-0123456789", "closes one"],
  ],
  async run({ values, io }) {
    const answer = await askGateway(values, { path: "/v1/admin/sessions", signal: io.signal }, sessionsAnswer);
    io.stdout.write(values.output === "json" ? toJson(answer) : toSessionsTable(answer));
    return 0;
  },
});

function toSessionsTable({ sessions, unreadable }: v.InferOutput<typeof sessionsAnswer>): string {
  const rows = sessions.map(({ id, principal, connections, age_s, ttl_s, label }: AdminSessionView) => [
    id,
    principal,
    connections.map(({ name, user, host, port, database }) => `${name}=${user}@${host}:${port}/${database}`).join(" "),
    toSpan(age_s),
    toSpan(ttl_s),
    label ?? "",
  ]);
  const table = toTable(["SESSION", "PRINCIPAL", "CONNECTIONS", "AGE", "TTL", "LABEL"], rows);
  if (unreadable === 0) return table;
  return `${table}${unreadable} more cannot be read with the keys of this gateway.\n`;
}

/** Such as `2h 5m`: the two largest units. */
export function toSpan(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0s";
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count}${unit}`).join(" ");
}

const pollMs = 250;

export const drainCommand = defineCommand({
  name: "drain",
  version,
  summary: "Lets a running gateway begin nothing new, and waits until what runs has ended; needs the role admin.",
  settings: {
    ...addressSettings,
    wait: setting(durationSchema(), {
      describe: "How long to wait for what runs.",
      placeholder: "duration",
      default: "30s",
      file: false,
    }),
    undo: setting(v.optional(v.boolean()), { describe: "Takes new work again instead.", file: false }),
  },
  examples: [
    ["mcp-gateway drain", "0 when nothing is left, 1 when something still runs after 30 seconds"],
    ["mcp-gateway drain --wait 5m", "before a restart that must break nothing"],
    ["mcp-gateway drain --undo", "takes new work again"],
  ],
  async run({ values, io }) {
    const ask = (method: string) =>
      askGateway(values, { method, path: "/v1/admin/drain", signal: io.signal }, drainReport);
    const report = values.undo === true ? await ask("DELETE") : await untilEmpty(ask, values, io);
    io.stdout.write(values.output === "json" ? toJson(report) : toDrainText(report));
    return report.draining && report.remaining > 0 ? 1 : 0;
  },
});

async function untilEmpty(
  ask: (method: string) => Promise<DrainReport>,
  { wait }: GatewayAddress & { readonly wait: number },
  { signal, stderr }: { readonly signal: AbortSignal; readonly stderr: NodeJS.WritableStream },
): Promise<DrainReport> {
  const end = performance.now() + wait;
  let report = await ask("POST");
  let told: number | undefined;
  while (report.remaining > 0 && performance.now() < end) {
    if (report.remaining !== told) stderr.write(`mcp-gateway: ${report.remaining} at work\n`);
    told = report.remaining;
    await sleep(pollMs, undefined, { signal });
    report = await ask("GET");
  }
  return report;
}

function toDrainText({ draining, remaining, work }: DrainReport): string {
  if (!draining) return "It takes new work.\n";
  if (remaining === 0) return "Drained: nothing is at work, and nothing new begins.\n";
  const rows = work.map(({ what, principal, ms }) => [what, principal, toSpan(Math.round(ms / 1_000))]);
  return `${remaining} still at work:\n${toTable(["WHAT", "PRINCIPAL", "FOR"], rows)}`;
}
