/** A server that has done its work and dies before it says so: the effect is there once, and the caller is told to look. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { startHttpServer } from "../support/processes.js";
import { fixtureServer, startGateway, textOf } from "./gateways.js";

let database: TestDatabase;
beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run("CREATE TABLE effects (caller text)");
});
afterAll(() => database[Symbol.asyncDispose]());

const servers = [
  ["legacy", "stdio"],
  ["legacy", "http"],
  ["legacy", "sse"],
  ["modern", "stdio"],
  ["modern", "http"],
] as const;
const cases = (["legacy", "modern"] as const).flatMap((client) =>
  servers.map((server) => [client, ...server] as const),
);

test.each(cases)("%s client, %s server over %s: one row, outcome unknown", async (clientEra, serverEra, transport) => {
  const entry = fixtureServer(`${serverEra}-server`, { env: { DATABASE: database.url } });
  await using remote =
    transport === "stdio"
      ? undefined
      : await startHttpServer(entry.args[0] ?? "", [], { LISTEN: "yes", DATABASE: database.url });
  const path = transport === "sse" ? "sse" : "mcp";
  const server = remote === undefined ? entry : { type: transport, url: `${remote.url}/${path}` };
  await using gateway = await startGateway(() => ({ mcpServers: { s: server } }));
  await using client = await gateway.connect(clientEra);
  const row = `${clientEra} ${serverEra} ${transport}`;
  const told = await client.callTool({ name: "s__insert_and_die", arguments: { row } });
  expect(told.isError).toBe(true);
  expect(JSON.parse(textOf(told))).toMatchObject({
    code: "outcome_unknown",
    retryable: false,
    hint: "Check what has happened before calling it again.",
  });
  await client.callTool({ name: "s__echo", arguments: { text: "whatever wakes it" } });
  expect(await database.run(`SELECT count(*)::int AS n FROM effects WHERE caller = '${row}'`)).toEqual([{ n: 1 }]);
});
