/**
 * The server of a session's database, planned from its template. It inherits no password, file or option of the
 * gateway's own environment, and each start of it looks its host's name up, checks what comes back and hands that very
 * address on.
 */
import { isIP } from "node:net";
import type { DatabaseEntry } from "../config.js";
import { type PlannedServer, type PlanOptions, planDatabases } from "../servers.js";
import type { Template } from "../template.js";
import type { Draft } from "./draft.js";

/** A connection with its password. */
export type Credentials = Omit<Draft, "name"> & { readonly password: string };

/** Finds the address to connect to, or refuses. */
export type Pin = (connection: Omit<Draft, "name">) => Promise<string>;

/** The server whose lists stand for all connections of a template; it is started once to learn them, and connects to nothing. */
export function planListing(template: Template, options: PlanOptions): PlannedServer {
  const nowhere = { template, host: "127.0.0.1", port: 1, database: "listing", user: "listing", password: "" };
  const plan = planAt(`template:${template.name}`, nowhere, "127.0.0.1", options);
  return {
    ...plan,
    databases: { kind: template.kind, sources: [] },
    summary: `${plan.summary}, on request of sessions`,
  };
}

/** The server of one connection. */
export function planConnection(id: string, connection: Credentials, pin: Pin, options: PlanOptions): PlannedServer {
  return {
    ...planAt(id, connection, connection.host, options),
    family: `session:${connection.template.name}`,
    async open(how) {
      const address = await pin(connection);
      return planAt(id, connection, address, options).open(how);
    },
  };
}

function planAt(id: string, connection: Credentials, address: string, options: PlanOptions): PlannedServer {
  const { template, password } = connection;
  const { kind, settings, options: urlOptions, schemas, denyColumns, mask, sessionContext } = template;
  const entry: DatabaseEntry = {
    server: kind.name,
    url: toUrl(connection, address),
    password, // also when it is empty: nothing else may be looked up in its place
    options: urlOptions,
    schemas,
    denyColumns,
    mask,
    sessionContext,
  };
  const environment = Object.fromEntries(
    Object.entries(options.environment).filter(([name]) => !name.startsWith(kind.environment)),
  );
  const sources = new Map([[template.name, withoutUndefined(entry)]]);
  return planDatabases({ id, kind, settings, sources }, { ...options, environment });
}

function toUrl({ template, host, port, database, user }: Credentials, address: string): string {
  const [scheme] = template.kind.schemes;
  const place = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const pinned = isIP(address) === 0 ? "" : `?hostaddr=${encodeURIComponent(address)}`;
  return `${scheme}://${encodeURIComponent(user)}@${place}/${encodeURIComponent(database)}${pinned}`;
}

/** The server's config file has no undefined. */
function withoutUndefined(entry: DatabaseEntry): DatabaseEntry {
  const given = Object.entries(entry).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as DatabaseEntry; // what is left out was optional
}
