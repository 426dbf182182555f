/**
 * Which databases a server serves, and under which names: from the command line, the config file and the environment,
 * in this order. It opens nothing, and no URL ever reaches a message.
 */
import { CodedError } from "../host/errors.js";
import { type ColumnRule, parseColumnRules } from "./column-rules.js";
import type { DatabaseKind, SourceConfig } from "./database.js";
import { createPasswordCommand } from "./password-command.js";
import { parseSessionContext } from "./session-context.js";
import type { SourceEntry } from "./settings.js";

/** A source before it is opened. */
export interface PlannedSource<Config extends SourceConfig> {
  readonly name: string;
  readonly config: Config;
  readonly password: (() => Promise<string>) | undefined;
  readonly schemas: readonly string[] | undefined;
  readonly columnRules: readonly ColumnRule[];
  readonly sessionContext: readonly string[];
  /** Milliseconds a result is used again; 0 for never. */
  readonly resultTtlMs: number;
}

/** Where sources can be named. */
export interface SourceOrigins {
  /** URLs without a flag; each source is named after its database. */
  readonly urls: readonly string[];
  /** `name=url` of every `--source`. */
  readonly flags: readonly string[];
  readonly file: Readonly<Record<string, SourceEntry>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For sources that bring no password of their own. */
  readonly passwordCommand?: string | undefined;
  /** For sources that bring no schemas of their own. */
  readonly schemas?: readonly string[] | undefined;
  /** For every source, besides its own. */
  readonly denyColumns?: readonly string[] | undefined;
  readonly mask?: readonly string[] | undefined;
  /** For sources that bring no session context of their own. */
  readonly sessionContext?: readonly string[] | undefined;
  /** For sources that say nothing themselves. */
  readonly resultTtlMs?: number | undefined;
}

const sourceName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/**
 * The sources to serve. The command line's stand before the file's of the same name; the environment counts only where
 * neither names any.
 * @throws CodedError `usage` without any source or with two of one name, `config_invalid`, and what parsing a URL throws
 */
export function planSources<Config extends SourceConfig>(
  kind: DatabaseKind<Config>,
  origins: SourceOrigins,
): readonly PlannedSource<Config>[] {
  const { environment } = origins;
  const shared = {
    password: passwordOf(origins.passwordCommand),
    schemas: origins.schemas,
    columnRules: rulesOf(origins),
    sessionContext: parseSessionContext(origins.sessionContext ?? [], kind),
    resultTtlMs: origins.resultTtlMs ?? 0,
  };
  const planned = new Map<string, PlannedSource<Config>>();
  const add = (source: PlannedSource<Config>) => {
    if (planned.has(source.name)) throw duplicateName(source.name);
    planned.set(checkName(source.name), source);
  };
  for (const url of origins.urls) {
    const config = kind.parseSource(url, environment);
    add({ name: toName(config.database), config, ...shared });
  }
  for (const flag of origins.flags) {
    const { name, url } = splitFlag(flag, kind);
    add({ name, config: kind.parseSource(url, environment), ...shared });
  }
  for (const [name, entry] of Object.entries(origins.file)) {
    if (!planned.has(name)) add(planEntry(kind, name, entry, origins));
  }
  if (planned.size > 0) return [...planned.values()];
  const config = kind.sourceFromEnvironment(environment);
  if (config === undefined) throw noSource(kind);
  return [{ name: toName(config.database), config, ...shared }];
}

function planEntry<Config extends SourceConfig>(
  kind: DatabaseKind<Config>,
  name: string,
  entry: SourceEntry,
  origins: SourceOrigins,
): PlannedSource<Config> {
  const own = typeof entry === "string" ? { url: entry } : entry;
  const { password, passwordCommand = origins.passwordCommand, replicas, maxReplicaLag } = own;
  const options = {
    ...own.options,
    ...(replicas === undefined ? {} : { replicas: replicas.join(",") }),
    ...(maxReplicaLag === undefined ? {} : { max_replica_lag: maxReplicaLag }),
  };
  return {
    name,
    config: kind.parseSource(withOptions(own.url, options), origins.environment),
    password: password === undefined ? passwordOf(passwordCommand) : async () => password,
    schemas: own.schemas ?? origins.schemas,
    columnRules: rulesOf(origins, own),
    sessionContext: parseSessionContext(own.sessionContext ?? origins.sessionContext ?? [], kind),
    resultTtlMs: own.resultTtl ?? origins.resultTtlMs ?? 0,
  };
}

/** A source's own rules add to those for every source: what is hidden once stays hidden. */
function rulesOf(
  shared: Pick<SourceOrigins, "denyColumns" | "mask">,
  own: Pick<SourceOrigins, "denyColumns" | "mask"> = {},
): readonly ColumnRule[] {
  const both = (name: "denyColumns" | "mask") => [...(shared[name] ?? []), ...(own[name] ?? [])];
  return parseColumnRules(both("denyColumns"), both("mask"));
}

const passwordOf = (command: string | undefined) =>
  command === undefined ? undefined : createPasswordCommand(command);

function withOptions(url: string, options: Readonly<Record<string, string | number | boolean>>): string {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(options)) given.set(key, String(value));
  if (given.size === 0) return url;
  return `${url}${url.includes("?") ? "&" : "?"}${given}`;
}

function splitFlag(flag: string, { exampleUrl }: { readonly exampleUrl: string }): { name: string; url: string } {
  const [, name, url] = /^([^=:/]+)=(.+)$/s.exec(flag) ?? [];
  if (name === undefined || url === undefined) {
    throw new CodedError("usage", "--source is not name=url.", { hint: `Write --source sales=${exampleUrl}.` });
  }
  return { name, url };
}

/** A database's name as far as a source's name can hold it. */
function toName(database: string): string {
  const name = database.replaceAll(/[^A-Za-z0-9_.-]+/g, "_").replace(/^[^A-Za-z0-9]+/, "");
  return name.slice(0, 63) || "database";
}

function checkName(name: string): string {
  if (sourceName.test(name)) return name;
  throw new CodedError("config_invalid", `${JSON.stringify(name.slice(0, 80))} cannot be the name of a source.`, {
    hint: "Use letters, digits, _ . and -, at most 63, beginning with a letter or digit.",
  });
}

function duplicateName(name: string): CodedError {
  return new CodedError("usage", `Two sources are named ${name}.`, {
    hint: "Give each its own name: --source name=url.",
  });
}

function noSource({ command, exampleUrl }: { readonly command: string; readonly exampleUrl: string }): CodedError {
  return new CodedError("usage", "There is no source to serve.", {
    hint: `Pass a URL (${command} ${exampleUrl}), --source name=url, --config file, or set DATABASE_URL.`,
  });
}
