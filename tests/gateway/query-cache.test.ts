/** Databases behind the gateway whose results are used again: which ones is the config's word, how often is in `/metrics`. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createPostgresDatabase } from "../support/databases.js";
import { startGateway, temporaryFolder, textOf } from "./gateways.js";

test("a database of the config remembers results, another does not; metrics and audit tell", async () => {
  await using database = await createPostgresDatabase();
  await database.run("CREATE TABLE things (id int)");
  await using folder = await temporaryFolder();
  const settings = { audit: folder.path };
  await using gateway = await startGateway(() => ({
    databases: { kept: { url: database.url, resultTtl: "5m", settings }, plain: { url: database.url, settings } },
  }));
  await using client = await gateway.connect("modern");
  const ask = async (source: string, more = {}) =>
    JSON.parse(
      textOf(await client.callTool({ name: "query", arguments: { sql: "SELECT id FROM things", source, ...more } })),
    );
  for (const source of ["kept", "kept", "plain", "plain"]) await ask(source);
  await ask("kept", { fresh: true });
  expect(await ask("kept")).toHaveProperty("cached_ms_ago");
  expect(await ask("plain")).not.toHaveProperty("cached_ms_ago");

  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  const counted = [...metrics.matchAll(/^mcp_gateway_query_cache_total\{outcome="(\w+)"\} (\d+)$/gm)];
  expect(Object.fromEntries(counted.map(([, outcome, count]) => [outcome, count]))).toEqual({
    hit: "2",
    miss: "1",
    bypass: "1",
  });
  const files = (await readdir(folder.path)).filter((name) => name.endsWith(".jsonl"));
  const lines = (await Promise.all(files.map((name) => readFile(join(folder.path, name), "utf8"))))
    .join("")
    .split("\n");
  const records = lines.filter((line) => line.includes('"query"')).map((line) => JSON.parse(line));
  expect(records.map(({ source, cached, tables }) => [source, cached, tables])).toEqual([
    ["kept", undefined, ["things"]],
    ["kept", true, ["things"]],
    ["plain", undefined, ["things"]],
    ["plain", undefined, ["things"]],
    ["kept", undefined, ["things"]],
    ["kept", true, ["things"]],
    ["plain", undefined, ["things"]],
  ]);
});
