/**
 * gateway.json: a pasted `mcpServers` (or VS Code `servers`) block as it is, `databases`, `templates`, and `settings`. This room checks
 * its shape and says where it is wrong; what becomes of it is for `servers`. Settings are `command`'s.
 */
import { durationSchema, wholeSchema } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import { check, foreignKeys, invalid } from "./config-check.js";
import { kindOfUrl, kinds, schemes } from "./kinds.js";
import { isFields } from "./message.js";
import { parseTemplate, type Template } from "./template.js";

const text = v.pipe(v.string("must be text"), v.minLength(1, "must not be empty"));
const texts = v.record(v.string(), v.string("must be text"), "must be an object of texts");
const names = v.array(text, "must be a list of names");
const flag = v.boolean("must be true or false");

const positive = wholeSchema({ min: 1 });

/** Keys of ours that any server may carry. */
const ownKeys = {
  /** The protocol era it speaks; found out by asking when `auto`, the default. */
  era: v.optional(v.picklist(["auto", "legacy", "modern"], "must be auto, legacy or modern")),
  /** What the names of its tools and prompts begin with. Default: the server's name and two underscores. */
  prefix: v.optional(
    v.pipe(v.string("must be text"), v.regex(/^[A-Za-z0-9_-]{0,40}$/, "must be letters, digits, _ and -")),
  ),
  /** Whether its tools are blocked when their descriptors change. Default true. */
  pin: v.optional(flag),
  /** Time without a call after which it is stopped. */
  idleTimeout: v.optional(durationSchema()),
  /** Time it may take to start and shake hands. */
  startTimeout: v.optional(durationSchema({ min: 1 })),
  /** Calls in progress at most; more wait. */
  maxCalls: v.optional(positive),
  /** Of one client, so that it leaves room for others. */
  maxCallsPerClient: v.optional(positive),
};

const processEntry = v.strictObject({
  type: v.optional(v.literal("stdio", "must be stdio beside a command")),
  transport: v.optional(v.literal("stdio", "must be stdio beside a command")),
  command: text,
  args: v.optional(v.array(v.string("must be text"), "must be a list of texts")),
  env: v.optional(texts),
  cwd: v.optional(text),
  disabled: v.optional(flag),
  ...ownKeys,
  ...foreignKeys,
});

const httpType = v.optional(
  v.picklist(["http", "streamable-http", "streamableHttp", "sse"], "must be http or sse beside a url"),
);
/** A secret is sent there: over TLS, or to this machine. */
const trustedUrl = v.pipe(
  text,
  v.check(
    (url) =>
      URL.canParse(url) && (/^https:/i.test(url) || /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/i.test(`${url}/`)),
    "must be an https URL, or http on this machine",
  ),
);

/** Client credentials (RFC 6749, 4.4) for a remote server. */
const oauth = v.strictObject({
  clientId: text,
  clientSecret: text,
  issuer: trustedUrl,
  tokenUrl: v.optional(trustedUrl),
  scope: v.optional(text),
  resource: v.optional(text),
});

const remoteEntry = v.strictObject({
  type: httpType,
  transport: httpType,
  url: v.pipe(
    text,
    v.check((url) => /^https?:\/\//i.test(url) && URL.canParse(url), "must be an http or https URL"),
  ),
  headers: v.optional(texts),
  oauth: v.optional(oauth),
  disabled: v.optional(flag),
  ...ownKeys,
  ...foreignKeys,
});

/** Settings of a database server that decide which databases can share a process; its own command checks them. */
const serverSettings = v.record(v.string(), v.unknown(), "must be an object of the server's settings");

const databaseEntry = v.strictObject({
  server: v.optional(
    v.picklist(
      kinds.map(({ name }) => name),
      `must be ${kinds.map(({ name }) => name).join(" or ")}`,
    ),
  ),
  url: text,
  /** As they would stand behind `?` in the URL. */
  options: v.optional(
    v.record(v.string(), v.union([v.string(), v.number(), v.boolean()], "must be text, a number or true or false")),
  ),
  password: v.optional(v.string("must be text")),
  passwordCommand: v.optional(text),
  schemas: v.optional(names),
  denyColumns: v.optional(names),
  mask: v.optional(names),
  sessionContext: v.optional(names),
  /** How old a result of its `query` may be that is used again. */
  resultTtl: v.optional(durationSchema()),
  /** Hosts that reads may go to, and how old what is read there may be. */
  replicas: v.optional(names),
  maxReplicaLag: v.optional(text),
  settings: v.optional(serverSettings),
});

const name = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, "must be a name of letters, digits, _ . and -, at most 63"),
);
const serverName = v.pipe(
  v.string(),
  v.minLength(1, "must not be empty"),
  v.maxLength(100, "must be at most 100 characters"),
);

