/**
 * What everything is called outside, and whose it is: the suite's tools and prompts merged into one set with a `source`,
 * all others under `<server>__<name>`, entries passed on untouched. Pure: from listings to names, in the config's order.
 */
import { createHash } from "node:crypto";
import type { Listing } from "./catalogue.js";
import { type Fields, isFields } from "./message.js";

/** A server and what it last listed. */
export interface ListedServer {
  readonly id: string;
  readonly databases?: { readonly kind: { readonly name: string }; readonly sources: readonly string[] } | undefined;
  readonly listing: Listing | undefined;
  readonly prefix?: string | undefined;
  /** Tools that have changed since they were approved: known, but neither listed nor called. */
  readonly blocked?: ReadonlySet<string> | undefined;
}

/** Who answers for a name. */
export type Owner =
  | { readonly kind: "server"; readonly server: string; readonly name: string; readonly entry: Fields }
  /** One of the servers of ours that have it, chosen by the `source` of the call. */
  | { readonly kind: "databases"; readonly servers: readonly string[]; readonly name: string; readonly entry: Fields }
  /** The gateway itself. */
  | { readonly kind: "gateway"; readonly name: string; readonly entry: Fields };

/** Whether a tool says of itself that it only reads. */
export const readsOnly = ({ annotations }: Fields): boolean =>
  isFields(annotations) && annotations.readOnlyHint === true;

/** The names of one moment. */
export interface Names {
  readonly tools: ReadonlyMap<string, Owner>;
  readonly prompts: ReadonlyMap<string, Owner>;
  /** As they are listed: the entries of the maps above, under their outer names. */
  readonly listedTools: readonly Fields[];
  /** Tools that are not listed until a person approves them, and their servers. */
  readonly blocked: ReadonlyMap<string, string>;
  readonly listedPrompts: readonly Fields[];
  readonly listedTemplates: readonly Fields[];
  /** What could not be listed, a sentence each. */
  readonly problems: readonly string[];
}

const maxNameLength = 64;

export function nameAll(servers: readonly ListedServer[]): Names {
  const problems: string[] = [];
  const sources = servers.flatMap(({ databases }) => databases?.sources ?? []);
  // a server without sources only tells which tools databases of sessions have
  const standing = servers.filter(({ databases }) => databases?.sources.length !== 0);
  const tools = mergeOurs(servers, "tools", (variants, name, isFirst) =>
    mergeTools(variants, name, servers, isFirst && sources.length > 1),
  );
  const prompts = mergeOurs(standing, "prompts", (variants) => mergePrompts(variants, standing, sources.length > 1));
  const blocked = new Map<string, string>();
  for (const { id, databases, listing, prefix = `${id}__`, blocked: changed } of servers) {
    if (databases !== undefined || listing === undefined) continue;
    for (const name of changed ?? []) {
      blocked.set(toOuterName(prefix, name), id);
      problems.push(`${name} of ${id} has changed since it was approved. Look at it with: mcp-gateway approve ${id}`);
    }
    addOthers(tools, id, prefix, listing.tools, problems);
    addOthers(prompts, id, prefix, listing.prompts, problems);
  }
  return {
    tools,
    prompts,
    blocked,
    listedTools: [...tools].filter(([name]) => !blocked.has(name)).map(([, { entry }]) => entry),
    listedPrompts: [...prompts.values()].map(({ entry }) => entry),
    listedTemplates: mergeTemplates(standing),
    problems,
  };
}

/** The outer name of a tool or prompt under its server's prefix: shortened by a hash where it would be longer than hosts accept. */
export function toOuterName(prefix: string, name: string): string {
  const full = `${prefix}${name}`.replaceAll(/[^A-Za-z0-9_-]/g, "_");
  if (full.length <= maxNameLength) return full;
  const mark = createHash("sha256").update(`${prefix}\n${name}`).digest("hex").slice(0, 8);
  return `${full.slice(0, maxNameLength - 9)}_${mark}`;
}

function addOthers(
  names: Map<string, Owner>,
  server: string,
  prefix: string,
  entries: readonly Fields[],
  problems: string[],
): void {
  for (const entry of entries) {
    if (typeof entry.name !== "string") continue;
    const outer = toOuterName(prefix, entry.name);
    const taken = names.get(outer);
    if (taken !== undefined) {
      const other = taken.kind === "server" ? `${taken.name} of ${taken.server}` : "a tool of the databases";
      problems.push(
        `${entry.name} of ${server} is not listed: its name ${outer} already stands for ${other}. Rename one of the servers.`,
      );
      continue;
    }
    names.set(outer, { kind: "server", server, name: entry.name, entry: { ...entry, name: outer } });
  }
}

type Merge = (variants: readonly Fields[], name: string, isFirst: boolean) => Fields;

