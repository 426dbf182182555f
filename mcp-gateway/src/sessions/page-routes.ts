/** The one-time pages over HTTP. Whoever has the address may see and send one; a form of another site may not. */
import { CodedError, type Log, type Route, toErrorReport } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import { passwordSchema } from "./draft.js";
import { type Invitations, pagePath } from "./invitations.js";
import { formPage, wordPage } from "./page.js";

export function pageRoutes(invitations: Invitations, { log }: { log: Log }): readonly Route[] {
  const path = `${pagePath}/{ticket}`;
  const answer = async (work: () => Promise<Response>): Promise<Response> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CodedError)) log.error("page_failed", { error });
      return failurePage(error);
    }
  };
  return [
    {
      method: "GET",
      path,
      access: "public",
      handle: (request) => answer(async () => formPage(await invitations.look(ticketOf(request)))),
    },
    {
      method: "POST",
      path,
      access: "public",
      handle: (request, { signal }) =>
        answer(async () => {
          if (!isOwnForm(request)) return wordPage(403, "Not from here", "This form was sent from another site.");
          const password = await passwordOf(request);
          const outcome = await invitations.accept(ticketOf(request), password, signal);
          if (outcome.state === "failed") return retryPage(outcome.ticket, outcome.error, log);
          const { name } = outcome.connection;
          return wordPage(
            200,
            "Connected",
            `${name} is connected. You can close this page and go back to your conversation.`,
          );
        }),
    },
  ];
}

const ticketOf = ({ url }: Request): string => new URL(url).pathname.slice(pagePath.length + 1);

/** Browsers say where a form comes from; what says nothing is no browser, and has the address from somewhere. */
function isOwnForm(request: Request): boolean {
  const site = request.headers.get("sec-fetch-site");
  return site === null || site === "same-origin" || site === "none";
}

async function passwordOf(request: Request): Promise<string> {
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(request.headers.get("content-type") ?? ""))
    throw new CodedError("body_invalid", "This is not what the page sends.");
  const form = new URLSearchParams(await request.text());
  const parsed = v.safeParse(passwordSchema, form.get("password") ?? undefined, { abortEarly: true });
  if (parsed.success && form.getAll("password").length === 1) return parsed.output;
  throw new CodedError("body_invalid", "The password is missing or too long.");
}

function retryPage(ticket: Parameters<typeof formPage>[0], error: unknown, log: Log): Response {
  if (!(error instanceof CodedError)) log.error("page_failed", { error });
  const { message, hint } = toErrorReport(error);
  return formPage(ticket, [message, hint].filter(Boolean).join(" "));
}

function failurePage(error: unknown): Response {
  const { code, message, hint } = toErrorReport(error);
  const words = [message, hint].filter(Boolean).join(" ");
  switch (code) {
    case "ticket_not_found":
      return wordPage(404, "This link does not work", words);
    case "conflict":
      return wordPage(409, "One moment", words);
    case "body_invalid":
      return wordPage(400, "That did not work", words);
    case "store_unavailable":
      return wordPage(503, "One moment", words);
    default:
      return wordPage(500, "That did not work", words);
  }
}
