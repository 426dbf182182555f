/** What `tools/list` costs and says: within its budget of tokens, each schema pinned. */
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, test } from "vitest";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { connect, eras, openSources, serverOf } from "./connect.js";

const postgresUrl = "postgres://nobody@127.0.0.1:1/nothing";
const kinds = {
  "mcp-postgres": [postgresKind, postgresUrl],
  "mcp-mysql": [mysqlKind, "mysql://nobody@127.0.0.1:1/nothing"],
} as const;

function manySources(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`warehouse_${index + 10}`, postgresUrl]));
}

async function listOf(urls: Record<string, string>, era: (typeof eras)[number] = "legacy") {
  await using sources = openSources(postgresKind, urls);
  await using server = serverOf(postgresKind, sources.list);
  const client = await connect(server, era);
  const list = await client.listTools();
  await client.close();
  return list;
}

describe.each(Object.entries(kinds))("the core tools of %s", (_name, [kind, url]) => {
  test.each(eras)("cost at most 650 tokens in the %s era", async (era) => {
    await using sources = openSources(kind as typeof postgresKind, { shop: url });
    await using server = serverOf(kind as typeof postgresKind, sources.list);
    const client = await connect(server, era);
    const tokens = encode(JSON.stringify(await client.listTools())).length;
    await client.close();
    expect(tokens).toBeLessThanOrEqual(650);
  });
});

test("a further source costs at most 40 bytes", async () => {
  const bytes = async (count: number) => JSON.stringify(await listOf(manySources(count))).length;
  const [two, twelve] = await Promise.all([bytes(2), bytes(12)]);
  expect((twelve - two) / 10).toBeLessThanOrEqual(40);
});

test("source is an argument only where there is a choice, and then of every tool", async () => {
  const hasSource = async (count: number) =>
    (await listOf(manySources(count))).tools.map(({ inputSchema }) => "source" in (inputSchema.properties ?? {}));
  expect(await hasSource(1)).toEqual([false, false, false, false, false]);
  expect(await hasSource(2)).toEqual([true, true, true, true, true]);
});

test.each([1, 2])("the schemas with %i source(s) are pinned", async (count) => {
  const { tools } = await listOf(manySources(count));
  expect(tools).toMatchSnapshot();
});

test("both eras list the same tools, all of them read-only", async () => {
  const [legacy, modern] = await Promise.all(eras.map((era) => listOf({ shop: postgresUrl }, era)));
  expect(modern?.tools).toEqual(legacy?.tools);
  expect(legacy?.tools.every(({ annotations }) => annotations?.readOnlyHint === true)).toBe(true);
});

test("--tools narrows the list", async () => {
  await using sources = openSources(postgresKind, { shop: postgresUrl });
  await using server = serverOf(postgresKind, sources.list, { tools: ["query", "describe_table"] });
  const client = await connect(server, "legacy");
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["query", "describe_table"]);
  await client.close();
});

test("a server instance is made in well under a millisecond", async () => {
  await using sources = openSources(postgresKind, manySources(5));
  await using server = serverOf(postgresKind, sources.list);
  for (let turn = 0; turn < 200; turn++) await server({ era: "modern" });
  const began = performance.now();
  for (let turn = 0; turn < 1_000; turn++) await server({ era: "modern" });
  const each = (performance.now() - began) / 1_000;
  console.info(`${each.toFixed(3)} ms for a server instance`);
  expect(each).toBeLessThan(1);
});
