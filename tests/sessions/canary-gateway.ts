/** A gateway as a process whose every trace is gathered, and the ways in which a password comes into it. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { temporaryFolder, textOf, until } from "../gateway/gateways.js";
import { executable, startHttpServer } from "../support/processes.js";
import type { RedisServer } from "../support/redis-servers.js";
import { dumpRedis, openMonitor, readFolder } from "./canary.js";

/** A gateway as a process, and everything that can be seen of it. */
export async function openSubject(
  store: string,
  { redis, templates, flags = [] }: { redis: RedisServer; templates: Templates; flags?: readonly string[] },
) {
  const folder = await temporaryFolder();
  const inFolder = (name: string): string => join(folder.path, name);
  const config = inFolder("gateway.json");
  const writeConfig = (databases: object): Promise<void> => writeFile(config, JSON.stringify({ databases, templates }));
  await writeConfig({});
  const places = ["--cache-dir", inFolder("cache"), "--audit", inFolder("audit"), "--audit-sync", "always"];
  const gateway = await startHttpServer(
    executable("mcp-gateway"),
    ["--config", config, "--port", "0", "--log-level", "debug", ...places, ...flags],
    {
      MCP_KEYS: `k1:${Buffer.alloc(32, 1).toString("base64")}`,
      MCP_STORE: store === "folder" ? `file:${inFolder("store")}` : store,
    },
  );
  const monitor = await openMonitor(redis);
  let heard = "";
  /** As `fetch`; what comes back is heard. */
  const hear: typeof fetch = async (...given) => {
    const response = await fetch(...given);
    heard += JSON.stringify([...response.headers]);
    const body = response.clone().body?.pipeThrough(new TextDecoderStream());
    void (async () => {
      for await (const chunk of body ?? []) heard += chunk;
    })().catch(() => {}); // a stream that was cut off
    return response;
  };
  async function rest(method: string, path: string, body?: object): Promise<{ status: number; body: Fields }> {
    const given = body === undefined ? {} : { body: JSON.stringify(body) };
    const headers = { "content-type": "application/json" };
    const response = await hear(`${gateway.url}${path}`, { method, headers, ...given });
    const text = await response.text();
    return { status: response.status, body: /^\{/.test(text) ? JSON.parse(text) : {} };
  }
  await until(async () => (await rest("GET", "/readyz")).status === 200, 60_000);
  let visit = async (_url: string): Promise<"accept" | "decline"> => "decline";
  const client = new Client({ name: "t", version: "1" }, { capabilities: { elicitation: { url: {} } } });
  client.setRequestHandler("elicitation/create", async ({ params }) => ({
    action: await visit("url" in params ? String(params.url) : ""),
  }));
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`), { fetch: hear }));
  return {
    rest,
    writeConfig,
    templates,
    async tool(name: string, given: object): Promise<Fields> {
      return JSON.parse(textOf(await client.callTool({ name, arguments: { ...given } })));
    },
    /** As a browser sends the page's form. */
    async send(url: string, password: string): Promise<Page> {
      const headers = { origin: new URL(url).origin, "sec-fetch-site": "same-origin" };
      const response = await hear(url, { method: "POST", body: new URLSearchParams({ password }), headers });
      return { status: response.status, text: await response.text() };
    },
    onVisit(work: typeof visit) {
      visit = work;
    },
    /** The pids of the servers that have databases. */
    async pids(): Promise<number[]> {
      const servers = (await rest("GET", "/v1/servers")).body.servers as { id: string; pid?: number }[];
      return servers.flatMap(({ id, pid }) => (id.startsWith("template:") || pid === undefined ? [] : [pid]));
    },
    /** Everything there is to see, by where it is; each must show something. */
    async look(): Promise<ReadonlyMap<string, string>> {
      const { sessions } = (await rest("GET", "/v1/sessions")).body as { sessions: { id: string }[] };
      const own = sessions.flatMap(({ id }) => [`/v1/sessions/${id}`, `/v1/sessions/${id}/connections`]);
      const paths = [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/v1/servers",
        "/v1/templates",
        "/v1/replicas",
      ];
      for (const path of [...paths, "/v1/admin/sessions", "/v1/admin/drain", "/v1/nothing", ...own])
        await rest("GET", path);
      const kept: [string, string][] = store.startsWith("redis")
        ? [
            ["Redis", await dumpRedis(redis)],
            ["what was said to Redis", monitor.text()],
          ]
        : [];
      return new Map([
        ...kept,
        ["the log", gateway.log()],
        ["stdout", `:${gateway.printed()}`],
        ["the gateway's folder", await readFolder(folder.path, ["gateway.json"])],
        ["the audit trail", await readFolder(inFolder("audit"))],
        ["answers", heard],
      ]);
    },
    async [Symbol.asyncDispose]() {
      monitor[Symbol.dispose]();
      await client.close();
      await gateway[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

export type Subject = Awaited<ReturnType<typeof openSubject>>;
type Fields = Record<string, unknown>;
type Page = Readonly<{ status: number; text: string }>;

/** By engine, and beside each a server that is away. */
export type Templates = Readonly<
  Record<"pg" | "my" | "pg-away" | "my-away", { readonly server: string; readonly hosts: readonly string[] }>
>;

/** Where a connection goes. */
export interface Target {
  readonly name: string;
  readonly template: keyof Templates;
  readonly database: string;
  readonly user: string;
}

/** How a password comes in. */
export interface Way {
  /** Resolves to `ok`, or to what is said of what went wrong. */
  give(target: Target, password: string): Promise<string>;
  take(name: string): Promise<void>;
  /** Takes everything that is left. */
  end(): Promise<void>;
  /** A server goes on with what does not work, as the config says so. */
  readonly keepsWhatFails: boolean;
}

/** A way into a session; `give` resolves to undefined or to what is said. */
async function intoSession(
  { rest, tool }: Subject,
  give: (session: string, target: Target, password: string) => Promise<string | undefined>,
): Promise<Way> {
  const session = String((await rest("POST", "/v1/sessions", {})).body.session);
  return {
    keepsWhatFails: false,
    give: async (target, password) =>
      (await give(session, target, password)) ?? whoIsIt(await tool("query", { ...asking(target), session }), target),
    take: async (name) => void (await rest("DELETE", `/v1/sessions/${session}/connections/${name}`)),
    end: async () => void (await rest("DELETE", `/v1/sessions/${session}`)),
  };
}

const asking = ({ name }: Target) => ({ source: name, sql: "SELECT current_user" });

const whoIsIt = (answer: Fields, { user }: Target): string =>
  (answer.rows as string[][] | undefined)?.[0]?.[0]?.replace(/@%$/, "") === user ? "ok" : JSON.stringify(answer);

/** On a page that says no one may try again; nobody does. */
const saidOn = ({ status, text }: Page): string | undefined => (status === 200 ? undefined : text);

export const ways: readonly [string, (subject: Subject) => Promise<Way>][] = [
  [
    "a tool whose client opens the page",
    (subject) =>
      intoSession(subject, async (session, target, password) => {
        let said: string | undefined;
        subject.onVisit(async (url) => {
          said = saidOn(await subject.send(url, password));
          return said === undefined ? "accept" : "decline";
        });
        const told = await subject.tool("connect_database", { session, ...target });
        return said ?? (told.connected === undefined ? JSON.stringify(told) : undefined);
      }),
  ],
  [
    "a page by its link",
    (subject) =>
      intoSession(subject, async (session, target, password) => {
        const { body } = await subject.rest("POST", `/v1/sessions/${session}/invitations`, target);
        return saidOn(await subject.send(String(body.url), password));
      }),
  ],
  [
    "REST",
    (subject) =>
      intoSession(subject, async (session, target, password) => {
        const given = { ...target, password };
        const { status, body } = await subject.rest("POST", `/v1/sessions/${session}/connections`, given);
        return status === 201 ? undefined : JSON.stringify(body);
      }),
  ],
  [
    "the config file",
    async (subject) => {
      const databases = new Map<string, object>();
      const write = (): Promise<void> => subject.writeConfig(Object.fromEntries(databases));
      const serverOf = async (name: string) => {
        const { body } = await subject.rest("GET", "/v1/servers");
        return (body.servers as { sources?: string[]; tools?: number }[]).find(({ sources }) =>
          sources?.includes(name),
        );
      };
      return {
        keepsWhatFails: true,
        async give(target, password) {
          const { template, database, user } = target;
          const { server, hosts } = subject.templates[template];
          databases.set(target.name, { url: `${server}://${user}@${hosts[0]}/${database}`, password });
          await write();
          await until(async () => (await serverOf(target.name))?.tools !== undefined, 60_000);
          return whoIsIt(await subject.tool("query", asking(target)), target);
        },
        async take(name) {
          databases.delete(name);
          await write();
          await until(async () => (await serverOf(name)) === undefined, 60_000);
        },
        async end() {
          databases.clear();
          await write();
        },
      };
    },
  ],
];
