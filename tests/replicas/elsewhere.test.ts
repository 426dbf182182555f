/** What was asked, allowed or begun at one replica is gone on with there, whichever the client speaks to next. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { expect, test } from "vitest";
import { fixtureServer, textOf, until } from "../gateway/gateways.js";
import { createPostgresDatabase } from "../support/databases.js";
import { openRoundRobin } from "../support/round-robin.js";
import { startReplicas } from "./replicas.js";

const portOf = ({ url }: { url: string }): number => Number(new URL(url).port);

async function connect(url: string, capabilities: Record<string, object> = {}): Promise<Client> {
  const client = new Client({ name: "walker", version: "1" }, { capabilities, versionNegotiation: { mode: "auto" } });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
  return client;
}

async function startWriting(mode: "approve" | "write") {
  const database = await createPostgresDatabase();
  await database.run("CREATE TABLE t (n int)");
  const replicas = await startReplicas(() => ({ databases: { shop: { url: database.url, settings: { mode } } } }));
  return {
    replicas,
    count: async () => Number((await database.run("SELECT count(*) AS n FROM t"))[0]?.n),
    async [Symbol.asyncDispose]() {
      await replicas[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

test("a question of an old server, put to a client of the newer era, is answered by way of the other replica", async () => {
  await using replicas = await startReplicas(() => ({ mcpServers: { s: fixtureServer("legacy-server") } }));
  await using proxy = await openRoundRobin([portOf(replicas.a), portOf(replicas.b)]);
  const client = await connect(proxy.url, { elicitation: { form: {} } });
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { name: "Ada" } }));
  for (let round = 0; round < 3; round++)
    expect(textOf(await client.callTool({ name: "s__ask", arguments: { what: "Who?" } }))).toContain("Ada");
  await client.close();
});

test("a human's yes in a form reaches the replica that asked, and counts once", async () => {
  await using writing = await startWriting("approve");
  const { a, b } = writing.replicas;
  await using proxy = await openRoundRobin([portOf(a), portOf(b)]);
  const client = await connect(proxy.url, { elicitation: { form: {} } });
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { allow: true } }));
  for (let n = 1; n <= 3; n++) {
    const given = { sql: `INSERT INTO t VALUES (${n})` };
    expect((await client.callTool({ name: "execute", arguments: given })).isError).not.toBe(true);
    expect(await writing.count()).toBe(n);
  }
  await client.close();
});

test("a code shown at one is good for its statement at the other, once, and for no other", async () => {
  await using writing = await startWriting("approve");
  const { a, b } = writing.replicas;
  const [here, there] = [await connect(a.url), await connect(b.url)];
  const sql = "INSERT INTO t VALUES (1)";
  const execute = async (client: Client, given: object) =>
    JSON.parse(textOf(await client.callTool({ name: "execute", arguments: { ...given } })));
  expect(await execute(here, { sql })).toMatchObject({ code: "approval_required" });
  const code = () => /[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}/.exec(a.log().split("approval_code").slice(1).join(""))?.[0];
  await until(() => code() !== undefined);
  const approval = code();
  expect(await execute(there, { sql: "INSERT INTO t VALUES (2)", approval })).toMatchObject({
    code: "approval_unknown",
  });
  expect(await writing.count()).toBe(0);
  expect((await execute(there, { sql, approval })).code).toBeUndefined();
  expect(await writing.count()).toBe(1);
  for (const client of [here, there]) expect((await execute(client, { sql, approval })).code).toBe("approval_used");
  expect(await writing.count()).toBe(1);
  await Promise.all([here.close(), there.close()]);
});

test("a write under a key runs once at all replicas together, and not at all where its replica is gone", async () => {
  await using writing = await startWriting("write");
  const { a, b } = writing.replicas;
  const [here, there] = [await connect(a.url), await connect(b.url)];
  const given = { sql: "INSERT INTO t VALUES (1)", idempotency_key: "one" };
  const execute = (client: Client) => client.callTool({ name: "execute", arguments: given }).then(textOf);
  const first = await execute(here);
  expect(await execute(there)).toBe(first);
  await Promise.all([execute(here), execute(there), execute(there)]);
  expect(await writing.count()).toBe(1);
  await here.close();
  await a[Symbol.asyncDispose]();
  expect(JSON.parse(await execute(there))).toMatchObject({ code: "replica_lost" });
  expect(await writing.count()).toBe(1);
  await there.close();
});