const topEntries = {
  $schema: v.optional(v.unknown()),
  databases: v.optional(v.record(name, v.unknown(), "must be an object of databases")),
  templates: v.optional(v.record(name, v.unknown(), "must be an object of templates")),
  mcpServers: v.optional(v.record(serverName, v.unknown(), "must be an object of servers")),
  servers: v.optional(v.record(serverName, v.unknown(), "must be an object of servers")),
  settings: v.optional(v.unknown()),
};

export type ProcessEntry = v.InferOutput<typeof processEntry>;
export type RemoteEntry = v.InferOutput<typeof remoteEntry>;
/** A database, its kind known. */
export type DatabaseEntry = Omit<v.InferOutput<typeof databaseEntry>, "server"> & { readonly server: string };

/** A checked config, entries in the order they were written. */
export interface GatewayConfig {
  readonly databases: Readonly<Record<string, DatabaseEntry>>;
  readonly servers: Readonly<Record<string, ProcessEntry | RemoteEntry>>;
  /** What databases of sessions are made from, by name. */
  readonly templates: ReadonlyMap<string, Template>;
}

/**
 * Checks a config's value.
 * @throws CodedError `config_invalid` with the JSON path and the nearest known key; never a value, which may be a secret
 */
export function parseConfig(value: unknown): GatewayConfig {
  if (!isFields(value)) throw invalid("", "must be one object", "Start it with { and end it with }.");
  const top = check(v.strictObject(topEntries, "must be one object"), value, "");
  if (top.mcpServers !== undefined && top.servers !== undefined) {
    throw invalid("servers", "cannot stand beside mcpServers", "Put all servers into one of the two.");
  }
  const block = top.mcpServers === undefined ? "servers" : "mcpServers";
  const servers: Record<string, ProcessEntry | RemoteEntry> = {};
  for (const [key, entry] of Object.entries(top[block] ?? {})) {
    const parsed = parseServer(entry, `${block}.${key}`);
    if (parsed.disabled !== true) servers[key] = parsed;
  }
  const databases: Record<string, DatabaseEntry> = {};
  for (const [key, entry] of Object.entries(top.databases ?? {}))
    databases[key] = parseDatabase(entry, `databases.${key}`);
  const templates = new Map(
    Object.entries(top.templates ?? {}).map(([key, entry]) => [key, parseTemplate(key, entry, `templates.${key}`)]),
  );
  return { databases, servers, templates };
}

function parseServer(entry: unknown, path: string): ProcessEntry | RemoteEntry {
  const given = check(v.record(v.string(), v.unknown(), "must be an object with command or url"), entry, path);
  const { serverUrl, ...rest } = given; // Windsurf's spelling
  const remote = serverUrl === undefined ? given : { ...rest, url: serverUrl };
  if (remote.url !== undefined) {
    const entry = check(remoteEntry, remote, path);
    const names = Object.keys(entry.headers ?? {});
    if (entry.oauth !== undefined && names.some((one) => one.toLowerCase() === "authorization"))
      throw invalid(`${path}.headers`, "has an Authorization beside oauth", "Leave one of the two out.");
    return entry;
  }
  if (given.command === undefined)
    throw invalid(
      path,
      "has neither command nor url",
      "A process needs command (and args); a remote server needs url.",
    );
  return check(processEntry, given, path);
}

function parseDatabase(entry: unknown, path: string): DatabaseEntry {
  const given = check(databaseEntry, typeof entry === "string" ? { url: entry } : entry, path);
  const at = typeof entry === "string" ? path : `${path}.url`;
  const server = given.server ?? kindOfUrl(given.url)?.name;
  if (server === undefined)
    throw invalid(
      at,
      "is not the URL of a known database",
      `It begins with one of ${schemes.map((scheme) => `${scheme}://`).join(", ")}.`,
    );
  if (kindOfUrl(given.url)?.name !== server) {
    const own = kinds.find((kind) => kind.name === server)?.schemes ?? [];
    throw invalid(
      at,
      `is not a URL of the server ${server}`,
      `It begins with ${own.map((scheme) => `${scheme}://`).join(" or ")}.`,
    );
  }
  const key = given.replicas === undefined ? "maxReplicaLag" : "replicas";
  const isAsked = given.replicas !== undefined || given.maxReplicaLag !== undefined;
  if (isAsked && kinds.find((kind) => kind.name === server)?.readsFromReplicas !== true)
    throw invalid(
      `${path}.${key}`,
      `is not for the server ${server}`,
      "Name several hosts in the URL, or put a router before them.",
    );
  return { ...given, server };
}
