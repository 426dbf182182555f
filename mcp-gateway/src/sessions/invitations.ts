/**
 * The way of a password into a session without the model: a link to a one-time page, opened by the client where it can
 * (URL elicitation), else returned for the user to open, and the page's answer.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { CodedError } from "@database-interface/mcp-core/host";
import type { ClientRequest } from "../client-request.js";
import { type Fields, isFields } from "../message.js";
import type { Template } from "../template.js";
import { type Draft, type DraftInput, toDraft } from "./draft.js";
import type { Pages } from "./pages.js";
import type { ConnectionView } from "./session.js";
import type { SessionKey, Sessions } from "./sessions.js";
import { type Ticket, type Tickets, ticketLifeMs, ticketNotFound } from "./tickets.js";

/** A link for the user. */
export interface Invitation {
  readonly url: string;
  readonly expires_at: string;
}

/** What is sent from a page, and what came of it. */
export type PageOutcome =
  | { readonly state: "connected"; readonly connection: ConnectionView }
  | { readonly state: "failed"; readonly error: unknown; readonly ticket: Ticket };

/** Links and pages. */
export interface Invitations {
  /** Makes a link. @throws CodedError as `toDraft`, `assertRoom` and the pin do */
  create(key: SessionKey, input: DraftInput): Promise<Invitation & { readonly token: string; readonly name: string }>;
  /** Asks the user by whatever the client has; resolves to what a tool answers. */
  invite(key: SessionKey, input: DraftInput, request: ClientRequest): Promise<Fields>;
  /** What a page shows. @throws CodedError `ticket_not_found` */
  look(token: string): Promise<Ticket>;
  /** Tries a password that was entered on a page. @throws CodedError `ticket_not_found`, `conflict` */
  accept(token: string, password: string, signal: AbortSignal): Promise<PageOutcome>;
}

/** What invitations are made from. */
export interface InvitationOptions {
  readonly sessions: Sessions;
  readonly tickets: Tickets;
  readonly pages: Pages;
  templates(): ReadonlyMap<string, Template>;
  /** Refuses a target before anybody is asked for its password. */
  pin(draft: Omit<Draft, "name">): Promise<unknown>;
  /** Milliseconds a call waits for the user. Default 45,000. */
  readonly waitMs?: number | undefined;
}

export const pagePath = "/connect";
const pollMs = 400;
const question = "password";
const statePrefix = "connect.";

export function createInvitations(options: InvitationOptions): Invitations {
  const { sessions, tickets, pages, waitMs = 45_000 } = options;

  async function create(key: SessionKey, input: DraftInput) {
    const draft = toDraft(input, options.templates());
    await sessions.assertRoom(key, draft.name);
    await options.pin(draft);
    const { template, ...words } = draft;
    const { token, expiresAt } = await tickets.issue({ ...key, input: { ...words, template: template.name } });
    const url = await pages.urlOf(`${pagePath}/${token}`);
    return { token, url, expires_at: new Date(expiresAt).toISOString(), name: draft.name };
  }

  /** After the client has said whether its user opened the page. */
  async function goOn(key: SessionKey, token: string, answer: Fields, signal: AbortSignal): Promise<Fields> {
    const { principal, reference, input } = await tickets.read(token);
    if (principal !== key.principal || reference !== key.reference) throw ticketNotFound();
    if (answer.action === "accept") return settled(key, token, input.name, signal);
    await tickets.withdraw(token);
    throw new CodedError("connection_declined", "The user did not want to open the page.", {
      hint: "Ask the user before you try again.",
    });
  }

  async function settled(key: SessionKey, token: string, name: string, signal: AbortSignal): Promise<Fields> {
    for (const end = performance.now() + waitMs; performance.now() < end; ) {
      const { state } = await tickets.read(token);
      if (state === "withdrawn") {
        throw new CodedError("connection_declined", "No password was accepted.", {
          hint: "Ask the user before you try again.",
        });
      }
      if (state === "done") {
        const { connections } = await sessions.show(key.principal, key.reference);
        return toResult({ connected: connections.find((one) => one.name === name) ?? { name } });
      }
      await sleep(pollMs, undefined, { signal });
    }
    return toResult({ status: "waiting", next: "The page is still open. Look with list_connections." });
  }

  return {
    create,
    async invite(key, input, request) {
      const { requestState = "", signal } = request;
      if (requestState.startsWith(statePrefix)) {
        const { [question]: answer } = request.inputResponses ?? {};
        return goOn(key, requestState.slice(statePrefix.length), isFields(answer) ? answer : {}, signal);
      }
      const { token, url, name } = await create(key, input);
      if (!canOpenUrls(request)) {
        const next = "Give the user this link to enter the password, then look with list_connections.";
        return toResult({ status: "password_needed", url, expires_in_s: ticketLifeMs / 1_000, next });
      }
      const message = `Enter the password of ${name} on the gateway's own page; no model sees it.`;
      const params = { mode: "url", message, url };
      if (request.era === "modern") {
        const inputRequests = { [question]: { method: "elicitation/create", params } };
        // any replica can go on from there: the rest stands in the ticket
        return { resultType: "input_required", inputRequests, requestState: statePrefix + token };
      }
      const elicitationId = token.slice(0, 8);
      const answer = await request.ask({ method: "elicitation/create", params: { ...params, elicitationId } });
      const result = await goOn(key, token, answer, signal);
      request.tell("notifications/elicitation/complete", { elicitationId });
      return result;
    },
    async look(token) {
      const ticket = await tickets.read(token);
      if (ticket.state === "done" || ticket.state === "withdrawn") throw ticketNotFound();
      return ticket;
    },
    async accept(token, password, signal) {
      const ticket = await tickets.take(token);
      const { principal, reference, input } = ticket;
      try {
        const draft = toDraft(input, options.templates());
        const connection = await sessions.connect({ principal, reference }, draft, password, signal);
        await tickets.settle(token, "done");
        return { state: "connected", connection };
      } catch (error) {
        await tickets.settle(token, "failed");
        return { state: "failed", error, ticket };
      }
    },
  };
}

const canOpenUrls = ({ caller: { capabilities } }: ClientRequest): boolean =>
  isFields(capabilities.elicitation) && capabilities.elicitation.url !== undefined;

/** A tool's result. */
export const toResult = (value: unknown): Fields => ({ content: [{ type: "text", text: JSON.stringify(value) }] });
