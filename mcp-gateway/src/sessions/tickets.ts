/**
 * One-time tickets for entering a password: unguessable, good for one connection of one session, for ten minutes and a
 * few tries. What stands in the store opens only with the ticket itself.
 */
import { randomBytes } from "node:crypto";
import { CodedError } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import type { Store } from "../store/store.js";
import type { Vault } from "../vault/vault.js";

const kept = v.object({
  principal: v.string(),
  reference: v.string(),
  /** What is to be connected, in the client's words. */
  input: v.object({
    template: v.string(),
    name: v.string(),
    host: v.string(),
    port: v.number(),
    database: v.string(),
    user: v.string(),
  }),
  expiresAt: v.number(),
  /** `open`: the page may be sent; `busy`: it is being tried; the others are its end. */
  state: v.picklist(["open", "busy", "done", "withdrawn"]),
  tries: v.number(),
});
export type Ticket = Readonly<v.InferOutput<typeof kept>>;

/** Everybody's tickets. All methods @throws CodedError `store_unavailable` */
export interface Tickets {
  issue(
    ticket: Pick<Ticket, "principal" | "reference" | "input">,
  ): Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** @throws CodedError `ticket_not_found` for one that never was, has expired or was used up */
  read(token: string): Promise<Ticket>;
  /** Takes the ticket for one try; nobody else has it meanwhile. @throws as `read`, `conflict` while it is being tried */
  take(token: string): Promise<Ticket>;
  /** What has become of the try. */
  settle(token: string, outcome: "done" | "failed"): Promise<void>;
  withdraw(token: string): Promise<void>;
}

export const ticketLifeMs = 600_000;
const maxTries = 5;
const tokenBytes = 24;
const prefix = "ticket/";

export function createTickets({
  store,
  vault,
  now = Date.now,
}: {
  readonly store: Store;
  readonly vault: Vault;
  readonly now?: (() => number) | undefined;
}): Tickets {
  /** The ticket, where it stands and its version. */
  async function load(token: string) {
    const names = vault.namesOf("ticket", token);
    const stored = await Promise.all(names.map((name) => store.get(prefix + name)));
    const index = stored.findIndex((one) => one !== undefined);
    const [record, found] = [names[index], stored[index]];
    if (record === undefined || found === undefined) throw ticketNotFound();
    const { text } = vault.open(found.value, { record, field: "ticket", reference: token });
    const ticket = v.parse(kept, JSON.parse(text));
    if (ticket.expiresAt <= now()) throw ticketNotFound();
    return { record, version: found.version, ticket };
  }

  async function write(token: string, record: string, ticket: Ticket, ifVersion: string | null): Promise<boolean> {
    const text = vault.seal(JSON.stringify(ticket), { record, field: "ticket", reference: token });
    const ttlMs = Math.max(1, ticket.expiresAt - now());
    return (await store.set(prefix + record, text, { ttlMs, ifVersion })) !== undefined;
  }

  return {
    async issue({ principal, reference, input }) {
      const token = randomBytes(tokenBytes).toString("base64url");
      const [record] = vault.namesOf("ticket", token);
      const expiresAt = now() + ticketLifeMs;
      await write(token, record, { principal, reference, input, expiresAt, state: "open", tries: 0 }, null);
      return { token, expiresAt };
    },
    read: async (token) => (await load(token)).ticket,
    async take(token) {
      const { record, version, ticket } = await load(token);
      if (ticket.state === "done" || ticket.state === "withdrawn") throw ticketNotFound();
      const taken = { ...ticket, state: "busy" as const, tries: ticket.tries + 1 };
      if (ticket.state === "open" && (await write(token, record, taken, version))) return taken;
      throw new CodedError("conflict", "This page is being sent already.", { hint: "Wait for the first answer." });
    },
    async settle(token, outcome) {
      const { record, version, ticket } = await load(token);
      const state = outcome === "done" ? "done" : ticket.tries < maxTries ? "open" : "withdrawn";
      await write(token, record, { ...ticket, state }, version);
    },
    async withdraw(token) {
      const { record, version, ticket } = await load(token);
      await write(token, record, { ...ticket, state: "withdrawn" }, version);
    },
  };
}

export const ticketNotFound = (): CodedError =>
  new CodedError("ticket_not_found", "This link has been used, has expired, or never was.", {
    hint: "Ask for a new one.",
  });
