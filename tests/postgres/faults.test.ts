/** A network that is cut, frozen or slow, and servers that aren't what they should be. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { openFaultProxy } from "../support/fault-proxy.js";
import { codeOf, collect, limits, openSource } from "./open.js";

let database: TestDatabase;
beforeAll(async () => {
  database = await createPostgresDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

/** A server on a port of the system's choice that hands each connection to `serve`. */
async function listen(serve: (socket: Socket) => void): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    serve(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A proxy before the real server whose current connections can be frozen or cut. */
async function openProxy() {
  const pairs = new Set<readonly [Socket, Socket]>();
  const { hostname, port } = new URL(database.url);
  const server = await listen((client) => {
    const upstream = connect(Number(port || 5432), hostname);
    upstream.on("error", () => client.destroy()).on("close", () => client.destroy());
    client.on("close", () => upstream.destroy());
    client.pipe(upstream).pipe(client);
    pairs.add([client, upstream]);
  });
  return {
    url: database.url.replace(/@[^/]+/, `@127.0.0.1:${server.port}`),
    freeze() {
      for (const [client, upstream] of pairs) {
        client.unpipe();
        upstream.unpipe();
      }
    },
    cut() {
      for (const [client] of pairs) client.resetAndDestroy();
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

test("a frozen network ends in a timeout, and a new connection is made", async () => {
  await using proxy = await openProxy();
  await using source = openSource(proxy.url, 1);
  expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
  proxy.freeze();
  expect(await codeOf(collect(source, "SELECT 2", [], { timeoutMs: 200 }))).toBe("timeout");
  expect((await collect(source, "SELECT 3")).rows).toEqual([["3"]]);
});

test("a cut network is a lost connection, in flight and idle", async () => {
  await using proxy = await openProxy();
  await using source = openSource(proxy.url, 2);
  for (let round = 0; round < 20; round++) {
    const call = codeOf(collect(source, "SELECT pg_sleep(5)"));
    await collect(source, "SELECT 1");
    proxy.cut();
    expect(await call).toBe("connection_lost");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await collect(source, "SELECT 1")).rows).toEqual([["1"]]);
  }
});

test("a call that waits while a connection is made for another does not fail with it", async () => {
  const { hostname: host, port } = new URL(database.url);
  await using proxy = await openFaultProxy({ host, port: Number(port || 5432) });
  await using source = openSource(proxy.through(database.url), 2);
  await collect(source, "SELECT 1");
  const first = collect(source, "SELECT pg_sleep(0.3)");
  await new Promise((resolve) => setTimeout(resolve, 100));
  proxy.slow(600);
  const second = codeOf(collect(source, "SELECT 2")); // a connection is being made; the first one's is free before
  await first;
  const third = collect(source, "SELECT 3");
  await new Promise((resolve) => setTimeout(resolve, 50));
  proxy.cut();
  proxy.heal();
  expect(await second).toBe("connection_lost");
  expect((await third).rows).toEqual([["3"]]);
});

const talkers: readonly (readonly [string, (socket: Socket) => void, string])[] = [
  ["hangs up at once", (socket) => socket.destroy(), "connection_failed"],
  ["says nothing", () => {}, "connection_failed"],
  [
    "speaks HTTP",
    (socket) => void socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
    "connection_failed",
  ],
  [
    "sends rubbish after refusing TLS",
    (socket) => {
      socket.once("data", () => {
        socket.write("N");
        socket.once("data", () => socket.write(Buffer.alloc(64, 7)));
      });
    },
    "connection_failed",
  ],
];
test.each(talkers)("a server that %s", async (_, serve, code) => {
  await using server = await listen(serve);
  await using source = openSource(`postgres://u@127.0.0.1:${server.port}/d?connect_timeout=1`);
  expect(await codeOf(collect(source, "SELECT 1"))).toBe(code);
});

test("nobody listens", async () => {
  const server = await listen(() => {});
  await server[Symbol.asyncDispose]();
  await using source = openSource(`postgres://u@127.0.0.1:${server.port}/d`);
  await expect(collect(source, "SELECT 1")).rejects.toMatchObject({ code: "connection_failed", retryable: true });
});

test.each([
  ["unknown database", (url: string) => url.replace(/\/[^/]*$/, "/no_such_database"), "database_not_found"],
  ["unknown user", (url: string) => url.replace(/\/\/[^@]*@/, "//no_such_user@"), "authentication_failed"],
])("%s", async (_, change, code) => {
  await using source = openSource(change(database.url));
  expect(await codeOf(collect(source, "SELECT 1"))).toBe(code);
});

test("a second host is tried when the first is down, and a standby is not taken for a primary", async () => {
  const { port, username, password } = new URL(database.url);
  const hosts = `127.0.0.1:1,127.0.0.1:${port || 5432}`;
  const url = `postgres://${username}:${password}@${hosts}/${database.name}`;
  await using any = openSource(`${url}?target_session_attrs=primary`);
  expect((await collect(any, "SELECT 1")).rows).toEqual([["1"]]);
  await using standby = openSource(`${url}?target_session_attrs=standby`);
  expect(await codeOf(collect(standby, "SELECT 1"))).toBe("connection_failed");
});

/** How often the client had to wait for the server: bursts of its data that follow some of the server's. */
test("a safe read costs one round trip once its names are known, two before, and with an array parameter", async () => {
  let trips = 0;
  let isServersTurn = true;
  const { hostname, port } = new URL(database.url);
  await using proxy = await listen((client) => {
    const upstream = connect(Number(port || 5432), hostname).on("error", () => client.destroy());
    client.on("close", () => upstream.destroy());
    client.on("data", (chunk) => {
      if (isServersTurn) trips++;
      isServersTurn = false;
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      isServersTurn = true;
      client.write(chunk);
    });
  });
  await using source = openSource(database.url.replace(/@[^/]+/, `@127.0.0.1:${proxy.port}`), 1);
  await collect(source, "SELECT 1");
  const cost = async (sql: string, params: readonly never[] = []) => {
    trips = 0;
    await collect(source, sql, params);
    return trips;
  };
  expect(await cost("SELECT 2")).toBe(1);
  expect(await cost("SHOW search_path")).toBe(1);
  expect(await cost("SELECT $1::text", ["x" as never])).toBe(1);
  expect(await cost("SELECT count(*) FROM pg_class")).toBe(2);
  expect(await cost("SELECT count(*) FROM pg_class")).toBe(1);
  expect(await cost("SELECT $1::int[]", [[1, 2] as never])).toBe(2);
});

test("behind a transaction pooler nothing is set on the session, and reads are read-only all the same", async () => {
  await using source = openSource(`${database.url}?pgbouncer=true`, 1);
  const sql =
    "SELECT current_setting('transaction_read_only'), current_setting('bytea_output'), current_setting('statement_timeout')";
  expect((await collect(source, sql, [], { timeoutMs: 4_321 })).rows).toEqual([["on", "hex", "4321ms"]]);
  await using cursor = await source.openCursor({ sql: "SELECT 1 AS a", params: [] }, limits());
  expect(await cursor.fetch(5, limits())).toEqual([["1"]]);
  await cursor[Symbol.asyncDispose]();
  expect((await source.check(limits())).warnings.join()).toContain("pooler");
  expect(await codeOf(collect(source, "SELECT nope"))).toBe("column_not_found");
});
