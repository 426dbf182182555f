/**
 * The servers a config asks for: how each is started and how it lives. Databases of one kind and equal settings share a
 * process and become its sources. Nothing here runs anything, and no secret reaches an argument or a file: the config a
 * database server is given holds variables' names, its environment their values.
 */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CodedError, type Log } from "@database-interface/mcp-core/host";
import type { AuthProvider } from "@modelcontextprotocol/client";
import type { DatabaseEntry, GatewayConfig, ProcessEntry, RemoteEntry } from "./config.js";
import type { Era } from "./handshake.js";
import { openHttpChannel } from "./http-channel.js";
import { type Kind, kinds } from "./kinds.js";
import type { Channel } from "./message.js";
import { findPackageCommand } from "./packages.js";
import type { Reaper } from "./reaper.js";
import { createRemoteToken } from "./remote-token.js";
import { openStdioChannel } from "./stdio-channel.js";
import { defaultLife, type LifeOptions } from "./supervisor.js";
import type { TelemetrySetup } from "./telemetry.js";

/** A channel, the process behind it if there is one, and what it printed that is no message. */
export type ServerChannel = Channel & {
  readonly pid?: number | undefined;
  readonly rubbish?: { readonly lines: number; readonly first: string | undefined };
};

/** A server that could run. */
export interface PlannedServer {
  /** Unique; `databases:postgres` for ours, the config's own name for others. */
  readonly id: string;
  /** Under which name its work is counted, where many come and go. Default: the id. */
  readonly family?: string | undefined;
  /** Set for the suite's own: its tools are merged, its sources routed to it. */
  readonly databases?: { readonly kind: Kind; readonly sources: readonly string[] } | undefined;
  /** Changes whenever what it lists might change. */
  readonly fingerprint: string;
  /** What others' tools are called instead of `<id>__<name>`: this and the name. */
  readonly prefix?: string | undefined;
  /** Set for others' servers: under what their tools are pinned, whatever the config calls them. */
  readonly pinKey?: string | undefined;
  /** Changes whenever anything about it does, secrets included. */
  readonly identity: string;
  readonly era: Era | "auto";
  /** Where it is, if it is not a process of ours. */
  readonly remote?: URL | undefined;
  readonly life: LifeOptions;
  /** What would be started or called, for people: no environment, no headers. */
  readonly summary: string;
  open(options: { readonly reaper: Reaper; readonly log: Log; readonly signal: AbortSignal }): Promise<ServerChannel>;
}

/** Where and with what servers are planned. */
export interface PlanOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly life?: Partial<LifeOptions> | undefined;
  /** Passed on to the suite's own servers. */
  readonly logLevel?: string | undefined;
  /** How a server of the suite comes to the user's OpenTelemetry set-up; undefined while there is none. */
  telemetry?(service: string): TelemetrySetup | undefined;
}

/** The servers, databases first, in the order of the config. */
export function planServers(config: GatewayConfig, options: PlanOptions): readonly PlannedServer[] {
  const databases = groupDatabases(config.databases).map((group) => planDatabases(group, options));
  const others = Object.entries(config.servers).map(([name, entry]) =>
    "command" in entry ? planProcess(name, entry, options) : planRemote(name, entry, options),
  );
  return [...databases, ...others];
}

/** Databases that share a process. */
export interface DatabaseGroup {
  readonly id: string;
  readonly kind: Kind;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly sources: ReadonlyMap<string, DatabaseEntry>;
}

