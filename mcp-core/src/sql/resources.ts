/**
 * Every table as a resource, `schema://{source}/{schema}/{table}`, and every source's list of tables,
 * `schema://{source}`; with completion of all three names. Listing is bounded, and a slow source holds up nothing.
 */
import type {
  ListResourcesResult,
  ListResourceTemplatesResult,
  ReadResourceResult,
  Resource,
} from "@modelcontextprotocol/server";
import { CodedError } from "../host/errors.js";
import { withTimeout } from "../host/signals.js";
import { chooseSource, quoteOf, type Service, type Source } from "./call.js";
import type { FoundObject } from "./catalog-objects.js";
import { quoteTable } from "./identifiers.js";
import { toJsonString, toOneLine } from "./json-text.js";
import { listingDeadlineMs } from "./limits.js";
import { permit } from "./policy.js";
import { toTableText } from "./table-text.js";
import { cutToBytes } from "./text-reply.js";

/** The template of a table's resource. */
export const tableTemplate = "schema://{source}/{schema}/{table}";

/** Resources of a server. */
export interface Resources {
  list(signal: AbortSignal): Promise<ListResourcesResult>;
  templates(): ListResourceTemplatesResult;
  /** @throws CodedError `not_found`, `source_unknown`, `table_not_found` and the port's */
  read(uri: string, signal: AbortSignal): Promise<ReadResourceResult>;
  /** @throws CodedError `not_found` */
  complete(
    template: string,
    argument: Argument,
    known: KnownArguments,
    signal: AbortSignal,
  ): Promise<readonly string[]>;
}

/** An argument being typed. */
export interface Argument {
  readonly name: string;
  readonly value: string;
}

/** Arguments typed before it. */
export type KnownArguments = Readonly<Record<string, string>>;

const listedTables = 200;
const indexedTables = 1_000;
const mimeType = "text/plain";

/** The resources of these sources. */
export function createResources(service: Service): Resources {
  return {
    async list(signal) {
      const sources = [...service.sources.values()];
      const share = Math.max(1, Math.floor(listedTables / sources.length));
      const lists = await Promise.all(sources.map((source) => listSource(source, share, signal)));
      return { resources: lists.flat() };
    },
    templates: () => ({
      resourceTemplates: [
        { name: "table", uriTemplate: tableTemplate, description: "A table's columns, keys and indexes.", mimeType },
      ],
    }),
    async read(uri, signal) {
      const names = parseUri(uri);
      const caps = permit(service.settings, "read");
      const { database, name } = chooseSource(service, names.source);
      const text =
        names.table === undefined
          ? await toIndexText(name, service, signal)
          : toTableText(await database.catalog.describe(names.table, { signal }), quoteOf(service));
      return { contents: [{ uri, mimeType, text: cutToBytes(text, caps.maxBytes) }] };
    },
    async complete(template, argument, known, signal) {
      if (template !== tableTemplate) throw notFound("resource template", tableTemplate);
      return completeName(argument, known, service, signal);
    },
  };
}

/** Completes `source`, `schema` and `table`, the names of resources and of prompts alike. */
export async function completeName(
  { name, value }: Argument,
  known: KnownArguments,
  service: Service,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (name === "source") return startingWith(value, [...service.sources.keys()]);
  const [only] = service.sources.values();
  const source =
    known.source === undefined && service.sources.size === 1 ? only : service.sources.get(known.source ?? "");
  if (source === undefined) return [];
  const { catalog } = source.database;
  const options = { signal: withTimeout(signal, listingDeadlineMs) };
  if (name === "schema") return startingWith(value, await catalog.schemas(options));
  if (name !== "table") return [];
  const pattern = `${value.replaceAll(/[%*?\\]/g, "")}%`;
  const search = { pattern, schema: known.schema, limit: 100 };
  const found = await Promise.all([
    catalog.search({ ...search, kind: "table" }, options),
    catalog.search({ ...search, kind: "view" }, options),
  ]);
  return startingWith(
    value,
    found.flat().map((table) => table.name),
  );
}

function startingWith(beginning: string, names: readonly string[]): string[] {
  const start = beginning.toLowerCase();
  return [...new Set(names)].filter((name) => name.toLowerCase().startsWith(start)).sort();
}

async function listSource(source: Source, count: number, signal: AbortSignal): Promise<Resource[]> {
  const index: Resource = { uri: toUri(source.name), name: source.name, description: "Schemas and tables.", mimeType };
  const tables = await findTables(source, count, signal).catch(() => []); // an unreachable source still has its index
  return [index, ...tables.map((table) => toResource(source, table))];
}

/** Tables, and views up to a quarter of the limit: one kind never crowds out the other. */
async function findTables({ database }: Source, limit: number, signal: AbortSignal): Promise<readonly FoundObject[]> {
  const options = { signal: withTimeout(signal, listingDeadlineMs) };
  const views = await database.catalog.search({ kind: "view", limit: Math.ceil(limit / 4) }, options);
  const tables = await database.catalog.search({ kind: "table", limit: Math.max(1, limit - views.length) }, options);
  return [...tables, ...views];
}

function toResource(source: Source, { schema, name, comment }: FoundObject): Resource {
  return {
    uri: toUri(source.name, schema, name),
    name: toOneLine(`${schema}.${name}`, 300),
    ...(comment ? { description: toOneLine(comment, 200) } : {}),
    mimeType,
  };
}

async function toIndexText(name: string, service: Service, signal: AbortSignal): Promise<string> {
  const source = chooseSource(service, name);
  const tables = await findTables(source, indexedTables, signal);
  const lines = tables.map(({ kind, schema, name: table, rowEstimate, comment }) => {
    const rows = rowEstimate === undefined ? "" : ` (about ${rowEstimate.toLocaleString("en-US")} rows)`;
    const note = comment ? ` -- ${toJsonString(comment.slice(0, 200))}` : "";
    return `${kind} ${quoteTable({ schema, name: table }, quoteOf(service))}${rows}${note}`;
  });
  if (tables.length >= indexedTables) lines.push("… and more: search_objects finds the others.");
  return lines.length > 0 ? lines.join("\n") : "no tables";
}

function toUri(...names: readonly string[]): string {
  return `schema://${names.map(encodeURIComponent).join("/")}`;
}

const uriForm = /^schema:\/\/([^/?#]+)\/?(?:([^/?#]+)\/([^/?#]+))?$/;

function parseUri(uri: string): { source: string; table?: { schema: string; name: string } } {
  const [, source, schema, name] = uriForm.exec(uri) ?? [];
  try {
    if (source !== undefined && schema !== undefined && name !== undefined) {
      const table = { schema: decodeURIComponent(schema), name: decodeURIComponent(name) };
      return { source: decodeURIComponent(source), table };
    }
    if (source !== undefined) return { source: decodeURIComponent(source) };
  } catch {
    // a broken percent escape names nothing
  }
  throw notFound("resource", `schema://{source} or ${tableTemplate}`);
}

function notFound(what: string, form: string): CodedError {
  return new CodedError("not_found", `There is no ${what} of this address.`, { hint: `The form is ${form}.` });
}
