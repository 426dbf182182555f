/**
 * Where a session's database is: the host is on its template's list, its name is looked up once, every address it has is
 * one that may be reached, and the one that was checked is the one that is connected to. A name that changes its address
 * later gains nothing.
 */
import { lookup as systemLookup } from "node:dns/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { CodedError } from "@database-interface/mcp-core/host";
import type { Template } from "../template.js";
import { classOf } from "./address-class.js";
import { isListed } from "./host-rules.js";

/** The addresses of a name. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** Where to, by name. */
export interface Place {
  /** As `toPlainHost` writes it. */
  readonly host: string;
  readonly port: number;
}

/** How targets are looked at. */
export interface TargetOptions {
  readonly lookup: Lookup;
  /** Ports on this machine that are the gateway's own. */
  ownPorts(): ReadonlySet<number>;
}

const lookupMs = 3_000;

/** The resolver of the system, hosts file included. */
export const lookupAll: Lookup = async (host) =>
  (await systemLookup(host, { all: true })).map(({ address }) => address);

/** @throws CodedError `target_forbidden` for a host that is not on the list */
export function assertListed({ host, port }: Place, template: Template): void {
  if (isListed(template.hosts, host, port)) return;
  throw new CodedError("target_forbidden", "This host and port are not among those of the template.", {
    hint: "Ask the operator which hosts the template may reach, and on which ports.",
  });
}

/**
 * The address to connect to.
 * @throws CodedError `target_forbidden`, `target_unknown`
 */
export async function pinAddress(
  place: Place,
  template: Template,
  { lookup, ownPorts }: TargetOptions,
): Promise<string> {
  assertListed(place, template);
  const addresses = isIP(place.host) === 0 ? await lookUp(place.host, lookup) : [place.host];
  for (const address of addresses) {
    const kind = classOf(address);
    if (kind === "forbidden") throw forbidden("an address where no database is");
    if (ownPorts().has(place.port) && isOfThisMachine(address)) throw forbidden("the gateway itself");
    if (kind !== "public" && !template.isPrivateAllowed)
      throw forbidden("an address of a private network or this machine");
  }
  const [first] = addresses;
  if (first === undefined) throw unknown();
  return first;
}

const isOfThisMachine = (address: string): boolean =>
  classOf(address) === "loopback" ||
  Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === address));

async function lookUp(host: string, lookup: Lookup): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("overdue")), lookupMs);
  });
  try {
    return await Promise.race([lookup(host), overdue]);
  } catch (cause) {
    throw unknown(cause);
  } finally {
    clearTimeout(timer);
  }
}

const unknown = (cause?: unknown): CodedError =>
  new CodedError("target_unknown", "The host's name has no address.", { hint: "Check its spelling.", cause });

const forbidden = (what: string): CodedError =>
  new CodedError("target_forbidden", `The host is ${what}, which this template may not reach.`, {
    hint: "Private networks are reached through templates whose `private` is true.",
  });
