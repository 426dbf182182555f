/**
 * Who makes a call, and how the human behind it is asked: by a form where the client of this very call shows one. Many
 * clients may stand behind one connection; a gateway says which, and each request brings its own client's abilities.
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  type ClientCapabilities,
  type Implementation,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { clientMetaKey, type Principal } from "../host/principal.js";
import type { Human, Question } from "./call.js";

/** What a call came in by. */
export interface Entrance {
  readonly server: Server;
  readonly era: "legacy" | "modern";
  /** The connection's own name; a modern request stands alone, and all of a principal's are one caller. */
  readonly connection: string;
  /** The program at the other end speaks for its clients. */
  readonly isParentTrusted: boolean;
}

const questionName = "allow";

/** The question as a form of one box to tick; both eras' clients show it, the older through the SDK's own round. */
export function toInputRequired({ message, approval }: Question): InputRequiredResult {
  const asked = inputRequired.elicit({
    message,
    requestedSchema: {
      type: "object",
      properties: { allow: { type: "boolean", title: "Run this statement", default: false } },
      required: ["allow"],
    },
  });
  return inputRequired({ inputRequests: { [questionName]: asked }, requestState: approval });
}

/** The human, and what they were asked and said in an earlier round. Anything but a clear yes is a no. */
export function toHuman(entrance: Entrance, context: ServerContext, principal: Principal): Human {
  const { mcpReq } = context;
  const caller = `${connectionOf(entrance, context)} ${principal.id}`;
  const form = capabilitiesOf(entrance, context)?.elicitation;
  const canAsk = form !== undefined && (form.form !== undefined || form.url === undefined);
  const approval = mcpReq.requestState();
  if (typeof approval !== "string") return { caller, canAsk };
  const said = inputResponse(mcpReq.inputResponses, questionName);
  const isYes = said.kind === "elicit" && said.action === "accept" && said.content?.allow === true;
  return { caller, canAsk, answer: { approval, isYes } };
}

/** The client's name and version, as it says. */
export const clientOf = ({ era, server }: Entrance, { mcpReq }: ServerContext): Implementation | undefined =>
  era === "modern" ? toldIn<Implementation>(mcpReq, CLIENT_INFO_META_KEY) : server.getClientVersion();

const capabilitiesOf = ({ era, server }: Entrance, { mcpReq }: ServerContext): ClientCapabilities | undefined =>
  era === "modern" ? toldIn<ClientCapabilities>(mcpReq, CLIENT_CAPABILITIES_META_KEY) : server.getClientCapabilities();

/** The SDK has checked the envelope against the protocol's schema; its type names none of the keys. */
const toldIn = <Told>({ envelope }: ServerContext["mcpReq"], key: string): Told | undefined =>
  (envelope as Readonly<Record<string, Told | undefined>> | undefined)?.[key];

/** The client's connection to a gateway, where there is one; else its connection to us. */
function connectionOf({ connection, isParentTrusted }: Entrance, { http, mcpReq }: ServerContext): string {
  const behind: unknown = mcpReq._meta?.[clientMetaKey];
  return http === undefined && isParentTrusted && typeof behind === "string" ? `behind ${behind}` : connection;
}
