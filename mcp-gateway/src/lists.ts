/**
 * The merged lists: what is known at the moment, in the config's order, each server's part within its deadline, and from
 * where it is. Names are `naming`'s.
 */
import { setMaxListeners } from "node:events";
import { withTimeout } from "@database-interface/mcp-core/host";
import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import type { ClientRequest } from "./client-request.js";
import type { FrontOptions } from "./front-options.js";
import type { Member } from "./member.js";
import type { Fields } from "./message.js";
import { readsOnly } from "./naming.js";

/** Tools, prompts or templates. */
export async function list(
  method: string,
  params: Fields,
  { signal, principal }: ClientRequest,
  options: FrontOptions,
): Promise<Fields> {
  assertFirstPage(params);
  await waitForLists(signal, options);
  const names = options.names();
  const _meta = { [serversKey]: listStates(options.members) };
  if (method === "tools/list") {
    // what may not be called is not shown; the gateway's own tools change nothing but one's own sessions
    const isOwn = ({ name }: Fields): boolean => names.tools.get(String(name))?.kind === "gateway";
    const mayCall = (entry: Fields): boolean => principal.roles.has("write") || readsOnly(entry) || isOwn(entry);
    return { tools: names.listedTools.filter(mayCall), _meta };
  }
  return method === "prompts/list"
    ? { prompts: names.listedPrompts, _meta }
    : { resourceTemplates: names.listedTemplates, _meta };
}

/** Under this key of a list's `_meta` stands, for each server, where its part of the list is from. */
const serversKey = "database-interface/servers";

const listStates = (members: readonly Member[]): Fields =>
  Object.fromEntries(members.map(({ plan, listState }) => [plan.id, listState]));

/** A list takes what is known: servers never seen before hold it up only so long. */
const waitForLists = (signal: AbortSignal, { whenListed, listMs }: FrontOptions): Promise<void> =>
  whenListed(withTimeout(signal, listMs));

/** Every server's own resources, in the config's order; one that is slow or broken leaves its last ones. */
export async function listResources(params: Fields, { signal }: ClientRequest, options: FrontOptions): Promise<Fields> {
  assertFirstPage(params);
  const deadline = withTimeout(signal, options.listMs);
  setMaxListeners(0, deadline); // one for each server
  await options.whenListed(deadline);
  const lists = await Promise.all(
    options.members.map(async (member) => {
      if (member.plan.databases?.sources.length === 0) return []; // it stands for databases of sessions
      try {
        return await member.resources(deadline);
      } catch (error) {
        options.log.debug("resources_not_listed", { server: member.plan.id, error });
        return member.listing?.resources ?? [];
      }
    }),
  );
  return { resources: lists.flat(), _meta: { [serversKey]: listStates(options.members) } };
}

/** All there is on one page. */
function assertFirstPage({ cursor }: Fields): void {
  if (cursor !== undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "There is no such page.");
}
