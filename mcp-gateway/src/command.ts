/** The commands `mcp-gateway`, `mcp-gateway check` and `mcp-gateway approve`: settings into a gateway, the gateway onto a transport. */
import { resolve } from "node:path";
import {
  auditCommand,
  auditSettings,
  CodedError,
  type CommandCall,
  type CommandOptions,
  type ConfigFile,
  createLog,
  defineCommand,
  type Environment,
  hostConfig,
  type Log,
  localPrincipal,
  nearestNames,
  openAccess,
  openAudit,
  readConfigFile,
  runCommand as runHostCommand,
  type SettingValues,
  serve,
  toErrorReport,
  toHttpOptions,
  tokenCommand,
  watchForChanges,
} from "@database-interface/mcp-core/host";
import { createRecorder } from "./audit/recorder.js";
import { defaultCacheFolder, openCatalogue } from "./catalogue.js";
import { parseConfig } from "./config.js";
import { type Gateway, openGateway } from "./gateway.js";
import { importCommand } from "./import/import-command.js";
import { type Fields, isFields } from "./message.js";
import { describeChange, openPins, pinFolder } from "./pins.js";
import { drainCommand, sessionsCommand, statusCommand } from "./remote-commands.js";
import { planServers } from "./servers.js";
import { type SessionSettings, sessionSettings } from "./sessions/session-settings.js";
import { configSetting, gatewaySettings } from "./settings.js";
import { version } from "./version.js";

/** Runs `mcp-gateway`; resolves to the exit code, never rejects. */
export const runCommand = (options: CommandOptions = {}): Promise<number> => runHostCommand(gatewayCommand, options);

const asFields = (value: unknown): Fields => (isFields(value) ? value : {});

const settingsInFile = (value: unknown): unknown => (isFields(value) ? (value.settings ?? {}) : {});

const checkCommand = defineCommand({
  name: "check",
  version,
  summary: "Checks a config file and says what it would start; starts nothing.",
  settings: configSetting,
  configFile: "config",
  settingsInFile: () => ({}),
  examples: [["mcp-gateway check --config gateway.json", "one line per server"]],
  async run({ file, io }) {
    const plans = planServers(parseConfig(required(file).value), {
      environment: io.environment,
      workingDirectory: process.cwd(),
    });
    for (const { id, summary } of plans) io.stdout.write(`${id}: ${summary}\n`);
    if (plans.length === 0) io.stdout.write("The config is valid and names no server.\n");
    return 0;
  },
});

const approveCommand = defineCommand({
  name: "approve",
  version,
  summary: "Shows what changed in the tools of a third-party server since they were approved, and approves it.",
  positionals: [
    {
      name: "server",
      describe: "The server's name in the config. Without it, all changes are shown and none approved.",
    },
  ],
  settings: { ...configSetting, cacheDir: gatewaySettings.cacheDir, ...auditSettings },
  configFile: "config",
  settingsInFile: (value) => {
    const known = Object.entries(asFields(settingsInFile(value))).filter(
      ([name]) => name === "cacheDir" || name in auditSettings,
    );
    return Object.fromEntries(known);
  },
  examples: [
    ["mcp-gateway approve --config gateway.json", "what is blocked, and how it changed"],
    [
      "mcp-gateway approve files --config gateway.json",
      "the tools of files are called again; a running gateway notices",
    ],
  ],
  async run({ values, positionals: [wanted], file, io }) {
    const options = { environment: io.environment, workingDirectory: process.cwd() };
    const plans = planServers(parseConfig(required(file).value), options);
    if (wanted !== undefined && !plans.some(({ id }) => id === wanted)) {
      const hint = `Did you mean ${
        nearestNames(
          wanted,
          plans.map(({ id }) => id),
          1,
        )[0] ?? "another one"
      }?`;
      throw new CodedError("usage", "The config names no such server.", { hint });
    }
    const log = createLog({ name: "mcp-gateway", level: "error" });
    const folder = values.cacheDir ?? defaultCacheFolder(io.environment);
    const catalogue = openCatalogue({ folder, log });
    using pins = openPins({ folder: pinFolder(folder), log });
    await using audit = await openAudit(values, { name: "mcp-gateway", version, log });
    const { note } = createRecorder(audit);
    let count = 0;
    for (const { id, pinKey, fingerprint } of plans) {
      if (pinKey === undefined || (wanted !== undefined && id !== wanted)) continue;
      const tools = catalogue.get(fingerprint)?.tools ?? [];
      const changed = pins.changed(pinKey, tools);
      count += changed.length;
      for (const one of changed) io.stdout.write(`${id}: ${describeChange(one).join("\n")}\n`);
      if (wanted === undefined || changed.length === 0) continue;
      const approved = { server: id, tools: changed.map((one) => one.name) };
      await note("admin", { operation: "approve", principal: localPrincipal.id, ...approved, outcome: "ok" });
      pins.approve(pinKey, tools);
      io.stdout.write(`Approved ${changed.length} tool${changed.length === 1 ? "" : "s"} of ${id}.\n`);
    }
    if (count === 0) io.stdout.write("No tool has changed since it was approved.\n");
    return 0;
  },
});

