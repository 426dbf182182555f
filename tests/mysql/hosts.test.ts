/** Several hosts in one URL: private servers of their own, and Galera nodes. */
import type { Instance } from "@database-interface/mcp-core/sample";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFaultProxy } from "../support/fault-proxy.js";
import { runOn, startGaleraNode, startMariadb } from "../support/mariadb-instances.js";
import { answerOf, bounds, failureOf, openSource } from "./open.js";

const urlOf = (instance: Instance, ports: readonly number[], options = ""): string =>
  `${instance
    .url("test")
    .replace(
      `127.0.0.1:${instance.port}`,
      ports.map((port) => `127.0.0.1:${port}`).join(","),
    )}?connect-timeout=2${options}`;
const codeOf = async (call: Promise<unknown>) => (await failureOf(call)).code;
const portOf = async (source: Parameters<typeof answerOf>[0]) =>
  Number((await answerOf(source, "SELECT @@port")).rows[0]?.[0]);

describe("hosts of their own", () => {
  let first: Instance;
  let second: Instance;
  beforeAll(async () => {
    [first, second] = await Promise.all([startMariadb(), startMariadb()]);
  });
  afterAll(async () => {
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
  });

  test("the first that answers is used, whatever stands behind it", async () => {
    await using source = openSource(urlOf(first, [1, second.port, first.port]));
    expect(await portOf(source)).toBe(second.port);
  });

  test("in random order both are used", async () => {
    await using source = openSource(urlOf(first, [first.port, second.port], "&load-balance-hosts=random"), {
      poolSize: 16,
    });
    const sql = "SELECT @@port, SUM(seq % 7) FROM seq_1_to_1000000";
    const reads = await Promise.all(Array.from({ length: 16 }, () => answerOf(source, sql)));
    expect(new Set(reads.map(({ rows }) => Number(rows[0]?.[0])))).toEqual(new Set([first.port, second.port]));
  });

  test("a wrong password is not tried on every host", async () => {
    await using proxy = await openFaultProxy({ host: "127.0.0.1", port: second.port });
    await using source = openSource(urlOf(first, [first.port, proxy.port]).replace(/:[^:@/]*@/, ":wrong@"));
    expect(await codeOf(answerOf(source, "SELECT 1"))).toBe("authentication_failed");
    expect(proxy.madeCount).toBe(0);
  });

  test("when the host in use dies, its calls are lost and the next ones are made on the other", async () => {
    const dying = await startMariadb();
    await using source = openSource(urlOf(dying, [dying.port, second.port]), { poolSize: 2 });
    expect(await portOf(source)).toBe(dying.port);
    const inFlight = codeOf(answerOf(source, "SELECT SUM(seq % 7) FROM seq_1_to_1000000000"));
    const cursor = await source.openCursor({ sql: "SELECT seq FROM seq_1_to_5000000", params: [] }, bounds());
    await cursor.fetch(1, bounds());
    await dying[Symbol.asyncDispose]();
    expect(await inFlight).toBe("connection_lost");
    await cursor[Symbol.asyncDispose]();
    for (let call = 0; call < 5; call++) expect(await portOf(source)).toBe(second.port);
  });
});

describe("Galera nodes", () => {
  let one: Instance;
  let two: Instance;
  beforeAll(async () => {
    [one, two] = await Promise.all([startGaleraNode(), startGaleraNode()]);
  });
  afterAll(async () => {
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
  });

  test("one that left its cluster takes no more calls, and does once it is back", async () => {
    await using source = openSource(urlOf(one, [one.port, two.port]), { poolSize: 1 });
    await using alone = openSource(urlOf(one, [one.port]));
    expect(await portOf(source)).toBe(one.port);

    // As a node behaves that has lost its cluster: it lets one in, and begins no transaction.
    await runOn(one, "SET GLOBAL wsrep_reject_queries = ALL");
    expect(await failureOf(portOf(source))).toMatchObject({ code: "connection_lost", retryable: true });
    for (let call = 0; call < 3; call++) expect(await portOf(source)).toBe(two.port);
    expect(await failureOf(portOf(alone))).toMatchObject({ code: "connection_failed", retryable: true });

    await runOn(one, "SET GLOBAL wsrep_reject_queries = NONE");
    expect(await portOf(alone)).toBe(one.port);
  });
});