function groupDatabases(databases: GatewayConfig["databases"]): DatabaseGroup[] {
  const groups = new Map<string, DatabaseGroup & { readonly sources: Map<string, DatabaseEntry> }>();
  for (const [name, entry] of Object.entries(databases)) {
    const kind = kinds.find((one) => one.name === entry.server);
    if (kind === undefined)
      throw new CodedError("config_invalid", `\`databases.${name}.server\` in the config is not a known kind.`);
    const settings = Object.fromEntries(Object.entries(entry.settings ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
    const key = `${kind.name} ${JSON.stringify(settings)}`;
    const count = [...groups.values()].filter((group) => group.kind === kind).length;
    const id = `databases:${kind.name}${count === 0 ? "" : `-${count + 1}`}`;
    const group = groups.get(key) ?? { id, kind, settings, sources: new Map() };
    group.sources.set(name, entry);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** The process of a group. It inherits the kind's own variables (`PG…`, `MYSQL_…`) from `options.environment`. */
export function planDatabases({ id, kind, settings, sources }: DatabaseGroup, options: PlanOptions): PlannedServer {
  const found = findPackageCommand(kind.package, kind.bin, options.workingDirectory);
  const names = [...sources.keys()];
  const inherited = Object.entries(options.environment).filter(([name]) => name.startsWith(kind.environment));
  const { file, variables } = toServerConfig(sources, settings);
  const environment = {
    ...baseEnvironment(options.environment),
    ...definedOnly(Object.fromEntries(inherited)),
    MCP_LOG_LEVEL: options.logLevel ?? "warn",
    ...variables,
  };
  return {
    id,
    databases: { kind, sources: names },
    fingerprint: hash([
      kind.package,
      found.version,
      found.args,
      settings,
      [...sources].map(([name, { schemas }]) => [name, schemas]),
    ]),
    identity: hash([kind.package, found, settings, [...sources], options.life]),
    era: "modern",
    life: { ...defaultLife, ...options.life },
    summary: `${kind.bin} for ${names.join(", ")}${found.version === undefined ? ` (fetched by npx: ${kind.package} is not installed)` : ""}`,
    async open({ reaper, log }) {
      const folder = await mkdtemp(join(tmpdir(), "mcp-gateway-"));
      const path = join(folder, "sources.json");
      await writeFile(path, file, { mode: 0o600 });
      const telemetry = found.command === process.execPath ? options.telemetry?.(kind.bin) : undefined;
      const args = [...(telemetry?.nodeArgs ?? []), ...found.args, "--config", path];
      const channel = openStdioChannel(
        { command: found.command, args, environment: { ...environment, ...telemetry?.variables } },
        { reaper, log },
      );
      const forget = () => void rm(folder, { recursive: true, force: true }).catch(() => {}); // it holds no secret
      void channel.closed.then(forget);
      return Object.assign(channel, { opened: forget });
    },
  };
}

/** A config file of the server whose texts are all variables, and the variables. */
function toServerConfig(sources: ReadonlyMap<string, DatabaseEntry>, settings: Readonly<Record<string, unknown>>) {
  const variables: Record<string, string> = {};
  const hide = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(hide);
    if (typeof value === "object" && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, hide(inner)]));
    if (typeof value !== "string") return value;
    const name = `MCP_GATEWAY_VALUE_${Object.keys(variables).length}`;
    variables[name] = value;
    return `\${${name}}`;
  };
  const entries = [...sources].map(([name, { server: _, settings: __, ...entry }]) => [name, hide(entry)]);
  const given = hide(settings) as object; // an object stays one
  return { file: JSON.stringify({ sources: Object.fromEntries(entries), ...given, trustParent: true }), variables };
}

function planProcess(name: string, entry: ProcessEntry, options: PlanOptions): PlannedServer {
  const { command, args = [], env = {}, cwd } = entry;
  const environment = { ...baseEnvironment(options.environment), ...env };
  return {
    id: name,
    fingerprint: hash(["process", name, command, args, Object.keys(env), cwd]),
    prefix: entry.prefix,
    pinKey: entry.pin === false ? undefined : hash(["process", command, args, cwd]),
    identity: hash(["process", entry, options.life]),
    era: entry.era ?? "auto",
    life: lifeOf(entry, options),
    summary: [command, ...args].join(" "),
    open: async ({ reaper, log }) => openStdioChannel({ command, args, environment, cwd }, { reaper, log }),
  };
}

function planRemote(name: string, entry: RemoteEntry, options: PlanOptions): PlannedServer {
  const isSse = (entry.type ?? entry.transport) === "sse";
  let tokens: AuthProvider | undefined; // kept from one connection to the next
  return {
    id: name,
    fingerprint: hash(["remote", name, entry.url]),
    prefix: entry.prefix,
    pinKey: entry.pin === false ? undefined : hash(["remote", entry.url]),
    identity: hash(["remote", entry, options.life]),
    era: entry.era ?? (isSse ? "legacy" : "auto"),
    remote: new URL(entry.url),
    life: lifeOf(entry, options),
    summary: entry.url.replace(/\?.*$/s, "").replace(/\/\/[^/@]*@/, "//"),
    open({ log, signal }) {
      if (entry.oauth !== undefined) tokens ??= createRemoteToken(entry.url, entry.oauth, { log });
      return openHttpChannel({ url: entry.url, headers: entry.headers ?? {}, isSse, tokens }, { log, signal });
    },
  };
}

function lifeOf(entry: ProcessEntry | RemoteEntry, { life }: PlanOptions): LifeOptions {
  return {
    ...defaultLife,
    ...life,
    ...(entry.idleTimeout === undefined ? {} : { idleMs: entry.idleTimeout }),
    ...(entry.startTimeout === undefined ? {} : { startMs: entry.startTimeout }),
    ...(entry.maxCalls === undefined ? {} : { maxCalls: entry.maxCalls }),
    ...(entry.maxCallsPerClient === undefined ? {} : { maxCallsPerClient: entry.maxCallsPerClient }),
  };
}

/** What every program needs; the gateway's own tokens and keys stay with the gateway. */
const inheritedNames =
  /^(PATH|HOME|USER|LOGNAME|SHELL|TERM|LANG|LC_.*|TZ|TMPDIR|TMP|TEMP|XDG_.*|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|(https?|no|all)_proxy|npm_config_.*|NVM_.*|VOLTA_HOME|APPDATA|LOCALAPPDATA|USERPROFILE|HOMEDRIVE|HOMEPATH|SYSTEMDRIVE|SYSTEMROOT|WINDIR|PATHEXT|COMSPEC|PROGRAMFILES.*|PROGRAMDATA|PROCESSOR_ARCHITECTURE|USERNAME)$/i;

function baseEnvironment(environment: PlanOptions["environment"]): Record<string, string> {
  return definedOnly(Object.fromEntries(Object.entries(environment).filter(([name]) => inheritedNames.test(name))));
}

function definedOnly(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const defined: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) if (value !== undefined) defined[name] = value;
  return defined;
}

const hash = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
