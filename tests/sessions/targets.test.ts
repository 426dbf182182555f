/** Where sessions may connect to: listed hosts, checked addresses, and the one that was checked. */
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../mcp-gateway/src/config.js";
import { classOf } from "../../mcp-gateway/src/sessions/address-class.js";
import { isListed, parseHostRule, toPlainHost } from "../../mcp-gateway/src/sessions/host-rules.js";
import { assertListed, lookupAll, pinAddress } from "../../mcp-gateway/src/sessions/target.js";
import type { Template } from "../../mcp-gateway/src/template.js";
import { startGateway, until } from "../gateway/gateways.js";
import { postgresUrl } from "../support/services.js";
import { person } from "./people.js";

test.each([
  ["public", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "172.15.0.1", "172.32.0.1", "100.63.255.255", "::ffff:8.8.8.8"]],
  ["loopback", ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1"]],
  ["private", ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "fc00::1", "::ffff:10.1.2.3", "2002:a00:1::1", "2001:0:0:0:0:0:f5ff:fffe"]],
  ["forbidden", ["169.254.169.254", "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fe80::1", "fe80::1%eth0", "ff02::1", "::", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "nonsense", ""]],
] as const)("%s addresses", (expected, addresses) => {
  expect(addresses.map((address) => `${address} ${classOf(address)}`)).toEqual(addresses.map((one) => `${one} ${expected}`));
}); // biome-ignore format: a table

test.each<[rule: string, yes: readonly string[], no: readonly string[]]>([
  ["db.example.com", ["db.example.com:5432"], ["db.example.com:5433", "xdb.example.com:5432", "example.com:5432"]],
  ["DB.example.com.:5433", ["db.example.com:5433"], ["db.example.com:5432"]],
  ["*.example.com", ["a.example.com:5432", "a.b.example.com:5432"], ["example.com:5432", "a.example.com.evil.io:5432", "aexample.com:5432"]],
  ["*.example.com:*", ["a.example.com:1", "a.example.com:65535"], ["example.org:1"]],
  ["10.1.0.0/16", ["10.1.2.3:5432"], ["10.2.0.1:5432", "db.example.com:5432"]],
  ["10.1.0.0/16:6543", ["10.1.2.3:6543"], ["10.1.2.3:5432"]],
  ["192.0.2.10", ["192.0.2.10:5432"], ["192.0.2.11:5432"]],
  ["[::1]:7000", ["::1:7000"], ["::1:5432"]],
  ["2001:db8::/32", ["2001:db8::5:5432"], ["2001:db9::5:5432"]],
  ["*", ["anything.example:5432", "192.0.2.1:5432"], ["anything.example:22"]],
])("the rule %s", (text, yes, no) => {
  const rule = parseHostRule(text, 5432);
  if (rule === undefined) throw new Error("it is a rule");
  const split = (place: string) => [place.slice(0, place.lastIndexOf(":")), Number(place.slice(place.lastIndexOf(":") + 1))] as const;
  for (const place of yes) expect(`${place} ${isListed([rule], ...split(place))}`).toBe(`${place} true`);
  for (const place of no) expect(`${place} ${isListed([rule], ...split(place))}`).toBe(`${place} false`);
}); // biome-ignore format: a table

test.each([
  "",
  "a b",
  "http://h",
  "u@h",
  "h/32",
  "h:0",
  "h:70000",
  "10.0.0.0/33",
  "*.",
  "-h",
  "h?x",
  "h#x",
  "h\\x",
  "[::1",
])("%j is no rule", (text) => {
  expect(parseHostRule(text, 5432)).toBeUndefined();
});

const templateOf = (hosts: readonly string[], isPrivate = false): Template => {
  const config = parseConfig({ templates: { t: { server: "postgres", hosts, private: isPrivate } } });
  const template = config.templates.get("t");
  if (template === undefined) throw new Error("it was just parsed");
  return template;
};

