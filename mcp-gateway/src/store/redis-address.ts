/**
 * The one URL that says where Redis is: a single server, a master that Sentinels know, or a Cluster. Read by ourselves,
 * so that a wrong one is refused by name and no password is ever part of a message.
 */
import { CodedError } from "@database-interface/mcp-core/host";

/** A host and its port. */
export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is and how it is spoken to. */
export interface RedisAddress {
  readonly mode: "single" | "sentinel" | "cluster";
  /** The servers, the Sentinels, or some of the Cluster's nodes. */
  readonly nodes: readonly [RedisNode, ...RedisNode[]];
  readonly isTls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** The master's name at the Sentinels. */
  readonly masterName: string | undefined;
  /** What Sentinels themselves ask for. */
  readonly sentinelPassword: string | undefined;
  readonly database: number;
  /** What every key begins with. */
  readonly prefix: string;
}

const modes = new Map<string, Pick<RedisAddress, "mode" | "isTls">>([
  ["redis", { mode: "single", isTls: false }],
  ["rediss", { mode: "single", isTls: true }],
  ["redis-sentinel", { mode: "sentinel", isTls: false }],
  ["rediss-sentinel", { mode: "sentinel", isTls: true }],
  ["redis-cluster", { mode: "cluster", isTls: false }],
  ["rediss-cluster", { mode: "cluster", isTls: true }],
]);

const defaultPorts = { single: 6379, sentinel: 26_379, cluster: 6379 };
const defaultPrefix = "mcp-gateway";

/** Whether a store's word is meant for Redis. */
export const isRedisUrl = (word: string): boolean => /^rediss?(-sentinel|-cluster)?:/i.test(word);

/**
 * Reads `redis://user:password@host:6379/0`, `rediss://…`, `redis-sentinel://:password@host1,host2/name` and
 * `redis-cluster://host1:7000,host2:7001`; several hosts behind `redis://` are a Cluster too. `?prefix=` begins every
 * key, `?db=` chooses a Sentinel master's database, `?sentinel_password=` is for the Sentinels.
 * @throws CodedError `config_invalid`, never with a part of the URL
 */
export function parseRedisUrl(url: string): RedisAddress {
  const [, scheme = "", userinfo, hosts = "", path = "", query = ""] =
    /^([a-z-]+):\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(url) ?? [];
  const known = modes.get(scheme.toLowerCase());
  if (known === undefined) throw invalid("is not understood");
  const list = hosts.split(",").map((host) => host.trim());
  const mode = known.mode === "single" && list.length > 1 ? "cluster" : known.mode;
  const [first, ...others] = list.map((host) => toNode(host, defaultPorts[mode]));
  if (first === undefined) throw invalid("names no host");
  const options = toOptions(query);
  if (mode === "sentinel" && path === "") throw invalid("names no master behind the Sentinels' hosts");
  if (mode === "cluster" && !/^0?$/.test(path)) throw invalid("has a database, which a Cluster does not");
  const [username = "", ...rest] = (userinfo ?? "").split(":");
  return {
    ...known,
    mode,
    nodes: [first, ...others],
    username: decode(username) || undefined,
    password: userinfo?.includes(":") === true ? decode(rest.join(":")) : undefined,
    masterName: mode === "sentinel" ? decode(path) : undefined,
    sentinelPassword: options.get("sentinel_password") ?? undefined,
    database: toDatabase(mode === "sentinel" ? (options.get("db") ?? "") : path),
    prefix: options.get("prefix") ?? defaultPrefix,
  };
}

function toNode(text: string, defaultPort: number): RedisNode {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port ?? 1) > 65_535 || Number(port ?? 1) < 1)
    throw invalid("has a host that is not understood");
  return { host, port: Number(port ?? defaultPort) };
}

function toDatabase(text: string): number {
  if (!/^\d{0,5}$/.test(text)) throw invalid("has a database that is no number");
  return Number(text);
}

function toOptions(query: string): URLSearchParams {
  const options = new URLSearchParams(query);
  for (const [name, value] of options) {
    if (!["prefix", "db", "sentinel_password"].includes(name)) throw invalid("has an option that is not known");
    if (name === "prefix" && !/^[\w.-]{1,64}$/.test(value))
      throw invalid("has a prefix that is not letters, digits, _ . and -");
  }
  return options;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("has a broken %-escape");
  }
}

const invalid = (what: string): CodedError =>
  new CodedError("config_invalid", `The Redis URL ${what}.`, {
    hint: "Write redis://host:6379, redis-sentinel://host1,host2/name or redis-cluster://host1:7000,host2:7000; rediss… for TLS.",
  });
