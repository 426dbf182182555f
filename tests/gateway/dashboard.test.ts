/** The dashboard for Grafana: it imports, its panels do not overlap, and it asks for nothing that `/metrics` lacks. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { createPostgresUser, person, testTemplates } from "../sessions/people.js";
import { createPostgresDatabase } from "../support/databases.js";
import { fixtureServer, startGateway } from "./gateways.js";

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string }[];
}

const file = new URL("../../deploy/grafana/mcp-gateway.json", import.meta.url);
const dashboard = JSON.parse(await readFile(file, "utf8")) as {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] };
  readonly panels: readonly Panel[];
}; // what Grafana writes when it exports one; each part is looked at below

test("panels have ids and titles of their own and a place of their own", () => {
  const { panels, uid, title, schemaVersion } = dashboard;
  expect([uid, title, schemaVersion]).toEqual(["mcp-gateway", "MCP gateway", 39]);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  expect(new Set(panels.map((panel) => panel.title)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)} ${y + Math.floor(index / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
});

test("every metric and label it asks for is served, and every metric that is served is shown", async () => {
  await using database = await createPostgresDatabase();
  await using user = await createPostgresUser();
  await using gateway = await startGateway(() => ({
    databases: { shop: database.url },
    mcpServers: { s: fixtureServer("modern-server") },
    templates: testTemplates(),
  }));
  const ada = person(gateway.gateway, "ada");
  const session = await ada.openSession();
  const connection = { template: "pg", database: database.name, user: user.user, password: user.password };
  expect((await ada.rest("POST", `/v1/sessions/${session}/connections`, connection)).status).toBe(201);
  expect(await ada.tool("query", { session, sql: "SELECT 1" })).toMatchObject({ row_count: 1 });
  expect(await ada.tool("query", { source: "shop", sql: "SELECT 'open" })).toMatchObject({ code: "syntax_error" });
  await using client = await gateway.connect("modern");
  await client.callTool({ name: "s__echo", arguments: { text: "hello" } });
  await client.callTool({ name: "s__echo", arguments: { text: 5 } });
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  for (const line of [
    /^mcp_gateway_open_sessions\{state="active"\} 1$/m,
    /^mcp_gateway_open_connections\{template="pg"\} 1$/m,
    /^mcp_gateway_query_duration_seconds_count\{source="session:pg"\} 1$/m,
    /^mcp_gateway_query_duration_seconds_count\{source="shop",error_type="syntax_error"\} 1$/m,
  ])
    expect(text).toMatch(line);
  const names = (from: string) => new Set(from.match(/\bmcp_[a-z]+_[a-z_]+/g));
  const labels = new Set([...text.matchAll(/([a-z_]+)="/g)].map(([, label]) => label));

  const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const variables = dashboard.templating.list.map(({ query }) => query);
  const asked = [...names([...queries, ...variables].join("\n"))].filter((name) => name !== "mcp_method_name");
  expect(asked.filter((name) => !new RegExp(`^${name}[{ ]`, "m").test(text))).toEqual([]);

  const scraped = ["job"]; // Prometheus' own
  const used = queries.flatMap((query) => [
    ...[...query.matchAll(/([a-z_]+)(?:!=|=~|=)"/g)].map(([, label]) => label),
    ...[...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list?.split(", ")),
  ]);
  expect(used.filter((label) => !labels.has(label ?? "") && !scraped.includes(label ?? ""))).toEqual([]);

  const served = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? "");
  expect(served.filter((name) => !asked.some((one) => one.startsWith(name)))).toEqual([]);
});

test.each([
  ["public", 200, 200, 200],
  ["use", 401, 200, 403],
  ["admin", 401, 403, 200],
] as const)("metricsAccess %s: who may read the figures", async (metricsAccess, nobody, ada, root) => {
  const authenticate = async (token: string) =>
    token === "ada" || token === "root"
      ? { principal: { id: token, roles: new Set([token === "ada" ? ("use" as const) : ("admin" as const)]) } }
      : undefined;
  const authenticators = [{ authenticate, challenge: {} }];
  await using gateway = await startGateway(() => ({}), { metricsAccess }, { authenticators });
  const ask = async (token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await fetch(`${gateway.url}/metrics`, { headers })).status;
  };
  expect([await ask(), await ask("ada"), await ask("root")]).toEqual([nobody, ada, root]);
});
