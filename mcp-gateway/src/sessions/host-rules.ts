/** Which hosts a template may reach, by what is written in the config: names, addresses, networks, and their ports. */
import { BlockList, isIP } from "node:net";

/** One line of a template's `hosts`. */
export type HostRule = { readonly port: number | "any" } & (
  | { readonly kind: "exact"; readonly host: string }
  /** Names below this one; the empty text stands for every name and address. */
  | { readonly kind: "below"; readonly domain: string }
  | { readonly kind: "network"; readonly network: BlockList }
);

/** A host as everybody writes it: lower case, no point at its end, no brackets. */
export const toPlainHost = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "");

const hostName = /^(?=.{1,253}$)(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*$/;

/** True for a name or an address that could be looked up. */
export const isHost = (plain: string): boolean => isIP(plain) !== 0 || hostName.test(plain);

/** The rule in a text such as `db.example.com:5433`, `*.example.com:*`, `[::1]` or `10.0.0.0/8`; undefined for no rule. */
export function parseHostRule(text: string, defaultPort: number): HostRule | undefined {
  const [, bracketed, plain, portText] = /^(?:\[([^\]]+)\]|([^[\]]*?))(?::(\d{1,5}|\*))?$/.exec(text.trim()) ?? [];
  const isBareV6 = isIP(text.trim().split("/")[0] ?? "") === 6;
  const written = isBareV6 ? text.trim() : (bracketed ?? plain ?? "");
  const port = isBareV6 || portText === undefined ? defaultPort : portText === "*" ? "any" : Number(portText);
  if (port !== "any" && (port < 1 || port > 65_535)) return undefined;
  const host = toPlainHost(written);
  if (host.includes("/")) {
    const network = toNetwork(host);
    return network === undefined ? undefined : { kind: "network", network, port };
  }
  if (written === "*") return { kind: "below", domain: "", port };
  if (host.startsWith("*."))
    return hostName.test(host.slice(2)) ? { kind: "below", domain: host.slice(1), port } : undefined;
  return isHost(host) ? { kind: "exact", host, port } : undefined;
}

function toNetwork(text: string): BlockList | undefined {
  const [address = "", bits = ""] = text.split("/");
  const version = isIP(address);
  if (version === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (version === 4 ? 32 : 128)) return undefined;
  const network = new BlockList();
  network.addSubnet(address, Number(bits), version === 4 ? "ipv4" : "ipv6");
  return network;
}

/** Whether a plain host and a port fit one of the rules. */
export const isListed = (rules: readonly HostRule[], host: string, port: number): boolean =>
  rules.some((rule) => (rule.port === "any" || rule.port === port) && isOf(rule, host));

function isOf(rule: HostRule, host: string): boolean {
  switch (rule.kind) {
    case "exact":
      return rule.host === host;
    case "below":
      return rule.domain === "" || (isIP(host) === 0 && host.endsWith(rule.domain));
    case "network":
      return isIP(host) !== 0 && rule.network.check(host, isIP(host) === 4 ? "ipv4" : "ipv6");
  }
}