describe("an address is pinned only if every one of the name's may be reached", () => {
  const names: Record<string, readonly string[]> = {
    "good.example": ["198.51.100.7", "198.51.100.8"],
    "inner.example": ["10.0.0.5"],
    "mixed.example": ["198.51.100.7", "169.254.169.254"],
    "metadata.example": ["169.254.169.254"],
    "self.example": ["127.0.0.1"],
  };
  const lookup = async (host: string) => names[host] ?? Promise.reject(new Error("ENOTFOUND"));
  const options = { lookup, ownPorts: () => new Set([8730]) };
  test.each<[string, number, boolean, string]>([
    ["good.example", 5432, false, "198.51.100.7"],
    ["inner.example", 5432, false, "target_forbidden"],
    ["inner.example", 5432, true, "10.0.0.5"],
    ["mixed.example", 5432, true, "target_forbidden"],
    ["metadata.example", 5432, true, "target_forbidden"],
    ["169.254.169.254", 5432, true, "target_forbidden"],
    ["self.example", 5432, true, "127.0.0.1"],
    ["self.example", 8730, true, "target_forbidden"],
    ["127.0.0.1", 8730, true, "target_forbidden"],
    ["nowhere.example", 5432, true, "target_unknown"],
  ])("%s:%d, private %s: %s", async (host, port, isPrivate, expected) => {
    const outcome = await pinAddress({ host, port }, templateOf(["*:*"], isPrivate), options).catch(
      (error: { code: string }) => error.code,
    );
    expect(outcome).toBe(expected);
  });

  test.each([
    ["decimal", "2852039166"],
    ["hexadecimal", "0xa9fea9fe"],
    ["hexadecimal in parts", "0xa9.0xfe.0xa9.0xfe"],
    ["octal", "0251.0376.0251.0376"],
    ["of two parts", "169.16689662"],
    ["of three parts", "169.254.43518"],
    ["mapped into IPv6", "::ffff:169.254.169.254"],
    ["mapped and in hexadecimal", "::ffff:a9fe:a9fe"],
    ["translated (NAT64)", "64:ff9b::169.254.169.254"],
    ["of Amazon's in IPv6", "fd00:ec2::254"],
    ["of Amazon's at length", "fd00:0ec2:0000:0000:0000:0000:0000:0254"],
    ["with a zone", "fe80::a9fe:a9fe%lo"],
    ["in other digits", "１６９.254.169.254"],
    ["with a point behind it", "169.254.169.254."],
  ])(
    "the metadata service's address written %s is never reached, with the system's own resolver",
    async (_way, host) => {
      const real = { lookup: lookupAll, ownPorts: () => new Set<number>() };
      const outcome = await pinAddress({ host: toPlainHost(host), port: 80 }, templateOf(["*:*"], true), real).catch(
        (error: { code: string }) => error.code,
      );
      expect(outcome).toMatch(/^target_(forbidden|unknown)$/);
    },
  );

  test("the gateway itself is not reached by any way of writing this machine", async () => {
    const real = { lookup: lookupAll, ownPorts: () => new Set([8730]) };
    for (const host of [
      "127.0.0.1",
      "2130706433",
      "0x7f000001",
      "0177.0.0.1",
      "127.1",
      "localhost",
      "::1",
      "::ffff:7f00:1",
    ]) {
      const place = { host, port: 8730 };
      await expect(pinAddress(place, templateOf(["*:*"], true), real)).rejects.toMatchObject({
        code: expect.stringMatching(/^target_(forbidden|unknown)$/),
      });
    }
  });

  test("a host that is not listed is not even looked up", async () => {
    const asked: string[] = [];
    const watched = {
      ...options,
      async lookup(host: string) {
        asked.push(host);
        return ["198.51.100.7"];
      },
    };
    await expect(
      pinAddress({ host: "evil.example", port: 5432 }, templateOf(["good.example"]), watched),
    ).rejects.toMatchObject({ code: "target_forbidden" });
    expect(() => assertListed({ host: "good.example", port: 22 }, templateOf(["good.example"]))).toThrow();
    expect(asked).toEqual([]);
  });
});

test("a name that changes its address gains nothing: each start checks again what it connects to", async () => {
  const { hostname, port, username, password } = new URL(postgresUrl());
  let address = hostname === "localhost" ? "127.0.0.1" : hostname;
  await using gateway = await startGateway(
    () => ({ templates: { t: { server: "postgres", hosts: ["moving.example:*"], private: true } } }),
    { lookup: async () => [address], life: { idleMs: 200 } },
  );
  const ada = person(gateway.gateway, "ada");
  const session = await ada.openSession();
  const draft = {
    template: "t",
    host: "moving.example",
    port: Number(port || 5432),
    database: "postgres",
    user: username,
    password: decodeURIComponent(password),
  };
  expect(await ada.rest("POST", `/v1/sessions/${session}/connections`, draft)).toMatchObject({ status: 201 });
  const asleep = () =>
    gateway.gateway.report().servers.every(({ id, state }) => !id.startsWith("session:") || state === "asleep");
  await until(asleep);
  expect(await ada.tool("query", { session, sql: "SELECT 1" })).toMatchObject({ row_count: 1 });
  await until(asleep);
  address = "169.254.169.254";
  const refused = await ada.tool("query", { session, sql: "SELECT 1" });
  expect(refused).toMatchObject({ code: "server_unavailable", message: expect.stringContaining("may not reach") });
  const another = await ada.rest("POST", `/v1/sessions/${session}/connections`, { ...draft, name: "other" });
  expect(another).toMatchObject({ status: 403, body: { code: "target_forbidden" } });
});

test.each<[string, object, RegExp]>([
  ["no hosts", { server: "postgres", hosts: [] }, /templates\.t\.hosts/],
  ["a URL as host", { server: "postgres", hosts: ["postgres://h/d"] }, /templates\.t\.hosts\.0/],
  ["an unknown kind", { server: "oracle", hosts: ["h"] }, /templates\.t\.server/],
  ["a host among the options", { server: "postgres", hosts: ["h"], options: { hostaddr: "127.0.0.1" } }, /options\.hostaddr/],
  ["a socket among the options", { server: "mysql", hosts: ["h"], options: { socketPath: "/run/x" } }, /options\.socketPath/],
  ["a misspelt key", { server: "postgres", hosts: ["h"], databse: "d" }, /templates\.t\.databse.*not a known key/],
])("a template with %s is refused by its place", (_name, template, expected) => {
  expect(() => parseConfig({ templates: { t: template } })).toThrow(expected);
}); // biome-ignore format: a table
