/**
 * A template of the config: what a database that somebody adds to their session may be. It fixes the server kind, its
 * options and settings, and which hosts may be reached; a client brings names within these bounds and nothing else.
 */
import * as v from "valibot";
import { check, invalid } from "./config-check.js";
import { type Kind, kinds } from "./kinds.js";
import { type HostRule, parseHostRule } from "./sessions/host-rules.js";

const text = v.pipe(v.string("must be text"), v.minLength(1, "must not be empty"));
const names = v.array(text, "must be a list of names");

const templateEntry = v.strictObject({
  server: v.picklist(
    kinds.map(({ name }) => name),
    `must be ${kinds.map(({ name }) => name).join(" or ")}`,
  ),
  /** Names, `*.example.com`, addresses or networks, each with a port where it is not the usual one. */
  hosts: v.pipe(v.array(text, "must be a list of hosts"), v.minLength(1, "must name at least one host")),
  /** Whether the hosts may be this machine or in a private network. Default false. */
  private: v.optional(v.boolean("must be true or false")),
  /** Fixed for everybody; without them the client says. */
  database: v.optional(text),
  user: v.optional(text),
  options: v.optional(
    v.record(v.string(), v.union([v.string(), v.number(), v.boolean()], "must be text, a number or true or false")),
  ),
  schemas: v.optional(names),
  denyColumns: v.optional(names),
  mask: v.optional(names),
  sessionContext: v.optional(names),
  settings: v.optional(v.record(v.string(), v.unknown(), "must be an object of the server's settings")),
  /** What people and models read about it. */
  description: v.optional(text),
});

/** A checked template. */
export interface Template
  extends Omit<v.InferOutput<typeof templateEntry>, "server" | "hosts" | "private" | "settings"> {
  readonly name: string;
  readonly kind: Kind;
  readonly hosts: readonly HostRule[];
  readonly isPrivateAllowed: boolean;
  readonly settings: Readonly<Record<string, unknown>>;
  /** The one host there is to reach, where there is only one. */
  readonly onlyHost: { readonly host: string; readonly port: number } | undefined;
}

/** What says whom to connect as and where: never an option. */
const reserved =
  /^(user|username|password|passfile|dbname|database|host|hostaddr|port|socket|socket-?path|unix-?socket)$/i;

/** @throws CodedError `config_invalid` */
export function parseTemplate(name: string, entry: unknown, path: string): Template {
  const {
    server,
    hosts: listed,
    private: isPrivateAllowed = false,
    settings = {},
    ...rest
  } = check(templateEntry, entry, path);
  const kind = kinds.find((one) => one.name === server);
  if (kind === undefined) throw invalid(`${path}.server`, "is not a known kind", "Take postgres or mysql.");
  const hosts = listed.map((written, index) => {
    const rule = parseHostRule(written, kind.defaultPort);
    if (rule !== undefined) return rule;
    throw invalid(
      `${path}.hosts.${index}`,
      "is not a host",
      "Write db.example.com, db.example.com:5433, *.example.com, 192.0.2.10 or 10.1.0.0/16.",
    );
  });
  for (const option of Object.keys(rest.options ?? {}))
    if (reserved.test(option))
      throw invalid(
        `${path}.options.${option}`,
        "cannot be an option of a template",
        "Sessions bring it, within `hosts`, `database` and `user`.",
      );
  const [only] = hosts;
  const onlyHost =
    hosts.length === 1 && only?.kind === "exact" && only.port !== "any"
      ? { host: only.host, port: only.port }
      : undefined;
  return { ...rest, name, kind, hosts, isPrivateAllowed, settings, onlyHost };
}
