/** The way of a password past the model: a link, a page, one use; by whatever the client can. */
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGateway, type TestGateway, textOf, until } from "../gateway/gateways.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { createMysqlUser, type DatabaseUser, person, testTemplates } from "./people.js";

let database: TestDatabase;
let user: DatabaseUser;
beforeAll(async () => {
  database = await createMysqlDatabase();
  user = await createMysqlUser(database.name);
});
afterAll(async () => {
  await user?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const start = (settings: object = {}): Promise<TestGateway> =>
  startGateway(() => ({ templates: testTemplates() }), { sessions: settings });

const asked = () => ({ template: "my", database: database.name, user: user.user });

/** As a browser sends the page's form. */
function send(url: string, password: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    body: new URLSearchParams({ password }),
    headers: { origin: new URL(url).origin, "sec-fetch-site": "same-origin", ...headers },
  });
}

async function invite(gateway: TestGateway, session: string): Promise<string> {
  const { body } = await person(gateway.gateway, "local").rest("POST", `/v1/sessions/${session}/invitations`, asked());
  return String(body.url);
}

const openSession = (gateway: TestGateway): Promise<string> => person(gateway.gateway, "local").openSession();

test("the page is plain, protected and says whom it is for; it connects once", async () => {
  await using gateway = await start();
  const session = await openSession(gateway);
  const url = await invite(gateway, session);
  expect(url).toMatch(new RegExp(`^${gateway.url}/connect/[\\w-]{32}$`));
  const page = await fetch(url);
  const html = await page.text();
  expect(page.status).toBe(200);
  expect(page.headers.get("cache-control")).toBe("no-store");
  expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-/);
  expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  expect(page.headers.get("referrer-policy")).toBe("same-origin");
  expect(html).not.toMatch(/<script|javascript:|https?:\/\//i);
  for (const shown of [user.user, database.name, "template my"]) expect(html).toContain(shown);
  expect(html).not.toContain(session);
  await fetch(url); // looking uses nothing up
  const sent = await send(url, user.password);
  expect(sent.status).toBe(200);
  expect(await sent.text()).toContain("my is connected");
  const { connections } = await person(gateway.gateway, "local").tool("list_connections", { session });
  expect(connections).toMatchObject([{ name: "my", user: user.user }]);
  for (const again of [await fetch(url), await send(url, user.password)]) {
    expect(again.status).toBe(404);
    expect(await again.text()).toContain("has been used, has expired, or never was");
  }
});

test("a wrong password is said so on the page and may be mended a few times", async () => {
  await using gateway = await start();
  const url = await invite(gateway, await openSession(gateway));
  for (let attempt = 1; attempt <= 5; attempt++) {
    const sent = await send(url, `canary-${attempt}`);
    const html = await sent.text();
    expect(sent.status).toBe(422);
    expect(html).toMatch(/role="alert">[^<]*(password|user)/i);
    expect(html).not.toContain("canary");
  }
  expect((await send(url, user.password)).status).toBe(404);
  expect(gateway.log()).not.toContain("canary");
});

test("forms of other sites, of other kinds, and two at once are refused", async () => {
  await using gateway = await start();
  const url = await invite(gateway, await openSession(gateway));
  const refused = [
    await send(url, user.password, { "sec-fetch-site": "cross-site" }),
    await send(url, user.password, { "sec-fetch-site": "same-site" }),
    await send(url, user.password, { origin: "https://evil.example" }),
    await send(url, user.password, { origin: "null" }),
  ];
  expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
  const json = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
  expect((await fetch(url, json)).status).toBe(400);
  expect((await send(url, "x".repeat(1_025))).status).toBe(400);
  expect((await send(url, "a\0b")).status).toBe(400);
  expect((await fetch(url, { method: "PUT" })).status).toBe(405);
  expect((await fetch(url, { headers: { host: "evil.example" } })).status).toBeLessThan(500);
  const both = await Promise.all([send(url, user.password), send(url, user.password)]);
  expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
});

test.each(["", "x", "A".repeat(32), "%2e%2e%2fv1%2fservers", "<script>"])("the ticket %j is none", async (ticket) => {
  await using gateway = await start();
  for (const answer of [
    await fetch(`${gateway.url}/connect/${ticket}`),
    await send(`${gateway.url}/connect/${ticket}`, "canary"),
  ]) {
    expect(answer.status).toBe(404);
    expect(await answer.text()).not.toMatch(/canary|<script/);
  }
});

/** A client that opens pages, and what its user does with one. */
async function connectOpening(gateway: TestGateway, era: "legacy" | "modern", visit: (url: string) => Promise<string>) {
  const client = await gateway.connect(era, { elicitation: { url: {} } });
  const asked: unknown[] = [];
  client.setRequestHandler("elicitation/create", async ({ params }) => {
    asked.push(params);
    return { action: (await visit("url" in params ? String(params.url) : "")) as "accept" | "decline" | "cancel" };
  });
  return Object.assign(client, { asked });
}

const call = async (client: Client, name: string, given: object): Promise<Record<string, unknown>> =>
  JSON.parse(textOf(await client.callTool({ name, arguments: { ...given } })));

describe.each(["legacy", "modern"] as const)("a %s client that opens pages", (era) => {
  test("is asked to, and its call ends when the page was sent", async () => {
    await using gateway = await start();
    await using client = await connectOpening(gateway, era, async (url) => {
      setTimeout(() => void send(url, user.password), 600);
      return "accept";
    });
    const { session } = await call(client, "open_session", {});
    const result = await call(client, "connect_database", { session, ...asked() });
    expect(result).toMatchObject({ connected: { name: "my", user: user.user } });
    expect(client.asked).toHaveLength(1);
    expect(client.asked[0]).toMatchObject({ mode: "url", message: expect.stringContaining("no model sees it") });
    expect(JSON.stringify(client.asked)).not.toContain(String(session));
    const rows = await call(client, "query", { session, sql: "SELECT current_user" });
    expect(rows.rows).toEqual([[`${user.user}@%`]]);
  });

  test.each(["decline", "cancel"])("and answers %s: nothing is connected and the page is gone", async (action) => {
    await using gateway = await start();
    let page = "";
    await using client = await connectOpening(gateway, era, async (url) => {
      page = url;
      return action;
    });
    const { session } = await call(client, "open_session", {});
    const result = await call(client, "connect_database", { session, ...asked() });
    expect(result).toMatchObject({ code: "connection_declined" });
    await until(async () => (await fetch(page)).status === 404);
    expect((await call(client, "list_connections", { session })).connections).toEqual([]);
  });
});

test.each(["legacy", "modern"] as const)("a %s client that opens no pages gets the link", async (era) => {
  await using gateway = await start({ publicUrl: "https://gateway.example.com/base/" });
  await using client = await gateway.connect(era, { elicitation: { form: {} } });
  const { session } = await call(client, "open_session", {});
  const result = await call(client, "connect_database", { session, ...asked() });
  expect(result).toMatchObject({ status: "password_needed", expires_in_s: 600 });
  expect(result.url).toMatch(/^https:\/\/gateway\.example\.com\/base\/connect\/[\w-]{32}$/);
  const secret = await call(client, "connect_database", { session, ...asked(), password: "canary" });
  expect(secret).toMatchObject({ code: "parameter_invalid", hint: expect.stringContaining("never an argument") });
});
