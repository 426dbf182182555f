/** Which server a call, a resource, a prompt or a completion is for. It asks the lists, wakes nobody and calls nothing. */
import { UriTemplate } from "@modelcontextprotocol/server";
import { notFound, sourceRequired, sourceUnknown, toolChanged } from "./errors.js";
import type { Member } from "./member.js";
import { type Fields, isFields } from "./message.js";
import type { Names, Owner } from "./naming.js";

/** A server and the name it knows itself by. */
export interface Route {
  readonly member: Member;
  readonly name: string;
  readonly entry: Fields;
}

/** Ways to servers. */
export interface Router {
  readonly sources: readonly string[];
  /** @throws CodedError `not_found`, `tool_changed`, `source_unknown`, `source_required` */
  tool(names: Names, name: string, given: Fields): Route;
  /** @throws CodedError `not_found`, `source_unknown`, `source_required` */
  prompt(names: Names, name: string, given: Fields): Route;
  /** The servers that may know a resource, the likeliest first. @throws CodedError `source_unknown`, `not_found` */
  resource(uri: string): readonly Member[];
  /** The servers that complete an argument of a template. */
  template(uriTemplate: string, argument: string, known: Fields): readonly Member[];
}

export function createRouter(all: readonly Member[]): Router {
  // a server without sources only tells what databases of sessions list: nothing is for it
  const members = all.filter(({ plan }) => plan.databases?.sources.length !== 0);
  const byId = new Map(members.map((member) => [member.plan.id, member]));
  const ours = members.filter(({ plan }) => plan.databases !== undefined);
  const others = members.filter(({ plan }) => plan.databases === undefined);
  const bySource = new Map(
    ours.flatMap((member) => (member.plan.databases?.sources ?? []).map((source) => [source, member] as const)),
  );
  const sources = [...bySource.keys()];

  function ofSource(given: unknown): Member {
    const [only] = ours;
    if (given === undefined && ours.length === 1 && only !== undefined) return only;
    if (given === undefined) throw sourceRequired(sources);
    const member = typeof given === "string" ? bySource.get(given) : undefined;
    if (member === undefined) throw sourceUnknown(String(given).slice(0, 100), sources);
    return member;
  }

  function follow(owner: Owner | undefined, what: string, name: string, known: Iterable<string>, given: Fields): Route {
    if (owner === undefined) throw notFound(what, name, known);
    if (owner.kind === "databases") {
      const member = ofSource(given.source);
      if (!owner.servers.includes(member.plan.id)) throw notFound(`${what} for this source`, name, []);
      return { member, name: owner.name, entry: owner.entry };
    }
    const member = owner.kind === "server" ? byId.get(owner.server) : undefined;
    if (member === undefined) throw notFound(what, name, known);
    return { member, name: owner.name, entry: owner.entry };
  }

  return {
    sources,
    tool(names, name, given) {
      const blockedAt = names.blocked.get(name);
      if (blockedAt !== undefined) throw toolChanged(name, blockedAt);
      return follow(names.tools.get(name), "tool", name, names.tools.keys(), given);
    },
    prompt(names, name, given) {
      const owner = names.prompts.get(name);
      // any of ours writes the same text, but only a server that has the source knows its name
      const first =
        owner?.kind === "databases" && given.source === undefined ? bySource.get(sources[0] ?? "") : undefined;
      if (owner !== undefined && first !== undefined) return { member: first, name: owner.name, entry: owner.entry };
      return follow(owner, "prompt", name, names.prompts.keys(), given);
    },
    resource(uri) {
      const source = sourceOfUri(uri);
      if (source !== undefined && sources.length > 0) return [ofSource(source)];
      const able = others.filter(({ listing }) => listing?.description.capabilities.resources !== undefined);
      const exact = able.filter(({ listing }) => listing?.resources?.some((resource) => resource.uri === uri));
      if (exact.length > 0) return exact.slice(0, 1);
      const matching = able.filter(({ listing }) =>
        listing?.resourceTemplates.some(({ uriTemplate }) => matches(uriTemplate, uri)),
      );
      const candidates = [...new Set([...matching, ...able])];
      if (candidates.length === 0) throw notFound("resource", uri, []);
      return candidates;
    },
    template(uriTemplate, argument, known) {
      const owners = members.filter(({ listing }) =>
        listing?.resourceTemplates.some((one) => one.uriTemplate === uriTemplate),
      );
      if (owners.length === 0) throw notFound("resource template", uriTemplate, []);
      const isOurs = owners[0]?.plan.databases !== undefined;
      if (!isOurs || argument === "source") return isOurs ? owners : owners.slice(0, 1);
      return known.source === undefined && owners.length > 1 ? [] : [ofSource(known.source)];
    },
  };
}

/** The source in `schema://{source}/…`. */
function sourceOfUri(uri: string): string | undefined {
  const part = /^schema:\/\/([^/?#]+)/.exec(uri)?.[1];
  try {
    return part === undefined ? undefined : decodeURIComponent(part);
  } catch {
    return part;
  }
}

function matches(uriTemplate: unknown, uri: string): boolean {
  if (typeof uriTemplate !== "string") return false;
  try {
    return new UriTemplate(uriTemplate).match(uri) !== null;
  } catch {
    return false;
  }
}

/** The arguments object of a call's params. */
export const argumentsOf = (params: Fields): Fields => (isFields(params.arguments) ? params.arguments : {});
