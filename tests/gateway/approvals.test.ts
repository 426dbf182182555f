/**
 * A human's yes through the gateway: the forms of every client reach the databases' servers, in every combination of era
 * and way in, and an approval is the client's that asked for it.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Role } from "../../mcp-core/src/host/index.js";
import { type Era, eras } from "../sql/connect.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { startGateway, type TestGateway, temporaryFolder, textOf, until } from "./gateways.js";

const bin = fileURLToPath(new URL("../../mcp-gateway/dist/bin.js", import.meta.url));

type Answer = { action: "accept"; content: { allow: boolean } } | { action: "decline" };
type OpenClient = Client & AsyncDisposable;

/** A client of either era; its human answers when there is something to answer. */
function newClient(era: Era, answer: Answer | undefined, shown: string[]): Client {
  const client = new Client(
    { name: "test", version: "1.0.0" },
    {
      versionNegotiation: { mode: era === "legacy" ? "legacy" : "auto" },
      ...(answer === undefined ? {} : { capabilities: { elicitation: { form: {} } } }),
    },
  );
  if (answer !== undefined) {
    client.setRequestHandler("elicitation/create", ({ params }) => {
      shown.push(params.message);
      return answer;
    });
  }
  return client;
}

const callJson = async (client: Client, args: Record<string, unknown>) =>
  JSON.parse(textOf(await client.callTool({ name: "execute", arguments: args })));

let databases: { readonly postgres: TestDatabase; readonly mysql: TestDatabase };
const config = () => ({
  databases: {
    one: { url: databases.postgres.url, settings: { mode: "approve" } },
    two: { url: databases.mysql.url, settings: { mode: "approve" } },
  },
});

beforeAll(async () => {
  databases = { postgres: await createPostgresDatabase(), mysql: await createMysqlDatabase() };
  for (const database of Object.values(databases)) await database.run("CREATE TABLE t (a int)");
});
afterAll(async () => {
  for (const database of Object.values(databases)) await database[Symbol.asyncDispose]();
});
beforeEach(async () => {
  for (const database of Object.values(databases)) await database.run("DELETE FROM t");
});

const sources = [
  ["one", () => databases.postgres],
  ["two", () => databases.mysql],
] as const;
const countOf = async (database: TestDatabase) => (await database.run("SELECT a FROM t")).length;
const insert = "INSERT INTO t VALUES (1)";

describe.each(["http", "stdio"] as const)("over %s", (transport) => {
  let gateway: TestGateway;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
    gateway = await startGateway(config);
    await writeFile(join(folder.path, "gateway.json"), JSON.stringify(config()));
    await mkdir(join(folder.path, "cache"));
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  async function open(era: Era, answer: Answer | undefined, shown: string[] = []): Promise<OpenClient> {
    const client = newClient(era, answer, shown);
    const args = [bin, "--config", join(folder.path, "gateway.json"), "--stdio"];
    const env = { PATH: process.env.PATH ?? "", HOME: folder.path, XDG_CACHE_HOME: join(folder.path, "cache") };
    await client.connect(
      transport === "http"
        ? new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`))
        : new StdioClientTransport({ command: process.execPath, args, env, stderr: "ignore" }),
    );
    return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
  }

  test.each(eras)("%s: a form is shown, and only a ticked box runs the write", async (era) => {
    for (const [answer, code, rows] of [
      [{ action: "accept", content: { allow: true } }, undefined, 1],
      [{ action: "accept", content: { allow: false } }, "approval_declined", 1],
      [{ action: "decline" }, "approval_declined", 1],
    ] as const) {
      const shown: string[] = [];
      await using client = await open(era, answer, shown);
      for (const [source, database] of sources) {
        const done = await callJson(client, { sql: insert, source });
        expect(done.code).toBe(code);
        expect(shown.at(-1)).toMatch(/INSERT on t[\s\S]*1 rows affected/);
        expect(await countOf(database())).toBe(rows);
      }
      expect(shown).toHaveLength(sources.length);
    }
  });

  test.each(eras)("%s: a client without forms gets no yes by itself", async (era) => {
    await using client = await open(era, undefined);
    for (const [source, database] of sources) {
      expect(await callJson(client, { sql: insert, source })).toMatchObject({ code: "approval_required" });
      expect(await countOf(database())).toBe(0);
    }
  });
});

/** The codes in the gateway's log, where its servers' logs go. */
const codesIn = (gateway: TestGateway) =>
  [...gateway.log().matchAll(/approval\\":\\"([A-Z0-9]{4}-[A-Z0-9]{4})/g)].map(([, code]) => code);

async function nextCode(gateway: TestGateway, client: Client, source: string): Promise<string> {
  const before = codesIn(gateway).length;
  expect(await callJson(client, { sql: insert, source })).toMatchObject({ code: "approval_required" });
  await until(() => codesIn(gateway).length > before);
  return codesIn(gateway).at(-1) ?? "";
}

/** The token is the principal's name. */
const authenticators = [
  { authenticate: (id: string) => ({ principal: { id, roles: new Set<Role>(["use", "write"]) } }) },
];

test.each(eras)("%s: a code is of the principal it was asked for, and a forged one counts nothing", async (era) => {
  await using gateway = await startGateway(config, {}, { authenticators });
  const open = async (id: string): Promise<OpenClient> => {
    const client = newClient(era, undefined, []);
    const requestInit = { headers: { authorization: `Bearer ${id}` } };
    await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`), { requestInit }));
    return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
  };
  await using ada = await open("ada");
  await using bob = await open("bob");
  const _meta = { "database-interface/principal": { id: "ada", roles: ["write"] } };
  for (const [source, database] of sources) {
    const approval = await nextCode(gateway, ada, source);
    const args = { sql: insert, source, approval };
    const stolen = textOf(await bob.callTool({ name: "execute", arguments: args, _meta }));
    expect(JSON.parse(stolen)).toMatchObject({ code: "approval_unknown" });
    expect(await countOf(database())).toBe(0);
    expect(await callJson(ada, args)).toMatchObject({ rows_affected: 1 });
    expect(await countOf(database())).toBe(1);
  }
});

test("legacy: a code is of the connection it was asked over, though all are one principal", async () => {
  await using gateway = await startGateway(config);
  await using first = await gateway.connect("legacy");
  await using second = await gateway.connect("legacy");
  const approval = await nextCode(gateway, first, "one");
  const args = { sql: insert, source: "one", approval };
  const _meta = { "database-interface/client": "whatever" };
  const stolen = textOf(await second.callTool({ name: "execute", arguments: args, _meta }));
  expect(JSON.parse(stolen)).toMatchObject({ code: "approval_unknown" });
  expect(await callJson(first, args)).toMatchObject({ rows_affected: 1 });
});
