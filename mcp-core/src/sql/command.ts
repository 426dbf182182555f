/**
 * The whole command of a database server: settings into open sources, sources into a server, the server onto a
 * transport; everything it opened is closed on the way out. It knows products only by their `DatabaseKind`.
 */
import { openAccess } from "../host/access/settings.js";
import { tokenCommand } from "../host/access/tokens-command.js";
import { auditCommand } from "../host/audit/command.js";
import { openAudit } from "../host/audit/settings.js";
import { CodedError } from "../host/errors.js";
import { hostConfig } from "../host/host-config.js";
import { createLog, type Log } from "../host/log.js";
import { type CommandCall, type CommandOptions, type CommandSpec, runCommand } from "../host/run-command.js";
import { serve } from "../host/serve.js";
import { toHttpOptions } from "../host/serving-settings.js";
import { createTracing, type Tracing } from "../host/tracing.js";
import { afterWrites } from "./after-writes.js";
import type { ServerSettings, Source } from "./call.js";
import { cacheCatalog } from "./catalog-cache.js";
import { watchCatalog } from "./catalog-watch.js";
import type { DatabaseKind, SourceConfig } from "./database.js";
import { printGrants } from "./print-grants.js";
import { createResultStore } from "./result-cache.js";
import { createDatabaseServer } from "./server.js";
import { databaseSettings } from "./settings.js";
import { checkSources } from "./source-check.js";
import { type PlannedSource, planSources } from "./sources.js";
import { checkToolNames } from "./tools.js";
import { traceDatabase } from "./traced-database.js";
import { restrictDatabase } from "./visible-database.js";

type Values = CommandCall<typeof databaseSettings>["values"];

const connectTimeoutMs = 10_000;

/** Runs a database server's command to its end and resolves to its exit code; never rejects. */
export function runDatabaseCommand<Config extends SourceConfig>(
  kind: DatabaseKind<Config>,
  options: CommandOptions = {},
): Promise<number> {
  return runCommand(databaseCommand(kind), options);
}

/** The command as a value, from which help, completion and docs derive. */
export function databaseCommand<Config extends SourceConfig>(
  kind: DatabaseKind<Config>,
): CommandSpec<typeof databaseSettings> {
  const { command, title, version, exampleUrl } = kind;
  return {
    name: command,
    version,
    summary: `Serves ${title} databases over MCP, read-only.`,
    positionals: [{ name: "url", describe: `A database, such as ${exampleUrl}.`, multiple: true }],
    settings: databaseSettings,
    configFile: "config",
    commands: [auditCommand({ name: command, version }), tokenCommand({ name: command, version })],
    examples: [
      [`${command} ${exampleUrl}`, "one source over stdio, named after its database"],
      [`${command} --source sales=… --source hr=…`, "two sources; tools take their name"],
      [`${command} --config servers.json --transport http`, "sources from a file, served over HTTP"],
      [`${command} ${exampleUrl} --check`, "connects and prints the self-audit"],
      [`${command} ${exampleUrl} --schemas sales --print-grants mcp_reader`, "SQL of a role that holds it"],
      [`${command} --print-config claude-desktop`, "the lines to paste into a host"],
    ],
    run: (call) => run(kind, call),
  };
}