function mergeOurs(servers: readonly ListedServer[], key: "tools" | "prompts", merge: Merge): Map<string, Owner> {
  const found = new Map<string, { entries: Fields[]; servers: string[] }>();
  for (const { id, databases, listing } of servers) {
    if (databases === undefined) continue;
    for (const entry of listing?.[key] ?? []) {
      if (typeof entry.name !== "string") continue;
      const one = found.get(entry.name) ?? { entries: [], servers: [] };
      one.entries.push(entry);
      one.servers.push(id);
      found.set(entry.name, one);
    }
  }
  const owners = new Map<string, Owner>();
  for (const [name, one] of found) {
    owners.set(name, {
      kind: "databases",
      servers: one.servers,
      name,
      entry: merge(one.entries, name, owners.size === 0),
    });
  }
  return owners;
}

/** Equal tools as one. The sources' names stand once, at the first tool, so that a further source costs its name only. */
function mergeTools(
  variants: readonly Fields[],
  name: string,
  servers: readonly ListedServer[],
  isListingSources: boolean,
): Fields {
  const [first = {}] = variants;
  const ours = servers.flatMap(({ databases }) => databases ?? []).filter((one) => one.sources.length > 0);
  const sources = ours.flatMap((one) => one.sources);
  const schemas = variants.map(({ inputSchema }) => (isFields(inputSchema) ? inputSchema : {}));
  const properties = Object.assign(
    {},
    ...schemas.map((schema) => (isFields(schema.properties) ? schema.properties : {})).reverse(),
  );
  delete properties.source;
  const required = requiredOf(schemas[0]).filter(
    (one) => one !== "source" && schemas.every((schema) => requiredOf(schema).includes(one)),
  );
  const needsSource = ours.length > 1 || schemas.some((schema) => requiredOf(schema).includes("source"));
  const source = isListingSources ? { enum: sources, ...describeKinds(ours) } : { type: "string" };
  const allRequired = sources.length > 1 && needsSource ? [...required, "source"] : required;
  const { required: _, ...schema } = schemas[0] ?? {};
  return {
    ...first,
    name,
    description: joinTexts(variants.map(({ description }) => String(description ?? ""))),
    inputSchema: {
      ...schema,
      properties: sources.length > 1 ? { ...properties, source } : properties,
      ...(allRequired.length > 0 ? { required: allRequired } : {}),
    },
    ...mergeAnnotations(variants),
  };
}

const requiredOf = (schema: Fields | undefined): string[] =>
  Array.isArray(schema?.required) ? schema.required.filter((one) => typeof one === "string") : [];

/** Which sources are of which kind, where there are several kinds. */
function describeKinds(
  ours: readonly { readonly kind: { readonly name: string }; readonly sources: readonly string[] }[],
): Fields {
  const byKind = new Map<string, string[]>();
  for (const { kind, sources } of ours) byKind.set(kind.name, [...(byKind.get(kind.name) ?? []), ...sources]);
  if (byKind.size < 2) return {};
  const parts = [...byKind].map(([kind, sources]) => `${kind}: ${sources.join(", ")}`);
  return { description: parts.join("; ") };
}

/** A tool only reads if it does so everywhere. */
function mergeAnnotations(variants: readonly Fields[]): Fields {
  const all = variants.map(({ annotations }) => (isFields(annotations) ? annotations : {}));
  if (all.every((one) => one.readOnlyHint === true)) return { annotations: all[0] };
  return {
    annotations: { ...all[0], readOnlyHint: false, destructiveHint: all.some((one) => one.destructiveHint !== false) },
  };
}

function mergePrompts(variants: readonly Fields[], servers: readonly ListedServer[], severalSources: boolean): Fields {
  const [first = {}] = variants;
  const severalServers = servers.filter(({ databases }) => databases !== undefined).length > 1;
  const given = Array.isArray(first.arguments) ? first.arguments.filter(isFields) : [];
  const others = given.filter(({ name }) => name !== "source");
  const source = { name: "source", description: "The source to use", required: severalServers };
  return { ...first, arguments: severalSources ? [...others, source] : others };
}

function mergeTemplates(servers: readonly ListedServer[]): Fields[] {
  const templates = new Map<unknown, Fields>();
  for (const { listing } of servers) {
    for (const template of listing?.resourceTemplates ?? []) {
      if (!templates.has(template.uriTemplate)) templates.set(template.uriTemplate, template);
    }
  }
  return [...templates.values()];
}

/** Texts that differ in one stretch as one text: `a (x) b` and `a (y) b` become `a (x or y) b`. */
export function joinTexts(texts: readonly string[]): string {
  const [first = "", ...others] = [...new Set(texts)];
  if (others.length === 0) return first;
  const split = (text: string): string[] => text.split(/(?<=[\s(])|(?=[\s).])/);
  const parts = [first, ...others].map(split);
  const shortest = Math.min(...parts.map(({ length }) => length));
  const [one = []] = parts;
  let start = 0;
  while (start < shortest && parts.every((words) => words[start] === one[start])) start++;
  let end = 0;
  while (end < shortest - start && parts.every((words) => words.at(-1 - end) === one.at(-1 - end))) end++;
  const middles = parts.map((words) => words.slice(start, words.length - end).join(""));
  return one.slice(0, start).join("") + middles.join(" or ") + one.slice(one.length - end).join("");
}
