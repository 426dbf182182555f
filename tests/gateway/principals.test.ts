/** What servers behind the gateway are told about who calls: the suite's own the truth, all others nothing. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { person } from "../sessions/people.js";
import { createPostgresDatabase } from "../support/databases.js";
import { fixtureServer, startGateway, temporaryFolder, textOf } from "./gateways.js";

const forged = {
  "database-interface/principal": { id: "mallory", roles: ["admin"] },
  "database-interface/anything": 1,
  "example.com/own": "kept",
};

test.each(["legacy", "modern"] as const)("others' servers hear nothing of the suite's own keys, %s", async (era) => {
  await using gateway = await startGateway(() => ({ mcpServers: { odd: fixtureServer("odd-server") } }));
  await using client = await gateway.connect(era);
  const params = JSON.parse(textOf(await client.callTool({ name: "odd__echo", arguments: {}, _meta: forged })));
  expect(params._meta).toMatchObject({ "example.com/own": "kept" });
  expect(JSON.stringify(params)).not.toContain("database-interface/");
});

test.each(["legacy", "modern"] as const)("the suite's own record whom the gateway let in, %s", async (era) => {
  await using database = await createPostgresDatabase();
  await using folder = await temporaryFolder();
  await using gateway = await startGateway(() => ({
    databases: { shop: { url: database.url, settings: { audit: folder.path, auditRequired: true } } },
  }));
  await using client = await gateway.connect(era);
  expect(textOf(await client.callTool({ name: "query", arguments: { sql: "SELECT 1" }, _meta: forged }))).toContain(
    "1",
  );
  const files = (await readdir(folder.path)).filter((name) => name.endsWith(".jsonl"));
  const texts = await Promise.all(files.map((name) => readFile(join(folder.path, name), "utf8")));
  const records = texts.flatMap((text) => text.split("\n")).filter((line) => line.includes("query"));
  expect(records.map((line) => JSON.parse(line).principal)).toEqual(["local"]);
});

test("a page's cursor is its principal's: to another it never was, also where both read the same database", async () => {
  await using database = await createPostgresDatabase();
  await using gateway = await startGateway(() => ({ databases: { shop: database.url } }));
  const [ada, bob] = [person(gateway.gateway, "ada"), person(gateway.gateway, "bob")];
  const sql = "SELECT n FROM generate_series(1, 3000) AS s(n)";
  const { next_cursor: cursor } = await ada.tool("query", { sql, cursor: "start" });
  expect(cursor).toMatch(/^[\w-]{22}$/);
  const refused = await bob.tool("query", { cursor });
  expect(refused).toMatchObject({ code: "cursor_unknown" });
  expect(refused).toEqual(await bob.tool("query", { cursor: "AAAAAAAAAAAAAAAAAAAAAA" }));
  expect(await ada.tool("query", { cursor })).toMatchObject({ row_count: 1_000 });
});
