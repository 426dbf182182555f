/** What kind of place an IP address is: the world, a private network, this machine, or nowhere anybody should be sent. */
import { BlockList, isIP } from "node:net";

/** `forbidden`: metadata services of clouds, link-local, multicast and other addresses that are no database's. */
export type AddressClass = "public" | "private" | "loopback" | "forbidden";

const list = (...networks: readonly string[]): BlockList => {
  const all = new BlockList();
  for (const network of networks) {
    const [address = "", bits = ""] = network.split("/");
    all.addSubnet(address, Number(bits), address.includes(":") ? "ipv6" : "ipv4");
  }
  return all;
};

/** @see https://www.iana.org/assignments/iana-ipv4-special-registry and its twin for IPv6 */
const forbidden = list(
  "0.0.0.0/8",
  "169.254.0.0/16", // link-local, and the metadata service of most clouds
  "192.0.0.0/24", // Oracle's
  "100.100.100.200/32", // Alibaba's
  "168.63.129.16/32", // Azure's
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/128",
  "fe80::/10",
  "fec0::/10",
  "fd00:ec2::254/128", // Amazon's
  "fd20:ce::254/128", // Google's
  "ff00::/8",
);
const loopback = list("127.0.0.0/8", "::1/128");
const privateNetworks = list(
  "10.0.0.0/8",
  "100.64.0.0/10",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "fc00::/7",
);

/** The class of an address; one that hides an IPv4 address (mapped, NAT64, 6to4) is of the class of that one. */
export function classOf(address: string): AddressClass {
  const version = isIP(address);
  if (version === 0) return "forbidden";
  const hidden = version === 6 ? hiddenIpv4(address) : undefined;
  if (hidden !== undefined) return classOf(hidden);
  const family = version === 4 ? "ipv4" : "ipv6";
  if (forbidden.check(address, family)) return "forbidden";
  if (loopback.check(address, family)) return "loopback";
  return privateNetworks.check(address, family) ? "private" : "public";
}

function hiddenIpv4(address: string): string | undefined {
  const words = toWords(address);
  const [first, second] = words;
  const isZero = (from: number, to: number): boolean => words.slice(from, to).every((word) => word === 0);
  const last = toIpv4(words[6], words[7]);
  if (isZero(0, 5) && words[5] === 0xffff) return last; // ::ffff:0:0/96
  if (isZero(0, 4) && words[4] === 0xffff && words[5] === 0) return last; // ::ffff:0:0:0/96
  if (isZero(0, 6) && !(words[6] === 0 && (words[7] ?? 0) <= 1)) return last; // ::/96, deprecated
  if (first === 0x64 && second === 0xff9b) return last; // 64:ff9b::/96 and 64:ff9b:1::/48
  if (first === 0x2002) return toIpv4(second, words[2]); // 6to4
  if (first === 0x2001 && second === 0) return toIpv4(0xffff ^ (words[6] ?? 0), 0xffff ^ (words[7] ?? 0)); // Teredo
  return undefined;
}

const toIpv4 = (high = 0, low = 0): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;

/** The eight words of an IPv6 address. */
function toWords(address: string): readonly number[] {
  const [bare = ""] = address.split("%", 1);
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(bare);
  const hex = (high: string | undefined, low: string | undefined): string =>
    ((Number(high) << 8) | Number(low)).toString(16);
  const text = dotted === null ? bare : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`;
  const [head = "", tail] = text.split("::");
  const parse = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
  const before = parse(head);
  const after = tail === undefined ? [] : parse(tail);
  return [...before, ...new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0), ...after];
}