async function run<Config extends SourceConfig>(
  kind: DatabaseKind<Config>,
  { values, positionals, io }: CommandCall<typeof databaseSettings>,
): Promise<number> {
  if (values.printConfig !== undefined) {
    io.stdout.write(toHostLines(kind, values.printConfig));
    return 0;
  }
  const log = createLog({ name: kind.command, level: values.logLevel, stream: io.stderr });
  const settings = toServerSettings(values);
  await using demo = values.demo ? await startDemo(kind, log, io.signal) : undefined;
  const planned = planSources(kind, {
    urls: demo === undefined ? positionals : [...positionals, demo.url],
    flags: values.source ?? [],
    file: values.sources ?? {},
    environment: io.environment,
    passwordCommand: values.passwordCommand,
    schemas: values.schemas,
    denyColumns: values.denyColumns,
    mask: values.mask,
    sessionContext: values.sessionContext,
    resultTtlMs: values.resultTtl,
  });
  const tracing = createTracing({ name: kind.command, version: kind.version });
  await using sources = openSources(kind, planned, values, { log, tracing });
  if (values.check) return await checkSources(sources.list, settings, io);
  if (values.printGrants !== undefined) return await printGrants(sources.list, values.printGrants, settings, io);
  await using audit = await openAudit(values, { name: kind.command, version: kind.version, log });
  await using server = createDatabaseServer({ kind, sources: sources.list, settings, log, audit, tracing });
  using access = await openAccess(values, { environment: io.environment, log });
  await using served = await serve({
    name: kind.command,
    version: kind.version,
    factory: server,
    transport: values.transport,
    http: toHttpOptions(values, access),
    routes: access.routes,
    ready: async ({ signal }) => {
      if (audit?.isRequired) await audit.ready();
      await answersAtAll(sources.list, signal);
    },
    log,
    signal: io.signal,
  });
  await served.closed;
  return 0;
}

function toServerSettings(values: Values): ServerSettings {
  checkToolNames(values.tools);
  return {
    mode: values.mode,
    tools: values.tools,
    structured: values.structured ?? false,
    isParentTrusted: values.trustParent ?? false,
    poolSize: values.pool,
    maxRows: values.maxRows,
    maxBytes: values.maxBytes,
    timeoutMs: values.timeout,
  };
}

/** Pools for all sources, each connecting on first use; closed together. */
function openSources<Config extends SourceConfig>(
  kind: DatabaseKind<Config>,
  planned: readonly PlannedSource<Config>[],
  { pool: poolSize, catalogTtl: ttlMs, printGrants: isForGrants }: Values,
  { log, tracing }: { readonly log: Log; readonly tracing: Tracing },
): AsyncDisposable & { readonly list: readonly Source[] } {
  const store = createResultStore();
  const list = planned.map(({ name, config, password, schemas, columnRules, sessionContext, resultTtlMs }): Source => {
    log.info("source", { source: name, database: config.label });
    // Grants are printed by an administrator, whom no rule on rows holds.
    const seen = { schemas, columnRules, sessionContext: isForGrants === undefined ? sessionContext : [] };
    const options = { poolSize, connectTimeoutMs, ...seen, password, log: log.with({ source: name }) };
    const traced = {
      system: kind.system,
      lexis: kind.lexis ?? "standard",
      label: config.label,
      database: config.database,
    } as const;
    const opened = afterWrites(traceDatabase(kind.open(config, options), tracing, traced), store.forget);
    const watch = watchCatalog(opened.catalog);
    const database = restrictDatabase(cacheCatalog(opened, { ttlMs, watch }), seen);
    const results = resultTtlMs === 0 ? undefined : store.open({ name, ttlMs: resultTtlMs, watch });
    return { name, label: config.label, database, sessionContext, results };
  });
  return {
    list,
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(list.map(({ database }) => database[Symbol.asyncDispose]()));
    },
  };
}

/** Ready is a server with at least one source that answers. */
async function answersAtAll(sources: readonly Source[], signal: AbortSignal): Promise<void> {
  const checks = await Promise.allSettled(sources.map(({ database }) => database.check({ signal })));
  const [first] = checks;
  if (checks.every(({ status }) => status === "rejected") && first?.status === "rejected") throw first.reason;
}

async function startDemo(kind: Pick<DatabaseKind, "startDemo" | "title">, log: Log, signal: AbortSignal) {
  if (kind.startDemo === undefined) {
    throw new CodedError("demo_unavailable", `There is no demo of ${kind.title}.`, {
      hint: "Pass the URL of a database of your own.",
    });
  }
  return kind.startDemo({ log, signal });
}

/** The lines for a host. The URL stays a placeholder: the user's own may hold a secret. */
function toHostLines(
  kind: Pick<DatabaseKind, "command" | "exampleUrl">,
  host: Parameters<typeof hostConfig>[0]["host"],
) {
  return hostConfig({
    host,
    name: "database",
    command: "npx",
    args: ["-y", `@database-interface/${kind.command}`],
    env: { DATABASE_URL: kind.exampleUrl },
  });
}
