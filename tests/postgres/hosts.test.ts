/** Several hosts in one URL: who is taken, who after whom, and what happens when one dies. */
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Instance } from "../../mcp-postgres/src/instance.js";
import { openFaultProxy } from "../support/fault-proxy.js";
import { type Standby, startPostgres, startStandby } from "../support/postgres-standby.js";
import { codeOf, collect, limits, openSource } from "./open.js";

/** One URL with these ports as its hosts. */
function urlOf(instance: Instance, ports: readonly number[], options = ""): string {
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(",");
  return `${instance.url("postgres").replace(`127.0.0.1:${instance.port}`, hosts)}?sslmode=disable&connect_timeout=2${options}`;
}

/** The port of the server that answers. */
const portSql = "SELECT current_setting('port')";
const portOf = async (source: Parameters<typeof collect>[0]) => Number((await collect(source, portSql)).rows[0]?.[0]);

let first: Instance;
let second: Instance;
beforeAll(async () => {
  [first, second] = await Promise.all([startPostgres(), startPostgres()]);
});
afterAll(async () => {
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
});

test("the first host that answers is used, whatever stands behind it", async () => {
  await using source = openSource(urlOf(first, [1, second.port, first.port]));
  expect(await portOf(source)).toBe(second.port);
});

test("in random order both are used", async () => {
  await using source = openSource(urlOf(first, [first.port, second.port], "&load_balance_hosts=random"), 20);
  const reads = await Promise.all(Array.from({ length: 20 }, () => collect(source, `${portSql}, pg_sleep(0.3)`)));
  expect(new Set(reads.map(({ rows }) => Number(rows[0]?.[0])))).toEqual(new Set([first.port, second.port]));
});

test("a silent host is tried last for a while, so that its timeout is paid once", async () => {
  const { port: silentPort, ...silent } = await listenSilently();
  await using source = openSource(urlOf(first, [silentPort, first.port], "&connect_timeout=1"), 3);
  expect(await portOf(source)).toBe(first.port);
  expect(silent.count()).toBe(1);
  await Promise.all([1, 2, 3].map(() => collect(source, "SELECT pg_sleep(0.2)")));
  expect(silent.count()).toBe(1);
  silent.close();
});

test("a wrong password is not tried on every host", async () => {
  await using proxy = await openFaultProxy({ host: "127.0.0.1", port: second.port });
  const url = urlOf(first, [first.port, proxy.port]).replace(/:[^:@/]*@/, ":wrong@");
  await using source = openSource(url);
  expect(await codeOf(collect(source, "SELECT 1"))).toBe("authentication_failed");
  expect(proxy.madeCount).toBe(0);
});

test("no host left is a failure that names them all", async () => {
  await using source = openSource(urlOf(first, [1, 2]));
  await expect(collect(source, "SELECT 1")).rejects.toMatchObject({ code: "connection_failed", retryable: true });
});

test("when the host in use dies, its calls are lost and the next ones are made on the other", async () => {
  const dying = await startPostgres();
  await using source = openSource(urlOf(dying, [dying.port, second.port]), 2);
  expect(await portOf(source)).toBe(dying.port);
  const inFlight = codeOf(collect(source, "SELECT pg_sleep(30)"));
  const cursor = await source.openCursor({ sql: "SELECT generate_series(1, 9)", params: [] }, limits());
  await dying[Symbol.asyncDispose]();
  expect(await inFlight).toBe("connection_lost");
  expect(await codeOf(cursor.fetch(1, limits()))).toBe("connection_lost");
  await cursor[Symbol.asyncDispose]();
  for (let call = 0; call < 5; call++) expect(await portOf(source)).toBe(second.port);
});

describe("of a primary and its standby", () => {
  let standby: Standby;
  beforeAll(async () => {
    standby = await startStandby(first);
  });
  afterAll(() => standby[Symbol.asyncDispose]());

  test.each([
    ["any", "standby"],
    ["read-write", "primary"],
    ["primary", "primary"],
    ["read-only", "standby"],
    ["standby", "standby"],
    ["prefer-standby", "standby"],
  ])("target_session_attrs=%s takes the %s, which stands where it stands", async (target, role) => {
    const ports = target === "prefer-standby" ? [first.port, standby.port] : [standby.port, first.port];
    await using source = openSource(urlOf(first, ports, `&target_session_attrs=${target}`));
    expect(await portOf(source)).toBe(role === "primary" ? first.port : standby.port);
    expect((await collect(source, "SELECT current_setting('transaction_read_only')")).rows).toEqual([["on"]]);
  });

  test("prefer-standby makes do with a primary", async () => {
    await using source = openSource(urlOf(first, [1, first.port], "&target_session_attrs=prefer-standby"));
    expect(await portOf(source)).toBe(first.port);
  });
});

/** A port where connections open and nobody says a word. */
async function listenSilently() {
  let made = 0;
  const server = createServer((socket) => {
    made++;
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    count: () => made,
    close: () => void server.close(),
  };
}