/** The command as a value, from which help, completion and docs derive. */
export const gatewayCommand = defineCommand({
  name: "mcp-gateway",
  version,
  summary: "One MCP endpoint for many servers: starts them on demand, stops them when idle, merges their tools.",
  settings: gatewaySettings,
  configFile: "config",
  settingsInFile,
  commands: [
    checkCommand,
    statusCommand,
    sessionsCommand,
    drainCommand,
    approveCommand,
    auditCommand({ name: "mcp-gateway", version }),
    tokenCommand({ name: "mcp-gateway", version }),
    importCommand,
  ],
  examples: [
    ["mcp-gateway --config gateway.json", "serves /mcp, /sse, /healthz, /readyz, /metrics and /v1/servers"],
    ["mcp-gateway --config gateway.json --stdio", "the same over stdio, for hosts that only start processes"],
    ["mcp-gateway check --config gateway.json", "says what it would start"],
    ["mcp-gateway status", "how the servers of a running gateway are"],
    ["mcp-gateway sessions", "whose sessions it holds"],
    ["mcp-gateway drain", "lets it end what runs and begin nothing new"],
  ],
  run,
});

async function run({ values, file, io }: CommandCall<typeof gatewaySettings>): Promise<number> {
  if (values.printConfig !== undefined) {
    const args = [
      "-y",
      "@database-interface/mcp-gateway",
      "--config",
      resolve(values.config ?? "gateway.json"),
      "--stdio",
    ];
    io.stdout.write(hostConfig({ host: values.printConfig, name: "databases", command: "npx", args }));
    return 0;
  }
  const log = createLog({ name: "mcp-gateway", level: values.logLevel });
  const config = required(file).value;
  await using audit = await openAudit(values, { name: "mcp-gateway", version, log });
  await using gateway = openGateway({
    config,
    audit,
    metricsAccess: values.metricsAccess,
    cacheFolder: values.cacheDir,
    environment: io.environment,
    log,
    life: {
      idleMs: values.idleTimeout,
      startMs: values.startTimeout,
      maxCalls: values.maxCalls,
      maxCallsPerClient: values.maxCallsPerClient,
      maxQueued: values.maxQueue,
    },
    discoveryMs: values.discoveryTimeout,
    serverLogLevel: values.logLevel === "info" ? "warn" : values.logLevel,
    sessions: pickSettings(values),
  });
  using access = await openAccess(values, {
    environment: io.environment,
    log,
    createLimiter: gateway.createRateLimiter,
  });
  await gateway.opened;
  await using served = await serve({
    name: "mcp-gateway",
    version,
    factory: gateway.factory,
    transport: values.stdio === true ? "stdio" : "http",
    http: toHttpOptions(values, access),
    ready: gateway.ready,
    routes: [...access.routes, ...gateway.routes],
    directory: gateway.directory,
    onListen: gateway.onListen,
    onPlainCall: gateway.onPlainCall,
    onDenied: gateway.onDenied,
    log,
    signal: io.signal,
  });
  if (served.url !== undefined) gateway.servedAt(served.url);
  gateway.addListener(served.notify);
  using _watch = file === undefined ? undefined : reloadOnChange(gateway, file, { environment: io.environment, log });
  await served.closed;
  return 0;
}

/** The part of the settings that is about sessions. */
function pickSettings(values: SettingValues<typeof gatewaySettings>): Partial<SessionSettings> {
  const own = Object.entries(values).filter(([name]) => name in sessionSettings);
  return Object.fromEntries(own); // each resolved by its own schema
}

/** A file that is broken changes nothing and the log says where; settings are read at the start only. */
function reloadOnChange(
  gateway: Gateway,
  file: ConfigFile,
  { environment, log }: { environment: Environment; log: Log },
): Disposable {
  const textOf = (value: unknown): string => JSON.stringify(value);
  let last = textOf(file.value);
  let reading = Promise.resolve();
  const reload = async (): Promise<void> => {
    try {
      const { value } = await readConfigFile(file.path, { environment });
      if (textOf(value) === last) return;
      gateway.reload(value);
      last = textOf(value);
      if (textOf(settingsInFile(value)) !== textOf(settingsInFile(file.value)))
        log.warn("settings_need_restart", {
          hint: "Servers and databases are taken over at once, settings at a start.",
        });
    } catch (error) {
      const { code, message, hint } = toErrorReport(error);
      log.error("config_not_reloaded", { code, message, hint });
    }
  };
  return watchForChanges(
    file.path,
    () => {
      reading = reading.then(reload);
    },
    { log },
  );
}

function required<File>(file: File | undefined): File {
  if (file !== undefined) return file;
  throw new CodedError("usage", "There is no config file to read.", {
    hint: "Pass --config gateway.json, or set MCP_GATEWAY_CONFIG.",
  });
}
